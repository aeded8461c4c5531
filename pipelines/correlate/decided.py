"""What people decided about the artifacts of a component: what they joined, what they keep apart, what is no request.

Decisions come before all evidence, in the order of their numbers. They never contradict each other (see `judging`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pipelines.correlate.edges import Edge
from pipelines.correlate.evidence import Weighed
from pipelines.correlate.explain import day
from schemas.artifacts import Evidence, Reference
from schemas.canonical import instant
from schemas.decisions import Decision, DecisionKind
from schemas.links import Groups

Mark = tuple[int, bool]
"""Number of a decision that parts, and whether the end is on its left."""

_CHILD_FIRST = frozenset({"reply", "bounce", "forward", "parent"})
_PARENT_FIRST = frozenset({"sub-task"})


class Decided:
    """The decisions of a component, ready to be asked."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.numbered = {one.number: one for one in sorted(decisions, key=lambda one: one.number)}
        self.marks: dict[str, frozenset[Mark]] = {}
        """End to the sides of decisions that it is on."""
        self.ruled_out: dict[str, Decision] = {}
        """Artifact to the first decision that says it is no request."""
        marks: dict[str, set[Mark]] = defaultdict(set)
        for one in self.numbered.values():
            for left, side in zip((True, False), one.parted, strict=True):
                for end in side:
                    marks[end].add((one.number, left))
            if one.kind is DecisionKind.NO_REQUEST:
                for end in one.left:
                    self.ruled_out.setdefault(end, one)
        self.marks = {end: frozenset(found) for end, found in marks.items()}

    def joins(self, nodes: Iterable[str]) -> list[Edge]:
        """Edges that people made, in the order of their decisions. Ends that were not read may stand between others."""
        known = set(nodes)
        edges = []
        for one in self.numbered.values():
            ends = sorted(one.joined, key=lambda end: (end not in known, end))
            edges += [_edge(one, ends[0], other) for other in ends[1:]]
        return edges

    def between(self, left: frozenset[Mark], right: frozenset[Mark]) -> Decision | None:
        """The first decision that keeps two parts with these marks apart."""
        fewer, more = sorted((left, right), key=len)
        against = [number for number, side in fewer if (number, not side) in more]
        return self.numbered[min(against)] if against else None

    def settle(self, weighed: Weighed) -> None:
        """Keep evidence from joining what is no request. Weighed edges change places, none is lost."""
        if not self.ruled_out:
            return
        joins = []
        for edge in weighed.joins:
            decision = self.ruled_out.get(edge.source) or self.ruled_out.get(edge.target)
            if decision is None:
                joins.append(edge)
            else:
                weighed.mentions.append(replace(edge, kept=ruled_out_words(decision), decision=decision))
        weighed.joins = joins

    def silent(self, weighed: Weighed) -> dict[str, Decision]:
        """Artifacts that open nothing, to the decision by which: what is no request, and what only hangs below that
        (its answers, its parts)."""
        if not self.ruled_out:
            return {}
        below: dict[str, list[str]] = defaultdict(list)
        for edge in (*weighed.joins, *weighed.mentions):
            relation = edge.reference.relation
            if edge.strength is Evidence.EXPLICIT and relation in _CHILD_FIRST:
                below[edge.target].append(edge.source)
            elif edge.strength is Evidence.EXPLICIT and relation in _PARENT_FIRST:
                below[edge.source].append(edge.target)
        found = dict(self.ruled_out)
        waiting = sorted(found, key=lambda end: (found[end].number, end), reverse=True)
        while waiting:
            end = waiting.pop()
            for child in below[end]:
                if child not in found:
                    found[child] = found[end]
                    waiting.append(child)
        return found


def kept_out(
    found: Groups, silent: Mapping[str, Decision], part_of: Callable[[str], str]
) -> tuple[tuple[str, int], ...]:
    """Artifacts in no request with the first decision that counts: that one of their part is no request or hangs below
    what is none, or that keeps a link of theirs from joining. In their order."""
    numbers: dict[str, set[int]] = defaultdict(set)
    outside = {name: part_of(name) for name in found.outside}
    own = {name: silent[name].number for name in outside if name in silent}
    for name, number in own.items():
        numbers[outside[name]].add(number)
    links = [link for one in found.requests for link in one.mentions]
    for link in (*links, *found.loose):
        if link.kept and link.decision is not None:
            for end in (link.from_artifact, link.to_artifact or ""):
                if end in outside:
                    numbers[outside[end]].add(link.decision)
    return tuple((name, own.get(name, min(numbers[part]))) for name, part in outside.items() if part in numbers)


def _edge(decision: Decision, source: str, target: str) -> Edge:
    reference = Reference(
        "artifact", "", target, Evidence.DECISION, "decided to belong to", "decision", since=decision.at
    )
    return Edge(Evidence.DECISION, source, target, reference, decision=decision)


def apart_words(decision: Decision, ends: Sequence[str]) -> str:
    """Why a decision keeps two ends apart."""
    told = f"{decision.by} decided on {on_day(decision)}"
    left, right = map(set, decision.parted)
    one, other = ends
    named = (one in left and other in right) or (one in right and other in left)
    what = "that they do not belong together" if named else "to keep apart what they belong to"
    return f"{told} {what} (decision {decision.number})"


def ruled_out_words(decision: Decision) -> str:
    """Why nothing joins what is no request."""
    return f"{decision.by} decided on {on_day(decision)} that it is no request (decision {decision.number})"


def on_day(decision: Decision) -> str:
    """When it was taken, as sentences tell it."""
    return day(instant(decision.at))
