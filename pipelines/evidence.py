"""What each reference counts for: it joins, states a dependency, only mentions, or means nothing that is known here."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pipelines.correlation_rules import FREE_KINDS, STRENGTHS, Rules, automatic, container, owners
from pipelines.references import own
from schemas.artifacts import EVIDENCE_ORDER, Evidence, Reference
from schemas.canonical import instant
from schemas.links import Component, Node

NAMING = frozenset({Evidence.TITLE, Evidence.WRITTEN})
INVERSE = {
    "blocks": "is blocked by",
    "is depended on by": "depends on",
    "is required by": "requires",
    "gates": "is gated by",
}
"""Dependencies that the one waited for states, and the same said by the one that waits."""

_PREFIX = re.compile(
    r"(?:re|fwd?|aw|wg|sv|vs|tr|rv|antw|odp|ynt|ref|rif|doorst)(?:\[\d+\])?\s*:|\[ext(?:ern(?:al)?)?\]"
)


@dataclass(frozen=True, slots=True)
class Edge:
    """A reference between two ends. An end is an artifact's id, or the name of a thing not read (see `unread`)."""

    strength: Evidence
    source: str
    target: str
    reference: Reference
    kept: str = ""
    """What keeps it from joining."""

    @property
    def order(self) -> tuple[int, str, str, str]:
        """Strongest first, ties by identity."""
        return EVIDENCE_ORDER[self.strength], self.source, self.target, self.reference.relation


@dataclass(slots=True)
class Weighed:
    """A component's references, weighed."""

    nodes: dict[str, Node]
    joins: list[Edge] = field(default_factory=list)
    depends: list[Edge] = field(default_factory=list)
    mentions: list[Edge] = field(default_factory=list)
    levels: dict[str, int] = field(default_factory=dict)
    """Level of each end that is a container, read or not."""


def unread(connection: str, key: str) -> str:
    """The name of a thing that is known to exist in a connection ("" for none) but was not read."""
    return f"unread {connection or '-'} {key}"


class _Named(NamedTuple):
    """What a reference means: the ends it may mean, whether they were read, whose they may be."""

    ends: tuple[str, ...]
    owners: frozenset[str] = frozenset()

    @property
    def ambiguous(self) -> bool:
        return len(self.owners) > 1


def weigh(component: Component, rules: Rules) -> Weighed:
    """Each reference of each artifact, weighed by the rules. Linear in the number of references."""
    index = _Index(component, rules)
    weighed = Weighed(
        index.nodes, levels={name: node.type_level or 1 for name, node in index.nodes.items() if container(node)}
    )
    edges = [edge for node in index.nodes.values() for edge in index.edges(node, weighed.levels)]
    edges += index.same()
    for edge in _distinct(edges):
        if edge.kept:
            weighed.mentions.append(edge)
        elif index.depends(edge):
            weighed.depends.append(edge)
        else:
            weighed.joins.append(edge)
    weighed.depends = _distinct(_from_who_waits(weighed.depends, index.nodes))
    return weighed


def _distinct(edges: Iterable[Edge]) -> list[Edge]:
    """One edge for each pair of ends, strength, relation and outcome, told by its first place; in order."""
    first: dict[tuple[object, ...], Edge] = {}
    for edge in sorted(edges, key=_place):
        first.setdefault((*edge.order, edge.kept), edge)
    return sorted(first.values(), key=lambda edge: (edge.order, edge.kept))


def _place(edge: Edge) -> tuple[object, ...]:
    return _place_of(edge.reference)


def _place_of(reference: Reference) -> tuple[object, ...]:
    since = instant(reference.since) if reference.since else "~"
    return since, reference.field, reference.start, reference.key, reference.scope, reference.end, reference.around


def _from_who_waits(edges: Iterable[Edge], nodes: Mapping[str, Node]) -> Iterator[Edge]:
    for edge in edges:
        inverse = INVERSE.get(edge.reference.relation.lower())
        if inverse and edge.target in nodes:
            turned = replace(edge.reference, relation=inverse)
            edge = replace(edge, source=edge.target, target=edge.source, reference=turned)
        yield edge


