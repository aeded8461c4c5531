"""Lists: a text whose lines each begin with another thing speaks of each of them alone, however few they are.

So does a mail that passes on several others which do not belong together.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace

from pipelines.correlate.edges import Edge
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


def passed_on(edges: Iterable[Edge]) -> list[Edge]:
    """Edges by which mails pass on several others each."""
    mails: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.reference.relation == "forward" and edge.strength is Evidence.EXPLICIT:
            mails[edge.source].append(edge)
    return [edge for each in mails.values() if len({edge.target for edge in each}) > 1 for edge in each]


def at_once(passing: Iterable[Edge], parts: Parts, nodes: Container[str]) -> tuple[list[Edge], list[Edge]]:
    """Edges of `passed_on`, and those of them that join nothing, with the reason: their mails pass on what belongs
    to several things. parts: what everything else has joined."""
    edges = list(passing)
    read = {parts.of(edge.target) for edge in edges if edge.target in nodes}
    things: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        part = parts.of(edge.target)
        if part in read:
            things[edge.source].add(part)
    several = {mail for mail, passed in things.items() if len(passed) > 1}
    kept = [replace(edge, kept="it passes on several mails at once") for edge in edges if edge.source in several]
    return [edge for edge in edges if edge.source not in several], kept


def _listed(edge: Edge) -> bool:
    return edge.reference.relation == LISTED and edge.reference.evidence is Evidence.WRITTEN


def _text(edge: Edge) -> tuple[str, Text]:
    return edge.source, (edge.reference.field, edge.reference.since)
