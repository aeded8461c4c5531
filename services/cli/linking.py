"""The kinds of links that a person chooses, beside the links that were read: what is known, and what was meant."""

from dataclasses import replace
from typing import Any

from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import BUILT_IN
from pipelines.linking import Resolved, nearest, resolve
from pipelines.store import relations
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from schemas.errors import Misconfigured
from schemas.links import LinkType
from services.cli.words import counted

_SHOWN = 12
"""Relations that a message names."""


async def named(
    connection: AsyncConnection, connector: object, name: str, own: ConnectionConfiguration, wanted: Chosen
) -> tuple[Chosen, list[str]]:
    """The choice with relations in place of what a person called them, and lines that say so.

    Raises Misconfigured for a name that no link bears and that is nearly the name of another.
    """
    seen = await relations.stated(connection, name)
    known = {*BUILT_IN, *own.link_kinds, *own.chosen.link_kinds, *seen}
    types = await _types(connection, connector, name, list(wanted.link_kinds))
    found = resolve(wanted.link_kinds, known, types)
    for one in found.unknown:
        near = nearest(one, [*known, *(each.name.lower() for each in types)])
        if near is not None:
            problem = f"link_kinds: no link of {name} says {one!r}"
            raise Misconfigured(problem, f"Is {near!r} meant? {_read(name, seen)}", "link_kinds")
    return replace(wanted, link_kinds=found.kinds), _lines(name, found, seen)


async def _types(connection: AsyncConnection, connector: object, name: str, words: list[str]) -> list[LinkType]:
    """The types that these words may name or be a direction of: the tool's own, and those of links that were read."""
    from connectors.contract import NamesLinkTypes

    if not isinstance(connector, NamesLinkTypes):
        return []
    found = dict.fromkeys(connector.link_types)
    missing = set(words)
    async for event in relations.events_saying(connection, name, words):
        told = connector.link_types_in(event)
        found |= dict.fromkeys(told)
        missing -= {word for one in told for word in (one.name.lower(), *one.directions)}
        if not missing:
            break
    return list(found)


def _lines(name: str, found: Resolved, seen: dict[str, int]) -> list[str]:
    lines = [f"{one} is a type of link: {' and '.join(directions)}." for one, directions in found.types.items()]
    lines += [
        f"{there} is the other direction of {here}, and is chosen alike; name both to choose otherwise."
        for there, here in found.alike.items()
    ]
    lines += [f"Stated by {counted(seen[one], 'artifact')}: {one}." for one in found.kinds if one in seen]
    if found.unknown:
        lines.append(f"No link that was read says {', '.join(found.unknown)}. {_read(name, seen)}")
    return lines


def _read(name: str, seen: dict[str, int]) -> str:
    if not seen:
        return f"No link of {name} was read yet."
    shown = [f"{one} ({count:,})" for one, count in seen.items()][:_SHOWN]
    more = f" and {len(seen) - _SHOWN} more (`throughline rules show {name}`)" if len(seen) > _SHOWN else ""
    return f"Links of {name} say {', '.join(shown)}{more}"


def told(own: ConnectionConfiguration, seen: dict[str, int]) -> list[dict[str, Any]]:
    """Each relation that was read or chosen: what it does, and how many artifacts state it."""
    return [{"relation": one, "does": _does(own, one), "artifacts": seen.get(one, 0)} for one in _every(own, seen)]


def table(own: ConnectionConfiguration, seen: dict[str, int]) -> Table | Text:
    """The same for people."""
    if not _every(own, seen):
        return Text("  None yet.")
    rows = Table.grid(padding=(0, 2, 0, 2))
    for one in _every(own, seen):
        rows.add_row(Text(f"{seen[one]:>8,}" if one in seen else "    none"), Text(one), Text(_does(own, one), "dim"))
    return rows


def _every(own: ConnectionConfiguration, seen: dict[str, int]) -> list[str]:
    return [*seen, *sorted(own.chosen.link_kinds.keys() - seen.keys())]


def _does(own: ConnectionConfiguration, relation: str) -> str:
    chosen = own.chosen.link_kinds.get(relation) or own.link_kinds.get(relation)
    return chosen or BUILT_IN.get(relation, "mentions")
