"""Block keys: two units that share some are compared; nothing else ever is. Pure.

A block that more units share than LIMIT brings nobody together: what everybody shares says little. Whether it does
follows from its size alone, so that the order in which things arrive has no part in it.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from pipelines.suggest.faces import Face, Unit, hashed

LIMIT = 32
"""Units in a block that brings them together."""
MOST = 64
"""Block keys of one unit."""
ENOUGH = 3
"""Two units are compared when the weights of the blocks that they share come to this."""
LEVELS = (2, 8, LIMIT)
"""Sizes at which the weight of a word changes (see `level`)."""
WINDOW = 30 * 24 * 60
"""Minutes: one person's things within this of each other share a block."""

WEIGHTS = {"title": 3, "asked": 3, "value": 3, "mark": 2, "person": 2, "words": 1, "word": 1}
"""What a block of each kind counts for; the kind stands before the first `|` of a key."""


def keys(unit: Unit) -> frozenset[str]:
    """The blocks a unit is in, at most MOST, those of its oldest faces first."""
    ordered = dict.fromkeys(key for face in unit.faces for key in _of(face))
    return frozenset(list(ordered)[:MOST])


def _of(face: Face) -> Iterator[str]:
    if len(face.title) > 1:
        yield title_key(face.title)
    for title, people in ((face.title, face.requesters), (face.forwarded, face.forwarded_from)):
        if title:
            yield from (f"asked|{hashed(person, *sorted(title))}" for person in people)
    for value in dict.fromkeys([*face.known_as, *(value for value, _ in face.named)]):
        yield f"value|{value}" if len(value) <= 150 else f"value|{hashed(value)}"
    yield from _person(face)
    for mark in face.marks:
        yield f"mark|{mark[:80]}"
        if " " in mark:
            yield title_key(mark.split())
    yield from (
        f"words|{pair}" for pair in dict.fromkeys([*(f"{a} {b}" for a, b in pairwise(face.title)), *face.names])
    )
    yield from (word_key(word) for word in face.title)


def _person(face: Face) -> Iterator[str]:
    if face.at is not None:
        for person in dict.fromkeys([*face.requesters, *face.forwarded_from]):
            yield from (person_key(person, window) for window in windows(face.at))


def windows(at: int) -> tuple[int, int]:
    """The two overlapping windows of time that a moment is in."""
    return at // WINDOW, at // WINDOW + 1


def title_key(title: Iterable[str]) -> str:
    """The block of everything with this title, whatever the order of its words."""
    return f"title|{hashed(*sorted(title))}"


def word_key(word: str) -> str:
    """The block of a word in titles."""
    return f"word|{word}"


def person_key(person: str, window: int) -> str:
    """The block of a person in a window of time."""
    return f"person|{window}|{person}" if len(person) <= 150 else f"person|{window}|{hashed(person)}"


def level(size: int) -> int:
    """How common a word or title of so many units is, from 0 (rare) to 3 (common): a function of the count alone."""
    return sum(size > bound for bound in LEVELS)


def crossed(key: str, before: int, after: int) -> bool:
    """Whether a block that grew or shrank changes what follows for the units in it."""
    if max(before, after) - abs(after - before) > LIMIT:
        return False
    if key.startswith(("word|", "title|", "person|")):
        return level(before) != level(after)
    return (before > LIMIT) != (after > LIMIT)
