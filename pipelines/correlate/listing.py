"""Lists: a text whose lines each begin with another thing speaks of each of them alone, however few they are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipelines.correlate.evidence import Edge
from pipelines.correlate.meaning import Text
from pipelines.correlate.parts import Parts
from pipelines.references import LISTED
from schemas.artifacts import Evidence

SEVERAL = 3
"""Things of their own that make a list of them a digest."""


def in_text(edge: Edge) -> bool:
    """Whether an edge waits for what lists there are: by written text, and by a request id that begins a line."""
    return edge.strength is Evidence.WRITTEN or _listed(edge)


def listing(
    edges: Iterable[Edge], parts: Parts, unknown: Mapping[str, Mapping[Text, set[str]]]
) -> tuple[list[Edge], list[Edge]]:
    """Edges in texts (see `in_text`), and those of them that a list keeps from joining, with the reason.

    parts: what everything stronger than written text has joined. A list of what belongs together anyway joins too.
    unknown: by artifact, keys that each text lists of projects that are not read; they are things of their own.
    """
    written = list(edges)
    things: dict[tuple[str, Text], set[str]] = defaultdict(set)
    for edge in written:
        if _listed(edge):
            things[_text(edge)].add(parts.of(edge.target))
    counts = {(name, text): len(named) + len(unknown[name].get(text, ())) for (name, text), named in things.items()}
    lists = {text: count for text, count in counts.items() if count >= SEVERAL}
    kept = [
        replace(edge, kept=f"the text is a list of {lists[_text(edge)]} things")
        for edge in written
        if _text(edge) in lists
    ]
    return [edge for edge in written if _text(edge) not in lists], kept


def _listed(edge: Edge) -> bool:
    return edge.reference.relation == LISTED and edge.reference.evidence is Evidence.WRITTEN


def _text(edge: Edge) -> tuple[str, Text]:
    return edge.source, (edge.reference.field, edge.reference.since)
