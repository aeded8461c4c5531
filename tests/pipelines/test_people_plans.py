"""How the identities of an address are read, however many accounts have it."""

import json
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import people, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import reading
from tests.services.query.test_listing import visited

MANY = 5_000
SHARED = "office@x.example"


async def crowd(engine: AsyncEngine) -> None:
    """Very many accounts with one address, and as many with one each."""
    shared = [(f"a/{number:05}", 1, 0, "d", None, SHARED, False) for number in range(MANY)]
    others = [(f"b/{number:05}", 1, 0, "d", "Ben", f"{number}@x.example", False) for number in range(MANY)]
    async with engine.begin() as connection:
        await Bulk(connection).insert(tables.identities, [*shared, *others])


async def read(engine: AsyncEngine, names: set[str]) -> tuple[people.Known, list[tuple[str, Any]]]:
    """What is known around them, and the statements about identities that told it."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "identities" in statement:
            asked.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    async with reading(engine) as connection:
        known = await people.load(Bulk(connection), names)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    return known, asked


async def test_of_an_address_that_very_many_have_the_first_are_read_and_no_more(engine: AsyncEngine) -> None:
    await crowd(engine)
    names = {f"a/{MANY - 1:05}", *(f"b/{number:05}" for number in range(0, MANY, 500))}
    first = [f"a/{number:05}" for number in range(people.MOST)]
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE"))
    known, asked = await read(engine, names)
    assert known.bearers[SHARED] == first
    assert known.bearers["500@x.example"] == ["b/00500"]
    assert known.identities.keys() == names | set(first)
    assert len(asked) == 2
    async with engine.connect() as connection:
        for statement, parameters in asked:
            await looks_at_few(connection, statement, parameters)


async def looks_at_few(connection: AsyncConnection, statement: str, parameters: Any) -> None:
    if connection.dialect.name == "sqlite":
        plan = (await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)).all()
        steps = [row.detail for row in plan if not row.detail.startswith("SCAN json_each")]
        assert not [step for step in steps if step.startswith("SCAN") or "AUTOMATIC" in step], steps
        if "LIMIT" in statement:
            # In the order of the index: no sorting before the first are taken.
            (first,) = [row for row in plan if "ix_identities_address" in row.detail]
            assert "COVERING INDEX ix_identities_address (address=?)" in first.detail
            beside = [row.detail for row in plan if row.parent == first.parent]
            assert beside == [first.detail]
        return
    told = (await connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters)).scalar_one()
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    assert sum(visited(plan)) < 100, plan
