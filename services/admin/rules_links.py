"""The kinds of links that a person chooses, beside the links that were read: what is known, and what was meant."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import NamesLinkTypes
from pipelines.correlate.rules import BUILT_IN
from pipelines.linking import Resolved, nearest, resolve
from pipelines.store import relations
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from schemas.errors import Misconfigured
from schemas.links import LinkType
from services.admin.words import counted
from services.query.database import Database, TooSlow

_SHOWN = 12
"""Relations that a message names."""


async def named(
    database: Database, connector: object, name: str, own: ConnectionConfiguration, wanted: Chosen
) -> tuple[Chosen, list[str]]:
    """The choice with relations in place of what a person called them, and lines that say so.

    Raises Misconfigured for a name that no link bears and that is nearly the name of another. A look that takes longer
    than the database may is left out.
    """
    seen = await _seen(database, name)
    known = {*BUILT_IN, *own.link_kinds, *own.chosen.link_kinds, *seen}
    types = await _types(database, connector, name, list(wanted.link_kinds))
    found = resolve(wanted.link_kinds, known, types)
    for one in found.unknown:
        near = nearest(one, [*known, *(each.name.lower() for each in types)])
        if near is not None:
            problem = f"link_kinds: no link of {name} says {one!r}"
            raise Misconfigured(problem, f"Is {near!r} meant? {_read(name, seen)}", "link_kinds")
    return replace(wanted, link_kinds=found.kinds), _lines(name, found, seen)


async def _seen(database: Database, name: str) -> dict[str, int]:
    try:
        async with database.reading() as connection:
            return await relations.stated(connection, name)
    except TooSlow:
        return {}


async def _types(database: Database, connector: object, name: str, words: list[str]) -> list[LinkType]:
    """The types that these words may name or be a direction of: the tool's own, and those of links that were read."""
    if not isinstance(connector, NamesLinkTypes):
        return []
    found = dict.fromkeys(connector.link_types)
    try:
        async with database.reading() as connection:
            found |= await _told_by_events(connection, connector, name, words)
    except TooSlow:
        pass
    return list(found)


async def _told_by_events(
    connection: AsyncConnection, connector: NamesLinkTypes, name: str, words: list[str]
) -> dict[LinkType, None]:
    found: dict[LinkType, None] = {}
    missing = set(words)
    async for event in relations.events_saying(connection, name, words):
        told = connector.link_types_in(event)
        found |= dict.fromkeys(told)
        missing -= {word for one in told for word in (one.name.lower(), *one.directions)}
        if not missing:
            break
    return found


def _lines(name: str, found: Resolved, seen: Mapping[str, int]) -> list[str]:
    lines = [f"{one} is a type of link: {' and '.join(directions)}." for one, directions in found.types.items()]
    lines += [
        f"{there} is the other direction of {here}, and is chosen alike; name both to choose otherwise."
        for there, here in found.alike.items()
    ]
    lines += [f"Stated by {counted(seen[one], 'artifact')}: {one}." for one in found.kinds if one in seen]
    if found.unknown:
        lines.append(f"No link that was read says {', '.join(found.unknown)}. {_read(name, seen)}")
    return lines


def _read(name: str, seen: Mapping[str, int]) -> str:
    if not seen:
        return f"No link of {name} was read yet."
    shown = [f"{one} ({count:,})" for one, count in seen.items()][:_SHOWN]
    more = f" and {len(seen) - _SHOWN} more (`throughline rules show {name}`)" if len(seen) > _SHOWN else ""
    return f"Links of {name} say {', '.join(shown)}{more}"


def told(own: ConnectionConfiguration, seen: Mapping[str, int]) -> list[dict[str, Any]]:
    """Each relation that was read or chosen: what it does, and how many artifacts state it."""
    return [{"relation": one, "does": does(own, one), "artifacts": seen.get(one, 0)} for one in every(own, seen)]


def every(own: ConnectionConfiguration, seen: Mapping[str, int]) -> list[str]:
    """Relations that were read, those of most artifacts first, then those that were only chosen."""
    return [*seen, *sorted(own.chosen.link_kinds.keys() - seen.keys())]


def does(own: ConnectionConfiguration, relation: str) -> str:
    """What a relation does by the rules as they are."""
    chosen = own.chosen.link_kinds.get(relation) or own.link_kinds.get(relation)
    return chosen or BUILT_IN.get(relation, "mentions")
