"""Names of link kinds as a person gives them, to the relations that links bear. Pure."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.links import LinkType


@dataclass(slots=True)
class Resolved:
    """Link kinds by relation, and what became of the names."""

    kinds: dict[str, str] = field(default_factory=dict)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of types that were given in place of their directions."""
    alike: dict[str, str] = field(default_factory=dict)
    """The other direction of one that was named, to that one: they are chosen alike."""
    unknown: list[str] = field(default_factory=list)
    """Names that no link bears and no connector knows."""


def resolve(wanted: Mapping[str, str], known: Iterable[str], types: Iterable[LinkType]) -> Resolved:
    """Bring names, in lower case, to relations.

    A type's name stands for both its directions. Of a type both directions are chosen alike, unless both are named:
    each of two linked things states the link, so that the one direction alone would change nothing or half of it.
    """
    every = list(types)
    relations = {*known, *(direction for one in every for direction in one.directions)}
    found = Resolved()
    for name, kind in wanted.items():
        directions = () if name in relations else _directions(name, every)
        if directions:
            found.types[name] = directions
            continue
        found.kinds[name] = kind
        if name not in relations:
            found.unknown.append(name)
    for name, directions in found.types.items():
        found.kinds = dict.fromkeys(directions, wanted[name]) | found.kinds
    for here, there in _opposites(every):
        if here in found.kinds and there not in found.kinds:
            found.kinds[there] = found.kinds[here]
            found.alike[there] = here
    return found


def _directions(name: str, types: Iterable[LinkType]) -> tuple[str, ...]:
    """Those of the types of this name."""
    return tuple(dict.fromkeys(way for one in types if one.name.lower() == name for way in one.directions))


def _opposites(types: Iterable[LinkType]) -> Iterator[tuple[str, str]]:
    for one in types:
        if len(one.directions) == 2:
            yield one.directions[0], one.directions[1]
            yield one.directions[1], one.directions[0]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one that was likely meant."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return near[0] if near else None
