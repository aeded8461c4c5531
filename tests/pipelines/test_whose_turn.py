"""Of all workers on one PostgreSQL one at a time understands; who dies in its turn holds up the others for seconds."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.catching_up import CatchUp
from pipelines.store import tables, whose_turn
from pipelines.store.engine import open_engine, reading, writing
from pipelines.store.whose_turn import Pause
from tests.parts.copies import prepared
from tests.pipelines.conftest import cancelled, configured
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import ingest_of, members, rows

pytestmark = pytest.mark.postgres


@pytest.fixture
async def engine(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    await prepared(postgres_url, configured)
    engine = open_engine(postgres_url)
    yield engine
    await engine.dispose()


async def take(engine: AsyncEngine, holder: str) -> int | None:
    async with writing(engine) as connection:
        return await whose_turn.take(connection, holder)


async def end(engine: AsyncEngine, number: int, rest: float, longer: float) -> None:
    async with writing(engine) as connection:
        await whose_turn.end(connection, number, rest, longer)


async def look(engine: AsyncEngine, holder: str) -> Pause:
    async with reading(engine) as connection:
        return await whose_turn.look(connection, holder)


async def last(engine: AsyncEngine, seconds: float) -> None:
    """Have the turn last so long from now, however slow this machine is; below 0: longer than it lasts unkept."""
    async with engine.begin() as connection:
        sql = "UPDATE leases SET until = clock_timestamp() + make_interval(secs => :seconds)"
        await connection.execute(text(sql), {"seconds": seconds})


async def test_one_has_the_turn_and_its_pause_is_everybodys(engine: AsyncEngine) -> None:
    assert await look(engine, "two") == Pause(0.0, 0.0, held=False)
    number = await take(engine, "one")
    assert number is not None
    await last(engine, 600.0)
    assert await take(engine, "two") is None
    assert (await look(engine, "two")).held
    await end(engine, number, 60.0, 600.0)
    pause = await look(engine, "two")
    assert not pause.held
    assert 30 < pause.rest <= 60 < 500 < pause.longer <= 600
    assert await take(engine, "two") == number + 1, "who need not wait may begin"


async def test_who_died_in_its_turn_is_not_waited_for_long(engine: AsyncEngine) -> None:
    dead = await take(engine, "one")
    assert dead is not None
    assert (await look(engine, "two")).rest <= whose_turn.LASTS
    await last(engine, 600.0)
    assert (await look(engine, "two")).held
    assert not (await look(engine, "one")).held, "started anew under its name it goes on at once"
    await last(engine, -1.0)
    number = await take(engine, "two")
    assert number == dead + 1
    await last(engine, 600.0)
    await end(engine, dead, 600.0, 600.0)  # it only slept: the turn is another's now
    assert await take(engine, "three") is None
    async with writing(engine) as connection:
        await whose_turn.keep(connection, dead)
    assert (await look(engine, "three")).rest > whose_turn.LASTS
    async with writing(engine) as connection:
        await whose_turn.keep(connection, number)
    assert (await look(engine, "three")).rest <= whose_turn.LASTS


async def test_a_turn_that_is_over_is_not_kept(engine: AsyncEngine) -> None:
    number = await take(engine, "one")
    assert number is not None
    await end(engine, number, 0.0, 0.0)
    async with writing(engine) as connection:
        await whose_turn.keep(connection, number)
    assert (await look(engine, "two")).rest <= 0


async def test_a_worker_waits_while_another_has_its_turn_and_no_longer(engine: AsyncEngine) -> None:
    number = await take(engine, "another")
    assert number is not None
    await last(engine, 600.0)
    looks, looked = 0, asyncio.Event()

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal looks
        if "clock_timestamp()" in statement and statement.startswith("SELECT"):
            looks += 1
            if looks == 2:
                looked.set()

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    await ingest_of(engine, full=1)(records([memo(1)]))
    running = asyncio.create_task(CatchUp(engine, holder="this one").run(idle=0.02))
    try:
        async with asyncio.timeout(30):
            await looked.wait()
            assert await members(engine) == {}
            await end(engine, number, 0.0, 0.0)
            while not await members(engine) or await rows(engine, tables.deferred):
                await asyncio.sleep(0.02)
    finally:
        await cancelled(running)


async def test_workers_of_which_one_dies_in_its_turn_understand_everything(engine: AsyncEngine) -> None:
    assert await take(engine, "who died") is not None
    await last(engine, 600.0)
    workers = [ingest_of(engine, full=1) for _ in range(2)]
    for place, worker in enumerate(workers):
        worker.catch_up.holder = f"worker {place}"
    running = [asyncio.create_task(worker.catch_up.run(idle=0.02)) for worker in workers]
    try:
        for number in range(1, 13, 2):
            batches = [records([memo(number)], first=number), records([memo(number + 1, text=f"MEMO-{number}")])]
            await asyncio.gather(*(worker(batch) for worker, batch in zip(workers, batches, strict=True)))
        await last(engine, -1.0)
        async with asyncio.timeout(60):
            while len(await members(engine)) < 12 or await rows(engine, tables.deferred):
                await asyncio.sleep(0.02)
    finally:
        await cancelled(*running)
    found = await members(engine)
    assert all(found[str(number)] == found[str(number + 1)] is not None for number in range(1, 13, 2))
