"""Which artifacts form which request, and why: pure, from references and a snapshot of configuration.

A request is a part of a component after joining its edges strongest first. Every order and every tie is settled by
the data itself, so that neither arrival nor storage can matter. A person's decision is an edge before all others, or
what forbids one; a suggestion by similarity is no edge.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipelines.correlate.decided import Decided, apart_words, kept_out
from pipelines.correlate.edges import Edge
from pipelines.correlate.evidence import Weighed, weigh
from pipelines.correlate.explain import called, rule, thing, why
from pipelines.correlate.listing import at_once, in_text, listing, passed_on
from pipelines.correlate.parts import Limited, RequestParts, attach, connect_all, container_of, within_limit
from pipelines.correlate.rules import Rules
from schemas.artifacts import Evidence, request_id
from schemas.links import Component, Group, Groups, Link, LinkKind, Node, Programme


def correlate(component: Component, rules: Rules) -> Groups:
    """The requests of a component. Near-linear in the number of its references."""
    weighed = weigh(component, rules)
    decided = Decided(component.decisions)
    decided.settle(weighed)
    silent = decided.silent(weighed)
    joined = decided.joins(weighed.nodes)
    above = [edge for edge in weighed.joins if container_of(edge, weighed) is not None]
    direct = [edge for edge in weighed.joins if container_of(edge, weighed) is None]
    limited = within_limit(direct, weighed.nodes, rules.component, joined)
    limited.kept = [*joined, *limited.kept]
    parts = RequestParts(weighed.nodes.values(), rules, decided, silent)
    weighed.mentions += _connected(limited, parts, weighed)
    programmes = attach(above, weighed, parts)
    found = _Outcome(weighed, parts, limited, programmes, rules).groups(above)
    return replace(found, kept_out=kept_out(found, silent, parts.of)) if decided.numbered else found


def _connected(limited: Limited, parts: RequestParts, weighed: Weighed) -> list[Edge]:
    """Join the edges, and take out those that join nothing because they name several things at once."""
    passing = passed_on(limited.kept)
    later = {id(edge) for edge in passing}
    stated = [edge for edge in limited.kept if not in_text(edge) and id(edge) not in later]
    connect_all(parts, stated)
    written, lists = listing(filter(in_text, limited.kept), parts, weighed.unknown)
    connect_all(parts, written)
    passed, several = at_once(passing, parts, weighed.nodes)
    connect_all(parts, passed)
    limited.kept = [*stated, *written, *passed]
    return lists + several


class _Outcome:
    """What came out, put into words and sorted by request."""

    def __init__(
        self, weighed: Weighed, parts: RequestParts, limited: Limited, programmes: dict[str, list[Edge]], rules: Rules
    ) -> None:
        self._weighed, self._parts, self._limited, self._programmes = weighed, parts, limited, programmes
        self._nodes = weighed.nodes
        self._two = f"it would put two {'s or '.join(sorted(rules.exclusive))}s into one request"
        members: dict[str, list[Node]] = defaultdict(list)
        for node in weighed.nodes.values():
            members[parts.of(node.artifact)].append(node)
        self._members = {part: nodes for part, nodes in members.items() if parts.opens(part)}
        self._openers = parts.openers
        self._request = {part: request_id(_anchor(nodes).artifact) for part, nodes in self._members.items()}
        self._subjects: dict[str, str] = {}

    def groups(self, above: list[Edge]) -> Groups:
        """Everything, in the order of ids."""
        held, apart = self._told([*self._limited.kept, *above])
        self._subjects = {
            edge.source: thing(edge, self._nodes) for edge in reversed(held) if edge.strength is Evidence.TITLE
        }
        shown = {(edge.source, edge.target) for edge in held}
        dropped = [replace(edge, kept="too many artifacts hang together") for edge in self._limited.dropped]
        spoken = [*apart, *dropped, *self._weighed.mentions]
        mentions = self._by_part(edge for edge in spoken if (edge.source, edge.target) not in shown)
        links, depends = self._by_part(held), self._by_part(self._weighed.depends)
        waited, joined = self._by_part(self._weighed.past.get("depends on", ())), self._by_part(self._joined_once())
        programmes = self._told_programmes()
        belongs: dict[str, list[str]] = defaultdict(list)
        for programme in programmes:
            for request in programme.requests:
                belongs[request].append(programme.key)
        requests = [
            Group(
                request=self._request[part],
                anchor=_anchor(nodes).artifact,
                artifacts=tuple(node.artifact for node in nodes),
                openers=tuple(node.artifact for node in nodes if node.artifact in self._openers),
                links=self._links(links[part], "joins"),
                depends_on=self._links(depends[part], "depends on"),
                mentions=self._links(mentions[part], "mentions"),
                past=(*self._links(waited[part], "depends on"), *self._links(joined[part], "joins")),
                programmes=tuple(belongs[self._request[part]]),
                remarks=self._remarks(nodes),
            )
            for part, nodes in self._members.items()
        ]
        return Groups(
            requests=tuple(sorted(requests, key=lambda group: group.request)),
            outside=tuple(name for name in self._nodes if self._part(name) is None),
            programmes=programmes,
            remarks=self._remarks(self._nodes.values()),
            loose=self._loose({"joins": held, "depends on": self._weighed.depends, "mentions": spoken}),
        )

    def _loose(self, edges: Mapping[LinkKind, list[Edge]]) -> tuple[Link, ...]:
        """Links between two ends of which neither is in a request."""
        return tuple(
            link
            for kind, each in edges.items()
            for link in self._links(
                (edge for edge in each if not (self._part(edge.source) or self._part(edge.target))), kind
            )
        )

    def _joined_once(self) -> list[Edge]:
        """What was taken back between two ends that other evidence keeps together."""
        past = self._weighed.past.get("joins", ())
        return [edge for edge in past if self._parts.of(edge.source) == self._parts.of(edge.target)]

    def _part(self, end: str) -> str | None:
        """The part of an end that is in a request."""
        part = self._parts.of(end)
        return part if part in self._members else None

    def _told(self, edges: list[Edge]) -> tuple[list[Edge], list[Edge]]:
        """Edges that hold a part together, and those that do not, with the reason. Programmes tell their own."""
        naming: dict[str, set[str]] = defaultdict(set)
        for edge in edges:
            if self._parts.of(edge.source) == self._parts.of(edge.target):
                naming[edge.target].add(edge.source)
        held, apart = [], []
        for edge in edges:
            if edge.source not in naming[edge.target]:
                decision = self._parts.refused.get((edge.source, edge.target))
                if decision:
                    kept = apart_words(decision, (edge.source, edge.target))
                    apart.append(replace(edge, kept=kept, decision=decision))
                elif container_of(edge, self._weighed) not in self._programmes:
                    apart.append(replace(edge, kept=self._two))
            elif edge.target in self._nodes or len(naming[edge.target]) > 1:
                held.append(edge)
            else:
                apart.append(replace(edge, kept="it was not read yet"))
        return held, apart

    def _by_part(self, edges: Iterable[Edge]) -> dict[str, list[Edge]]:
        """Each edge under the request at either end."""
        found: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            for part in {self._part(edge.source), self._part(edge.target)} - {None}:
                found[part or ""].append(edge)
        return found

    def _links(self, edges: Iterable[Edge], kind: LinkKind) -> tuple[Link, ...]:
        ordered = sorted(edges, key=lambda edge: (edge.order, edge.reference.key, edge.kept))
        return tuple(self._link(edge, kind) for edge in ordered)

    def _link(self, edge: Edge, kind: LinkKind) -> Link:
        reference = edge.reference
        past = reference.evidence is Evidence.WITHDRAWN
        return Link(
            from_artifact=edge.source,
            to_artifact=edge.target if edge.target in self._nodes else None,
            key=reference.key,
            kind=kind,
            evidence=edge.strength,
            relation=reference.relation,
            why=why(edge, self._nodes, self._subjects),
            rule=rule(edge),
            kept=edge.kept,
            decision=edge.decision.number if edge.decision else None,
            field=reference.field,
            start=reference.start,
            end=reference.end,
            around=reference.around,
            since=None if past else reference.since,
            until=reference.since if past else None,
            unread="" if edge.target in self._nodes else edge.target,
        )

    def _remarks(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        said = [remark for node in nodes for remark in self._limited.remarks.get(node.artifact, ())]
        return tuple(sorted(set(said)))

    def _told_programmes(self) -> tuple[Programme, ...]:
        """Programmes with the requests below them, those of programmes inside them too."""
        below: dict[str, set[str]] = {}
        inside: dict[str, list[str]] = defaultdict(list)
        told = []
        for name, edges in self._programmes.items():
            ends = {end for edge in edges for end in (edge.source, edge.target)} | {name}
            parts = {self._parts.of(end) for end in ends}
            below[name] = {self._request[part] for part in parts if part in self._members}
            below[name].update(*(below[inner] for part in parts for inner in inside[part]))
            inside[self._parts.of(name)].append(name)
            node = self._nodes.get(name)
            told.append(
                Programme(
                    key=name,
                    artifact=name if node else None,
                    name=called(name, self._nodes),
                    requests=tuple(sorted(below[name])),
                    artifacts=tuple(sorted(end for end in ends if end in self._nodes and self._part(end) is None)),
                    links=self._links(edges, "programme"),
                )
            )
        return tuple(sorted(told, key=lambda programme: programme.key))


def _anchor(nodes: Iterable[Node]) -> Node:
    """The artifact created first by its tool's time; unknown times last, ties by identity."""
    return min(nodes, key=lambda node: (node.created_at is None, node.created_at or "", node.artifact))
