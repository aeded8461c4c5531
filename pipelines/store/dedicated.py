"""Fields that a connection's rules say are meant for references: the index of what they name follows the rules.

A candidate that no rule counts has no row in artifact_values, so that it connects nothing and costs nothing there. When
the rules change, recompute brings the rows of each component up to date from what its parts hold.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.dedicated import meaning
from pipelines.correlate.rules import Rules
from pipelines.store.bulk import Bulk
from pipelines.store.encoding import reference_of
from pipelines.store.facts import Touched, replace_values, values_of
from schemas.artifacts import FIELDS_PART, Reference

_HELD = f"""SELECT p.artifact, a.connection, p.candidates, m.component FROM members m
    JOIN parts p ON p.artifact = m.artifact AND p.part = '{FIELDS_PART}'
    JOIN artifacts a ON a.id = m.artifact WHERE m.component IN {{keys}}"""  # noqa: S608

_Held = tuple[str, str, tuple[Reference, ...], str]
"""Artifact, connection, candidates, component."""


async def bring_up_to_date(bulk: Bulk, touched: Touched) -> None:
    """Index what the fields of these components name by the rules as they are; what changes is touched."""
    held = await _held(bulk, touched.components)
    wanted = {name: values_of(candidates, touched.rules, connection) for name, connection, candidates, _ in held}
    there: dict[str, set[str]] = defaultdict(set)
    sql = f"SELECT artifact, value FROM artifact_values WHERE part = '{FIELDS_PART}' AND artifact IN {{keys}}"  # noqa: S608
    for artifact, value in await bulk.by_keys(sql, wanted):
        there[artifact].add(value)
    stale = sorted(name for name, values in wanted.items() if values.keys() != there[name])
    if stale:
        parts = [(name, FIELDS_PART) for name in stale]
        await replace_values(bulk, parts, {part: wanted[part[0]] for part in parts}, touched)


async def would_meet(
    connection: AsyncConnection, names: Sequence[str], now: Rules, then: Rules
) -> list[tuple[str, ...]]:
    """These components, those together that other rules about fields would let meet, with others that they would meet.

    Reads only. Components that nothing of this concerns stand alone, in their order.
    """
    bulk = Bulk(connection)
    values: dict[str, set[str]] = defaultdict(set)
    for _, of, candidates, component in await _held(bulk, names):
        for one in candidates:
            if (meant := meaning(one, of, then)) and meant != meaning(one, of, now):
                values[meant.key].add(component)
    sql = """SELECT DISTINCT v.value, m.component FROM artifact_values v JOIN members m ON m.artifact = v.artifact
        WHERE v.value IN {keys}"""
    for value, component in await bulk.by_keys(sql, values):
        values[value].add(component)
    return _together(names, values.values())


def _together(names: Sequence[str], sets: Iterable[set[str]]) -> list[tuple[str, ...]]:
    group = {name: {name} for name in names}
    for met in sets:
        whole = set().union(*(group.get(name, {name}) for name in met))
        group |= dict.fromkeys(whole, whole)
    found = (tuple(sorted(group[name])) for name in names)
    return list(dict.fromkeys(found))


async def _held(bulk: Bulk, components: Iterable[str]) -> list[_Held]:
    return [
        (row[0], row[1], tuple(map(reference_of, orjson.loads(row[2]))), row[3])
        for row in await bulk.by_keys(_HELD, components)
    ]
