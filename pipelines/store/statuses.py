"""The types and statuses that a connection's artifacts really have, and where those of one status are."""

from collections import Counter
from dataclasses import dataclass
from math import ceil

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.stages import read_status
from pipelines.store.tables import artifacts
from schemas.artifacts import Status

EXACT = 50_000
"""Artifacts of a connection up to which each is looked at; of more, about so many."""
MOST = 10_000
"""Kinds, types and statuses that are told, those of most artifacts first; it bounds what an answer holds in memory."""

_LOOKED_AT = {
    # The index holds the row's number, so that rows that are passed over are not read.
    "sqlite": """SELECT a.kind AS kind, json_extract(a.fields, '$.type[2]') AS type,
        json_extract(a.fields, '$.status[2]') AS status
        FROM artifacts a WHERE a.connection = :name AND a.rowid % :each = 0""",
    "postgresql": """SELECT a.kind AS kind, CAST(a.fields AS json) -> 'type' ->> 2 AS type,
        CAST(CAST(a.fields AS json) -> 'status' -> 2 AS text) AS status
        FROM artifacts a{sample} WHERE a.connection = :name AND :each > 0""",
}


@dataclass(frozen=True, slots=True)
class Real:
    """A status that artifacts of one kind and type have; status None: their tool gives them none."""

    kind: str
    type: str | None
    status: Status | None
    text: str | None
    """The status as it is stored."""
    artifacts: int
    """How many have it; of those that were looked at."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and how much was looked at."""

    statuses: tuple[Real, ...]
    """Those of most artifacts first."""
    looked: int
    of: int
    """Artifacts that the connection has."""

    @property
    def sample(self) -> bool:
        """Whether only some were looked at."""
        return self.looked < self.of


async def real(connection: AsyncConnection, name: str, *, exact: bool = False, most: int = MOST) -> Looked:
    """Every kind, type and status of a connection's artifacts; where there are very many, of an even sample of them,
    unless it is to be exact. Two statements."""
    of = await count(connection, name)
    each = 1 if exact else max(1, ceil(of / EXACT))
    sample = f" TABLESAMPLE SYSTEM ({100 / each:.4f}) REPEATABLE (1)" if each > 1 else ""
    inner = _LOOKED_AT[connection.dialect.name].replace("{sample}", sample)
    sql = f"""SELECT kind, type, status, count(*) AS artifacts, sum(count(*)) OVER () AS looked
        FROM ({inner}) s GROUP BY kind, type, status ORDER BY artifacts DESC LIMIT :most"""  # noqa: S608
    found: Counter[tuple[str, str | None, str | None]] = Counter()
    looked = 0
    for row in await connection.execute(text(sql), {"name": name, "each": each, "most": most}):
        found[row.kind, row.type, row.status if row.status != "null" else None] += row.artifacts
        looked = int(row.looked)
    statuses = tuple(Real(*key[:2], _status(key[2]), key[2], number) for key, number in found.items())
    return Looked(statuses, looked, of)


async def count(connection: AsyncConnection, name: str) -> int:
    """How many artifacts a connection has."""
    counted = select(func.count()).select_from(artifacts).where(artifacts.c.connection == name)
    return int((await connection.execute(counted)).scalar_one())


def _status(told: str | None) -> Status | None:
    return None if told is None else read_status(orjson.loads(told))


async def components_in(connection: AsyncConnection, name: str, one: Real, most: int) -> list[str]:
    """Some components with an artifact of this kind and status (and of whatever type)."""
    sql = """SELECT DISTINCT m.component FROM (
        SELECT a.id FROM artifacts a WHERE a.connection = :name AND a.kind = :kind AND a.fields LIKE :told ESCAPE '!'
        LIMIT :some) a JOIN members m ON m.artifact = a.id LIMIT :most"""
    told = "%" if one.text is None else f"%{_safe(one.text)}%"
    values = {"name": name, "kind": one.kind, "told": told, "some": 4 * most, "most": most}
    return list((await connection.execute(text(sql), values)).scalars())


async def components_saying(connection: AsyncConnection, name: str, word: str, most: int) -> list[str]:
    """Some components with an artifact a field of which says this word, in whatever case: the label or the id of its
    status, or something else."""
    like = "ILIKE" if connection.dialect.name == "postgresql" else "LIKE"  # SQLite's knows no case
    sql = f"""SELECT DISTINCT m.component FROM (
        SELECT a.id FROM artifacts a WHERE a.connection = :name AND a.fields {like} :told ESCAPE '!' LIMIT :some
        ) a JOIN members m ON m.artifact = a.id LIMIT :most"""  # noqa: S608
    values = {"name": name, "told": f"%:{_safe(orjson.dumps(word).decode())}%", "some": 4 * most, "most": most}
    return list((await connection.execute(text(sql), values)).scalars())


def _safe(told: str) -> str:
    return "".join(f"!{sign}" if sign in "!%_" else sign for sign in told)
