"""The parts that a component falls into: joined edge by edge, within the rules of what one request may hold."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from pipelines.correlate.decided import Decided
from pipelines.correlate.edges import Edge
from pipelines.correlate.evidence import Weighed
from pipelines.correlate.rules import STRENGTHS, Rules
from schemas.artifacts import Evidence
from schemas.decisions import Decision
from schemas.links import Node

_ANYTHING = frozenset({Evidence.DECISION, Evidence.EXPLICIT})
"""Evidence that joins even two of an exclusive kind."""

_LATE = "~"
"""Sorts after every instant."""


class Parts:
    """Ends grouped into parts (union-find). An end that was never joined is a part of its own."""

    def __init__(self) -> None:
        self._up: dict[str, str] = {}
        self._size: dict[str, int] = {}

    def of(self, end: str) -> str:
        """The end that stands for the part. Which one it is has no meaning."""
        root = end
        while (up := self._up.get(root, root)) != root:
            root = up
        while (up := self._up.get(end, end)) != root:
            self._up[end] = root
            end = up
        return root

    def join(self, left: str, right: str) -> tuple[str, str]:
        """Make two parts one: (the part that stays, the part that went into it)."""
        left, right = self.of(left), self.of(right)
        if self._size.get(left, 1) < self._size.get(right, 1):
            left, right = right, left
        if left != right:
            self._up[right] = left
            self._size[left] = self._size.get(left, 1) + self._size.get(right, 1)
        return left, right


class RequestParts(Parts):
    """Parts that know what they hold: openers, kinds of which a request holds one, programmes."""

    def __init__(self, nodes: Iterable[Node], rules: Rules, decided: Decided, silent: Container[str]) -> None:
        super().__init__()
        nodes = list(nodes)
        self.openers = frozenset(node.artifact for node in nodes if node.artifact not in silent and rules.opens(node))
        self.opening = set(self.openers)
        """Ends that stand for a part with an opener."""
        self.refused: dict[tuple[str, str], Decision] = {}
        """(source, target) of edges that a decision keeps from joining."""
        self._decided = decided
        self._marks = dict(decided.marks)
        self._programmes: set[str] = set()
        self._exclusive: dict[str, frozenset[str]] = {
            node.artifact: frozenset({node.kind})
            for node in nodes
            if node.kind in rules.exclusive and not node.merged_into
        }

    def connect(self, edge: Edge) -> None:
        """Join the ends of an edge, unless a decision keeps them apart, or it would put two of an exclusive kind
        together by less than explicit."""
        left, right = self.of(edge.source), self.of(edge.target)
        held = self._exclusive.get(left, frozenset()), self._exclusive.get(right, frozenset())
        if left == right or (held[0] & held[1] and edge.strength not in _ANYTHING) or not self.allowed(edge):
            return
        stays, gone = self.join(left, right)
        if gone in self._marks:
            self._marks[stays] = self._marks.get(stays, frozenset()) | self._marks[gone]
        self._exclusive[stays] = held[0] | held[1]
        for marks in (self.opening, self._programmes):
            if gone in marks:
                marks.add(stays)

    def allowed(self, edge: Edge) -> bool:
        """Whether no decision keeps the parts of its ends apart; remembers the one that does."""
        left, right = self.of(edge.source), self.of(edge.target)
        if left not in self._marks or right not in self._marks:
            return True
        decision = self._decided.between(self._marks[left], self._marks[right])
        if decision:
            self.refused[edge.source, edge.target] = decision
        return decision is None

    def opens(self, end: str) -> bool:
        """Whether the end's part has an opener."""
        return self.of(end) in self.opening

    def taken(self, end: str) -> bool:
        """Whether the end's part is a request, or holds the programme of several."""
        return self.opens(end) or self.of(end) in self._programmes

    def mark_programme(self, end: str) -> None:
        """Say that several requests belong to what the end's part holds."""
        self._programmes.add(self.of(end))


@dataclass(slots=True)
class Limited:
    """Edges after a component that is too large lost its weakest."""

    kept: list[Edge]
    dropped: list[Edge] = field(default_factory=list)
    remarks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Artifact to what was left out around it."""


def within_limit(edges: list[Edge], nodes: Iterable[str], limit: int, decided: Sequence[Edge] = ()) -> Limited:
    """Drop whole classes of evidence, weakest first, wherever edges hold more artifacts together than the limit.

    Explicit evidence is never dropped: a tool states it, and it is as many as people made. Nor is what was decided.
    """
    limited, nodes = Limited(edges), list(nodes)
    for weakest in reversed(STRENGTHS):
        large = _larger([*decided, *limited.kept], nodes, limit)
        if not large:
            break
        for artifact, size in large.items():
            limited.remarks[artifact].append(_remark(weakest, size, limit))
        if weakest is not Evidence.EXPLICIT:
            over = [
                edge.strength is weakest and (edge.source in large or edge.target in large) for edge in limited.kept
            ]
            limited.dropped += [edge for edge, out in zip(limited.kept, over, strict=True) if out]
            limited.kept = [edge for edge, out in zip(limited.kept, over, strict=True) if not out]
    return limited


def _remark(weakest: Evidence, size: int, limit: int) -> str:
    if weakest is Evidence.EXPLICIT:
        return f"{size} artifacts hang together by explicit links alone, more than {limit}"
    where = "written text" if weakest is Evidence.WRITTEN else "titles"
    return f"{size} artifacts hang together, more than {limit}: what is named in {where} was left out"


def _larger(edges: list[Edge], nodes: list[str], limit: int) -> dict[str, int]:
    """Each artifact in a piece that is larger than the limit, with the piece's size."""
    pieces = Parts()
    for edge in edges:
        pieces.join(edge.source, edge.target)
    sizes: dict[str, int] = defaultdict(int)
    for node in nodes:
        sizes[pieces.of(node)] += 1
    return {node: sizes[pieces.of(node)] for node in nodes if sizes[pieces.of(node)] > limit}


def container_of(edge: Edge, weighed: Weighed) -> str | None:
    """The container through which an edge runs, the upper one of two; None if there is none."""
    ends = [
        (weighed.levels[end], place, end)
        for place, end in enumerate((edge.source, edge.target))
        if end in weighed.levels
    ]
    return max(ends)[2] if ends else None


def attach(edges: list[Edge], weighed: Weighed, parts: RequestParts) -> dict[str, list[Edge]]:
    """Join containers to the one request attached to them; return those that several belong to, with their edges.

    Lower containers come first, so that an epic has found its place when its initiative is looked at.
    """
    through: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        through[container_of(edge, weighed) or ""].append(edge)
    programmes = {}
    for name in sorted(through, key=lambda name: (weighed.levels[name], _created(name, weighed), name)):
        under = [edge for edge in through[name] if parts.allowed(edge)]
        taken = {parts.of(_other(edge, name)) for edge in under if parts.taken(_other(edge, name))}
        if len(taken | ({parts.of(name)} if parts.taken(name) else set())) > 1:
            programmes[name] = under
            if parts.opens(name):
                connect_all(parts, [edge for edge in under if not parts.taken(_other(edge, name))])
            parts.mark_programme(name)
        else:
            connect_all(parts, under)
    return programmes


def connect_all(parts: RequestParts, edges: Iterable[Edge]) -> None:
    """Join each of the edges, in their order."""
    for edge in edges:
        parts.connect(edge)


def _other(edge: Edge, end: str) -> str:
    return edge.source if edge.target == end else edge.target


def _created(name: str, weighed: Weighed) -> str:
    node = weighed.nodes.get(name)
    return (node.created_at if node else None) or _LATE
