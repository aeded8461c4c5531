"""What a tool took back: it joins nothing any more, also where only one of its two ends was read since. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from pipelines.correlate.edges import Edge
from pipelines.correlate.meaning import Meanings
from pipelines.correlate.rules import says
from schemas.artifacts import Evidence
from schemas.canonical import instant
from schemas.links import Node


def withdrawn(node: Node, meanings: Meanings) -> Iterator[Edge]:
    """What an artifact's history says was taken back, towards what was read. Relations are in the history's words."""
    for reference, ends, _ in meanings.known[node.artifact]:
        if reference.evidence is Evidence.WITHDRAWN:
            yield from (Edge(Evidence.EXPLICIT, node.artifact, end, reference) for end in ends if end in meanings.nodes)


def standing(edges: Iterable[Edge], gone: Iterable[Edge], nodes: Mapping[str, Node]) -> Iterator[Edge]:
    """The edges without those that the other end took back after this end was told.

    That the other end says nothing of it is not enough: an account that may not see an issue any more is not told of
    links to it either.
    """
    taken_back: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for edge in gone:
        if edge.reference.since:
            entry = (edge.reference.relation, instant(edge.reference.since))
            taken_back[edge.target, edge.source].append(entry)
    for edge in edges:
        mirror, told = edge.reference.mirror, nodes[edge.source].updated_at
        entries = taken_back.get((edge.source, edge.target), ()) if mirror and told else ()
        if not any(at > (told or "") and says(words, mirror) for words, at in entries):
            yield edge
