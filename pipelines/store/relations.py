"""Links as they are stored: relations with how many artifacts state each, and the events that tell their types."""

from collections.abc import AsyncIterator, Sequence

import orjson
from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import tables
from schemas.events import SourceEvent

MOST_EVENTS = 1_000
"""Events that are looked at for a name."""
SOME = 50_000
"""Parts of artifacts whose links are counted where it must be quick."""

_EACH = {
    "sqlite": ("json_each(p.candidates) c", "json_extract(c.value, '$[3]')", "json_extract(c.value, '$[4]')"),
    "postgresql": ("json_array_elements(CAST(p.candidates AS json)) c", "c.value ->> 3", "c.value ->> 4"),
}
"""How each reference of a part is reached: the rows, its evidence, its relation (see encoding.reference_row)."""


async def stated(connection: AsyncConnection, name: str) -> dict[str, int]:
    """Relation in lower case, to how many of a connection's artifacts state it of another; those of most first."""
    rows, evidence, relation = _EACH[connection.dialect.name]
    sql = text(
        f"SELECT {relation} AS relation, count(DISTINCT p.artifact) AS artifacts "  # noqa: S608
        f"FROM parts p JOIN artifacts a ON a.id = p.artifact, {rows} "
        f"WHERE a.connection = :name AND p.candidates LIKE '%explicit%' AND {evidence} = 'explicit' "
        "GROUP BY 1"
    )
    found: dict[str, int] = {}
    for row in await connection.execute(sql, {"name": name}):
        found[row.relation.lower()] = found.get(row.relation.lower(), 0) + row.artifacts
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


async def stated_by_some(connection: AsyncConnection, name: str, most: int = SOME) -> tuple[dict[str, int], bool]:
    """As `stated`, of as many parts of artifacts as can be looked at quickly; whether there are more."""
    rows, evidence, relation = _EACH[connection.dialect.name]
    sql = text(
        f"""WITH p AS (SELECT p.artifact, p.candidates FROM parts p JOIN artifacts a ON a.id = p.artifact
            WHERE a.connection = :name AND p.candidates LIKE '%explicit%' LIMIT :most)
        SELECT {relation} AS relation, count(DISTINCT p.artifact) AS artifacts, (SELECT count(*) FROM p) AS looked
        FROM p, {rows} WHERE {evidence} = 'explicit' GROUP BY 1"""  # noqa: S608
    )
    found: dict[str, int] = {}
    looked = 0
    for row in await connection.execute(sql, {"name": name, "most": most}):
        found[row.relation.lower()] = found.get(row.relation.lower(), 0) + row.artifacts
        looked = row.looked
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))), looked >= most


async def events_saying(connection: AsyncConnection, name: str, words: Sequence[str]) -> AsyncIterator[SourceEvent]:
    """A connection's newest events in which a field has one of these values, in whatever case; at most MOST_EVENTS."""
    columns = tables.source_events.c
    wanted = select(columns.event).where(columns.connection == name)
    wanted = wanted.where(or_(*(columns.event.ilike(_pattern(word), escape="\\") for word in words)))
    for event in (await connection.execute(wanted.order_by(columns.landed.desc()).limit(MOST_EVENTS))).scalars():
        yield SourceEvent.model_validate_json(event)


def _pattern(word: str) -> str:
    """A value as it stands in JSON. SQLite knows no case beyond ASCII, so that any sign may stand for another one."""
    shown = orjson.dumps(word).decode()
    safe = "".join(f"\\{sign}" if sign in "\\%_" else sign if sign.isascii() else "_" for sign in shown)
    return f"%:{safe}%"
