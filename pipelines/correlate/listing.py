"""Lists: a text whose lines each begin with another thing speaks of each of them alone, however few they are."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from pipelines.correlate.evidence import Edge
from pipelines.correlate.parts import Parts
from pipelines.references import LISTED
from schemas.artifacts import Evidence

SEVERAL = 3
"""Things of their own that make a list of them a digest."""

_Text = tuple[str, str, object]


def listing(edges: Iterable[Edge], parts: Parts) -> tuple[list[Edge], list[Edge]]:
    """Edges by what is written, and those of them that a list keeps from joining, with the reason.

    parts: what everything stronger than written text has joined. A list of what belongs together anyway joins too.
    """
    written = list(edges)
    things: dict[_Text, set[str]] = defaultdict(set)
    for edge in written:
        if edge.reference.relation == LISTED and edge.strength is Evidence.WRITTEN:
            things[_text(edge)].add(parts.of(edge.target))
    lists = {text: len(named) for text, named in things.items() if len(named) >= SEVERAL}
    kept = [
        replace(edge, kept=f"the text is a list of {lists[_text(edge)]} things")
        for edge in written
        if _text(edge) in lists
    ]
    return [edge for edge in written if _text(edge) not in lists], kept


def _text(edge: Edge) -> _Text:
    return edge.source, edge.reference.field, edge.reference.since
