"""Values that join too much: those found to be generic, those that hold very large components together."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import Rules
from pipelines.store import aside, tables
from pipelines.store.bulk import Bulk

FEW = 20
"""Artifacts that name a value, up to which nobody asks whether it is generic; the index begins there."""


_STATED = """SELECT DISTINCT o.value FROM artifact_values o WHERE o.artifact IN
    (SELECT artifact FROM artifact_values WHERE value IN {keys} AND strong = TRUE AND names_itself = TRUE)"""
"""All that an artifact states which is known as one of some values."""


@dataclass(frozen=True, slots=True)
class Common:
    """A value that very many artifacts carry."""

    value: str
    """As Reference.key."""
    named_by: int
    """Artifacts that name it in titles and texts without more."""
    holds: int = 0
    """Artifacts of a very large component that it holds together; 0: it holds none."""
    artifacts: int = 0
    """Artifacts that carry it, however they state it; see `carried`."""


async def common(connection: AsyncConnection, limit: int, most: int) -> list[Common]:
    """Values that more artifacts name than the limit, or that hold a very large component together; most first."""
    named = text(
        f"SELECT value, mentions FROM reference_values WHERE mentions > {FEW} AND mentions > :limit "  # noqa: S608
        "ORDER BY mentions DESC, value LIMIT :most"
    )
    rows = await connection.execute(named, {"limit": limit, "most": most})
    found = {row.value: Common(row.value, row.mentions) for row in rows}
    glue = text("SELECT value, max(artifacts) AS holds FROM glue GROUP BY value ORDER BY holds DESC, value LIMIT :most")
    holding = {row.value: row.holds for row in await connection.execute(glue, {"most": most})}
    counts = await _mentions(connection, holding)
    for value, holds in holding.items():
        found[value] = Common(value, counts.get(value, 0), holds)
    most_first = sorted(found.values(), key=lambda one: (-max(one.holds, one.named_by), one.value))[:most]
    return await counted(connection, most_first)


async def _mentions(connection: AsyncConnection, values: Iterable[str]) -> dict[str, int]:
    sql = "SELECT value, mentions FROM reference_values WHERE value IN {keys}"
    return {row[0]: row[1] for row in await Bulk(connection).by_keys(sql, values)}


async def counted(connection: AsyncConnection, those: Sequence[Common]) -> list[Common]:
    """These, each with how many artifacts carry it; in their order."""
    carry = await carried(connection, [one.value for one in those])
    return [replace(one, artifacts=carry.get(one.value, 0)) for one in those]


async def carried(connection: AsyncConnection, values: Iterable[str]) -> dict[str, int]:
    """How many artifacts carry each value, however they state it; without those that none carries."""
    sql = "SELECT value, count(DISTINCT artifact) FROM artifact_values WHERE value IN {keys} GROUP BY value"
    return {row[0]: row[1] for row in await Bulk(connection).by_keys(sql, values)}


async def only_of(connection: AsyncConnection, values: Iterable[str], kept: Set[str]) -> set[str]:
    """Of these values, those that only artifacts of these connections carry."""
    if not kept:
        return set()
    sql = "SELECT DISTINCT value, artifact FROM artifact_values WHERE value IN {keys}"
    carried: dict[str, bool] = {}
    for value, artifact in await Bulk(connection).by_keys(sql, values):
        carried[value] = carried.get(value, True) and artifact.partition("/")[0] in kept
    return {value for value, only in carried.items() if only}


async def names_of(connection: AsyncConnection, value: str) -> set[str]:
    """The value, and what else an artifact known by it is known as: tools state one link by key and by id.

    Without request ids, which only a person writes down.
    """
    sql = text(
        "SELECT DISTINCT other.value FROM artifact_values one "
        "JOIN artifact_values other ON other.artifact = one.artifact AND other.names_itself "
        "WHERE one.value = :value AND one.strong = TRUE AND one.names_itself = TRUE "
        "AND other.value NOT LIKE 'request|%'"
    )
    return {value, *(await connection.execute(sql, {"value": value})).scalars()}


async def components_with(connection: AsyncConnection, value: str, most: int) -> list[str]:
    """Some components with an artifact that carries the value."""
    sql = text(
        "SELECT DISTINCT m.component FROM artifact_values v JOIN members m ON m.artifact = v.artifact "
        "WHERE v.value = :value ORDER BY m.component LIMIT :most"
    )
    return list((await connection.execute(sql, {"value": value, "most": most})).scalars())


async def look_again(connection: AsyncConnection, before: Rules, after: Rules) -> int:
    """Have everything understood again that carries a value which means something else now; in the transaction that
    changes the rules. Returns how many values it is."""
    values = (before.called_generic ^ after.called_generic) | (before.called_specific ^ after.called_specific)
    low, high = sorted((before.generic, after.generic))
    if low != high:
        between = text("SELECT value FROM reference_values WHERE mentions > :low AND mentions <= :high")
        values |= set((await connection.execute(between, {"low": low, "high": high})).scalars())
    stated = await Bulk(connection).by_keys(_STATED, before.called_generic ^ after.called_generic)
    values |= {row[0] for row in stated}
    await Bulk(connection).insert(tables.deferred, [(aside.VALUE, value) for value in values])
    return len(values)
