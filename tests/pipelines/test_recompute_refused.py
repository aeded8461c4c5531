"""What the database refuses of what is computed again stops nothing else; through both databases."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import recompute as recomputing
from pipelines.recompute import Recompute
from pipelines.store import pending, tables
from pipelines.store.engine import writing
from pipelines.watching import Watch
from schemas.artifacts import request_id
from tests.pipelines.conftest import cancelled
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, rows
from tests.pipelines.test_large import SMALL, giant, limit
from tests.pipelines.test_recompute import requests

__all__ = ["limit"]

SAYS = "IntegrityError while it was written"


async def refuse(engine: AsyncEngine, *numbers: int, word: str) -> None:
    """Have the database take no other record of these requests, or none with this word."""
    names = ", ".join(f"'{request_id(f'memos/memo/{number}')}'" for number in numbers)
    statement = {
        "sqlite": f"""CREATE TRIGGER refusing BEFORE INSERT ON requests WHEN NEW.id IN ({names})
            BEGIN SELECT RAISE(ABORT, 'no'); END""",
        "postgresql": f"""ALTER TABLE requests ADD CONSTRAINT refusing
            CHECK (id NOT IN ({names}) OR record NOT LIKE '%{word}%')""",
    }[engine.dialect.name]
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def take(engine: AsyncEngine) -> None:
    statement = {
        "sqlite": "DROP TRIGGER refusing", "postgresql": "ALTER TABLE requests DROP CONSTRAINT refusing",
    }[engine.dialect.name]  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(text(statement))


async def renamed(engine: AsyncEngine) -> None:
    """Every title is another, as after an upgrade, and everything is to be computed again."""
    async with writing(engine) as connection:
        await connection.execute(text("UPDATE artifacts SET fields = replace(fields, 'Memo ', 'Note ')"))
        await pending.ask_everything(connection, "another mapping", NOW)


async def titles(engine: AsyncEngine) -> list[str]:
    return sorted(row.title for row in await rows(engine, tables.requests))


async def until_done(recompute: Recompute) -> int:
    """How many it tried until nothing was left; a step takes fewer where the machine is slow."""
    tried = 0
    while step := await recompute.once():
        tried += step
    return tried


@pytest.mark.parametrize("numbers", [(2,), (1, 4, 5), (1, 2, 3, 4, 5)], ids=["one", "some", "all"])
async def test_a_step_goes_on_beside_what_is_refused(engine: AsyncEngine, numbers: tuple[int, ...]) -> None:
    await ingest_of(engine)(records([memo(number) for number in range(1, 6)]))
    await renamed(engine)
    await refuse(engine, *numbers, word="Note ")
    clock = [NOW]
    recompute = Recompute(engine, lambda: clock[0], "here")
    assert await until_done(recompute) == 5
    assert await titles(engine) == sorted(
        f"{'Memo' if number in numbers else 'Note'} {number}" for number in range(1, 6)
    )
    assert await requests(engine) == {str(number): SAYS if number in numbers else None for number in range(1, 6)}
    assert sorted((row.component, row.reason) for row in await rows(engine, tables.pending)) == [
        (f"memos/memo/{number}", pending.FAILED) for number in numbers
    ]
    clock[0] += pending.RETRY - timedelta(seconds=1)
    assert await recompute.once() == 0
    await take(engine)
    clock[0] += timedelta(seconds=1)
    assert await until_done(recompute) == len(numbers)
    assert await titles(engine) == [f"Note {number}" for number in range(1, 6)]
    assert set((await requests(engine)).values()) == {None}
    assert await rows(engine, tables.pending) == []


class Counted(Watch):
    """How often something was put together beside steps."""

    def __init__(self) -> None:
        self.folded = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.folded += name == "fold"
        yield


async def test_a_very_large_component_that_is_refused_waits_and_the_rest_goes_on(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recomputing, "CALM", 0.0)
    monkeypatch.setattr(recomputing, "REST", 0.0)
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(300)]))
    await ingest_of(engine)(records([memo(99, parent=1)], first=100))
    await refuse(engine, 1, word="MEMO-99")
    one, other = request_id("memos/memo/1"), request_id("memos/memo/300")
    async with writing(engine) as connection:
        await connection.execute(text("UPDATE artifacts SET fields = replace(fields, 'Memo 300', 'Note 300')"))
        await connection.execute(
            tables.pending.insert(), [{"component": "memos/memo/300", "reason": "another mapping", "at": NOW}]
        )
    watch = Counted()
    running = asyncio.create_task(Recompute(engine, lambda: NOW, "here", watch=watch).run(idle=0.01))
    try:
        async with asyncio.timeout(20):
            while await rows(engine, tables.pending):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
    finally:
        await cancelled(running)
    found = {row.id: row for row in await rows(engine, tables.requests)}
    assert (found[other].title, found[one].problem, watch.folded) == ("Note 300", SAYS, 1)
    await take(engine)
    await Recompute(engine, lambda: NOW, "here").large()
    found = {row.id: row for row in await rows(engine, tables.requests)}
    assert found[one].problem is None
    assert "MEMO-99" in found[one].record
    assert await rows(engine, tables.deferred) == []
