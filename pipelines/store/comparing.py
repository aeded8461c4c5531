"""How the second set of derived tables differs from the one in use, and what readers must learn of it."""

from collections.abc import Sequence

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import tables
from pipelines.store.beside import Beside
from pipelines.store.requests import GONE

CHANGED = """SELECT n.id, n.etag FROM {here} n LEFT JOIN {there} o ON o.id = n.id
    WHERE o.etag IS NULL OR o.etag <> n.etag"""
ENDED = """SELECT o.id, coalesce('-> ' || CASE WHEN m.own_id IS NOT NULL THEN m.request ELSE (
        SELECT r.id FROM {former} f JOIN {members} s ON s.artifact = f.artifact JOIN {here} r ON r.id = s.request
        WHERE f.request = o.id ORDER BY r.opened_at = '', r.opened_at, r.id LIMIT 1) END, :gone)
    FROM {there} o LEFT JOIN {here} n ON n.id = o.id LEFT JOIN {members} m ON m.own_id = o.id WHERE n.id IS NULL"""
"""Which requests to mark, for `mark`: those whose record is another or new; ids that are none any more. Where the
artifact that owns such an id is gone, as with a connection that was removed with what it brought, the id leads to the
oldest request that holds any of the others."""


async def mark(connection: AsyncConnection, second: Beside, which: str) -> int:
    """Mark requests as unpublished. Returns how many."""
    members = second.names(tables.members)
    names = second.names(tables.requests) | {"members": members["here"], "former": members["there"]}
    into = second.names(tables.unpublished)["there"]
    sql = f"""INSERT INTO {into} (request, etag) {which.format(**names)}
        ON CONFLICT (request) DO UPDATE SET etag = excluded.etag"""
    parameters = {"gone": GONE} if ":gone" in which else {}
    return (await connection.execute(text(sql), parameters)).rowcount


async def keep_failed(connection: AsyncConnection, second: Beside, problem: str) -> None:
    """Requests that could not be folded keep their last good record, and say that it is not up to date."""
    requests = second.names(tables.requests)
    members = second.names(tables.members)["here"]
    new = {"component": "m.component", "basis": "''", "problem": ":problem"}
    columns = ", ".join(new.get(column.name, f'o."{column.name}"') for column in tables.requests.columns)
    lost = "NOT EXISTS (SELECT 1 FROM {here} n WHERE n.id = o.{id})"
    for facets in map(second.names, (tables.facets, tables.latest_facets)):
        await connection.execute(
            text(
                f"""INSERT INTO {facets["here"]} SELECT o.* FROM {facets["there"]} o
                WHERE o.request IN (SELECT request FROM {members})
                AND {lost.format(id="request", here=requests["here"])}"""  # noqa: S608
            )
        )
    await connection.execute(
        text(
            f"""INSERT INTO {requests["here"]} SELECT {columns} FROM {requests["there"]} o
            JOIN (SELECT DISTINCT request, component FROM {members}) m ON m.request = o.id
            WHERE {lost.format(id="id", here=requests["here"])}"""  # noqa: S608
        ),
        {"problem": problem},
    )


async def differences(connection: AsyncConnection, second: Beside, table: Table) -> tuple[int, int, Sequence[str]]:
    """How many rows in use are computed otherwise or not at all, how many are missing, and the keys of some."""
    meant = {"reference_values": "{0}.mentions <> 0"}.get(table.name, "true")  # nobody mentions it: as if not there
    key = " || ' ' || ".join(f'CAST({{0}}."{column.name}" AS text)' for column in table.primary_key)
    names = second.names(table)
    found: list[str] = []
    counts = []
    for mine, other, same in (("o", "n", "row"), ("n", "o", "key")):
        tables_ = {"o": names["there"], "n": names["here"]}
        where = (
            f"FROM {tables_[mine]} {mine} WHERE {meant.format(mine)} AND NOT EXISTS "  # noqa: S608
            f"(SELECT 1 FROM {tables_[other]} {other} WHERE {names[same]})"
        )
        counts.append(int((await connection.execute(text(f"SELECT count(*) {where}"))).scalar_one()))
        if counts[-1]:
            some = text(f"SELECT {key.format(mine)} {where} ORDER BY 1 LIMIT 3")
            found += (await connection.execute(some)).scalars()
    return counts[0], counts[1], found