class _Index:
    """Who is known as which value, and what follows for each reference."""

    def __init__(self, component: Component, rules: Rules) -> None:
        self.rules = rules
        self.nodes = {node.artifact: node for node in sorted(component.nodes, key=lambda node: node.artifact)}
        self.holders: dict[str, tuple[Node, ...]] = {}
        self._held_as: dict[tuple[str, str], Reference] = {}
        self.named_by: dict[str, int] = {}
        self._count(component.counts)

    def _count(self, counts: Mapping[str, int]) -> None:
        holders: dict[str, list[Node]] = defaultdict(list)
        named: dict[str, int] = defaultdict(int)
        for node in self.nodes.values():
            is_known_as = [one for one in (*node.references, own(node.artifact)) if one.evidence is Evidence.IDENTITY]
            held = {one.key: one for one in sorted(is_known_as, key=_place_of)}
            strong = {one.key for one in node.references if one.evidence is Evidence.EXPLICIT}
            for key in held:
                holders[key].append(node)
            for key in {one.key for one in node.references if one.evidence in NAMING} - held.keys() - strong:
                named[key] += 1
            self._held_as.update({(node.artifact, key): one for key, one in held.items()})
        self.holders = {key: tuple(nodes) for key, nodes in holders.items()}
        self.named_by = {**named, **counts}

    def depends(self, edge: Edge) -> bool:
        """Whether an edge states a dependency."""
        return self._kind(self.nodes[edge.source], edge.reference, edge.strength) == "depends on"

    def _kind(self, node: Node, reference: Reference, strength: Evidence) -> str:
        """What a reference does: by its relation where it is explicit. A request id always joins."""
        if strength is not Evidence.EXPLICIT or reference.kind == "request":
            return "joins"
        return self.rules.link_kind(node, reference.relation)

    def named(self, node: Node, reference: Reference) -> _Named | None:
        """What a reference means; None if nothing that is known here."""
        holders = self.holders.get(reference.key, ())
        if reference.kind in FREE_KINDS:
            if holders:
                return _Named(tuple(holder.artifact for holder in holders if holder is not node))
            real = reference.kind == "request" or (
                reference.kind == "message-id" and _strength(reference) in STRENGTHS[:1]
            )
            return _Named((unread("", reference.key),)) if real else None
        owning = owners(reference, node, holders, self.rules)
        if not owning:
            return None
        ends = tuple(holder.artifact for holder in holders if holder.connection in owning)
        if not ends and len(owning) == 1:
            ends = (unread(next(iter(owning)), reference.key),)
        return _Named(tuple(end for end in ends if end != node.artifact), owning)

    def edges(self, node: Node, levels: dict[str, int]) -> Iterator[Edge]:
        """The edges that an artifact's references make. Adds the level of containers that were not read."""
        named = [(one, self.named(node, one)) for one in node.references if one.evidence is not Evidence.IDENTITY]
        known = [
            (reference, meaning) for reference, meaning in named if meaning and (meaning.ends or meaning.ambiguous)
        ]
        texts = _texts(known)
        replies = self._replies(node, known, texts)
        if node.merged_into:
            merge = Reference("artifact", "", node.merged_into, Evidence.EXPLICIT, "merged into")
            yield Edge(Evidence.EXPLICIT, node.artifact, node.merged_into, merge)
        for reference, meaning in known:
            kept = self._kept(node, reference, meaning, texts)
            if not kept and _replying(reference):
                if reference.key not in replies:
                    continue
                kept = replies[reference.key]
            for end in meaning.ends or (unread("", reference.key),):
                if end not in self.nodes and _names_container(node, reference):
                    levels[end] = max(levels.get(end, 0), 1 + (node.type_level or 0))
                yield Edge(_strength(reference), node.artifact, end, reference, kept)

    def _kept(self, node: Node, reference: Reference, meaning: _Named, texts: "_Texts") -> str:
        """What keeps a reference from joining; "" for nothing."""
        strength = _strength(reference)
        if strength is Evidence.QUOTED:
            return "it stands only in quoted text, a signature or what a machine wrote"
        if self._kind(node, reference, strength) == "mentions":
            return "this kind of link does not join"
        if meaning.ambiguous:
            return f"{len(meaning.owners)} connections may mean it"
        if strength is Evidence.EXPLICIT and reference.kind == "message-id":
            return ""
        if automatic(node) or any(end in self.nodes and automatic(self.nodes[end]) for end in meaning.ends):
            return "automatic mail joins by reply only"
        return "" if strength is Evidence.EXPLICIT else self._crowded(reference, texts)

    def _crowded(self, reference: Reference, texts: "_Texts") -> str:
        # No exact count: it would change in every request that names the value whenever one more does.
        if self.named_by.get(reference.key, 0) > self.rules.generic:
            return f"more than {self.rules.generic} artifacts name it"
        if (count := len(texts[reference.field, reference.since])) > self.rules.digest:
            return f"the text names {count} things"
        return ""

    def _replies(self, node: Node, known: "_Known", texts: "_Texts") -> dict[str, str]:
        """Message-IDs by which a mail joins the mail it answers, and what keeps it from joining ("" for nothing).

        The direct parent speaks for the whole thread, so that what breaks off from a thread takes its answers along.
        """
        headers = [reference for reference, _ in known if _replying(reference)]
        replies = {reference.key for reference in headers}
        direct = {reference.key for reference in headers if reference.field.lower() == "in-reply-to"}
        read = replies & self.holders.keys()
        nearest = sorted(direct & read) or sorted(read, key=self._created)[-1:]
        found = {key: "" for key in replies - read if not direct & read}
        if nearest and self._reused(node, self.holders[nearest[0]][0], texts):
            return dict.fromkeys(nearest, "the old thread was used for something else")
        return found | dict.fromkeys(nearest, "")

    def _created(self, key: str) -> tuple[str, str]:
        return max((holder.created_at or "", holder.artifact) for holder in self.holders[key])

    def _reused(self, node: Node, parent: Node, texts: "_Texts") -> bool:
        """Whether the subject changed and the new text names a thing that the mail answered does not name.

        Where both name a thing, that thing joins them anyway.
        """
        things = set().union(*(ends for ends in texts.values() if len(ends) <= self.rules.digest))
        old, new = _subject(parent.title), _subject(node.title)
        if not things or not old or not new or old in new or new in old:
            return False
        before = [(one, self.named(parent, one)) for one in parent.references if one.evidence in NAMING]
        return not things & set().union(*_texts([(one, named) for one, named in before if named]).values())

    def same(self) -> Iterator[Edge]:
        """Edges between artifacts that are known as the same value of the same owner."""
        for key, holders in self.holders.items():
            last: dict[str, Node] = {}
            for node in holders:
                reference = self._held_as[node.artifact, key]
                owner = "" if reference.kind in FREE_KINDS else node.connection
                if owner in last:
                    held = replace(reference, evidence=Evidence.EXPLICIT, relation="is")
                    yield Edge(Evidence.EXPLICIT, last[owner].artifact, node.artifact, held)
                last[owner] = node


