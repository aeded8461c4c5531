"""Suggestions are compared with what the facts say; who is known otherwise has their things looked at again."""

from dataclasses import replace

from sqlalchemy import delete, func, update
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import suggested_anew
from pipelines.ingest import Ingest
from pipelines.store import suggestion_tables, suggestions
from schemas.artifacts import Identity, Mapped, request_id
from schemas.events import SourceEvent
from tests.pipelines.memos import map_memo, memo, records
from tests.pipelines.test_ingest import NOW, rows
from tests.pipelines.test_suggesting import PRINTER, settle, suggesting_of, tell

ONE, TWO = request_id("memos/memo/1"), request_id("memos/memo/2")


async def checked(engine: AsyncEngine) -> dict[str, list[str]]:
    return {one.table: list(one.keys) for one in await suggested_anew.check(engine, suggesting_of(engine))}


async def test_what_was_looked_at_is_what_the_facts_say(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=f"Re: {PRINTER}"), memo(3, title="Move the fax"),
                        memo(4, title="A note", opens=False)])  # fmt: skip
    await settle(engine)
    assert len(await rows(engine, suggestion_tables.suggestions)) == 1
    assert await checked(engine) == {}


async def test_what_differs_is_named(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=f"Re: {PRINTER}"), memo(3, title="Move the fax")])
    await settle(engine)
    three = request_id("memos/memo/3")
    async with engine.begin() as connection:
        await connection.execute(delete(suggestion_tables.suggestions))
        columns = suggestion_tables.units.c
        other = func.replace(columns.body, "fax", "box")
        await connection.execute(update(suggestion_tables.units).where(columns.unit == three).values(body=other))
    assert await checked(engine) == {"units": [three], "suggestions": [" ".join(sorted((ONE, TWO)))]}


async def test_what_waits_to_be_looked_at_is_passed_over(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title=PRINTER), memo(2, title=f"Re: {PRINTER}")])
    assert await checked(engine) == {}
    await settle(engine)
    async with engine.begin() as connection:
        await connection.execute(delete(suggestion_tables.suggestions))
        await suggestions.mark_everything(connection)
    assert await checked(engine) == {}
    await settle(engine)


async def test_who_goes_by_another_address_has_what_is_in_no_request_looked_at_again(engine: AsyncEngine) -> None:
    await tell(engine, [memo(1, title="Move the fax", by="ben"), memo(2, title=PRINTER, opens=False)])
    await settle(engine)
    before = {row.unit: row.body for row in await rows(engine, suggestion_tables.units)}

    def renamed(event: SourceEvent) -> Mapped:
        mapped = map_memo(event)
        anna = Identity("memos/account/anna", "Anna", "anna@new.example")
        return replace(mapped, identities=(anna, *mapped.identities))

    apart = memo(3, version=2, title="Clean the desk", by="ben")
    await Ingest(engine, {"memo": renamed}, lambda: NOW, "one")(records([apart], first=2))
    await settle(engine)
    after = {row.unit: row.body for row in await rows(engine, suggestion_tables.units)}
    assert "anna@example.com" in before["memos/memo/2"]
    assert "anna@new.example" in after["memos/memo/2"]
    assert await checked(engine) == {}