_Known = list[tuple[Reference, _Named]]
_Texts = dict[tuple[str, object], set[str]]


def _texts(known: _Known) -> _Texts:
    """For each text of an artifact the things that it names."""
    texts: _Texts = defaultdict(set)
    for reference, meaning in known:
        if reference.evidence in NAMING:
            texts[reference.field, reference.since].add(next(iter(meaning.ends), reference.key))
    return texts


def _strength(reference: Reference) -> Evidence:
    """A request id is ours and in no other use: whoever writes it down means the request."""
    if reference.kind == "request" and reference.evidence in NAMING:
        return Evidence.EXPLICIT
    return reference.evidence


def _replying(reference: Reference) -> bool:
    return reference.kind == "message-id" and reference.evidence is Evidence.EXPLICIT and reference.relation == "reply"


def _names_container(node: Node, reference: Reference) -> bool:
    """Whether a thing not read must be a container: an epic, or the parent of what is no sub-task."""
    if reference.evidence is not Evidence.EXPLICIT:
        return False
    return reference.relation == "epic" or (
        reference.relation == "parent" and (node.type_level or 0) >= 0 and node.type_level is not None
    )


def _subject(title: str | None) -> str:
    """A subject without its prefixes, as it is compared."""
    subject = " ".join((title or "").lower().split())
    while found := _PREFIX.match(subject):
        subject = subject[found.end() :].lstrip()
    return subject
