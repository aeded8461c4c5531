"""What batches leave is understood in steps: nothing noted meanwhile is forgotten, no failure stops the rest."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.catching_up import PUT_OFF, CatchUp
from pipelines.recompute import Recompute
from pipelines.store import configuration, deferred, pending, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import open_engine, reading, writing
from pipelines.store.facts import Touched
from pipelines.understanding import look, valid, write
from schemas.artifacts import request_id
from tests.parts.copies import prepared
from tests.pipelines.conftest import cancelled
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, members, rows


async def test_what_is_noted_while_others_are_worked_off_stays(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine, full=1)
    await ingest(records([memo(1)]))
    async with writing(engine) as connection:
        bulk = Bulk(connection)
        notes = await deferred.look(bulk, Touched((await configuration.load(connection)).rules), None, 100)
    await ingest(records([memo(1, version=2, text="another")], first=1))
    async with writing(engine) as connection:
        await deferred.drop(Bulk(connection), notes)
    assert {row.name for row in await rows(engine, tables.deferred)} == {"memos/memo/1"}
    assert await ingest.catch_up.all() == 1
    assert await rows(engine, tables.deferred) == []


async def test_what_is_noted_of_a_component_is_taken_along_whatever_the_step(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine, full=1)
    await ingest(records([memo(1), memo(2, text="MEMO-1"), memo(3), memo(4, text="MEMO-3, not MEMO-1")]))
    async with reading(engine) as connection:
        bulk, snapshot = Bulk(connection), await configuration.load(connection)
        touched = Touched(snapshot.rules)
        await deferred.look(bulk, touched, ("identity", "~"), 1)
        if engine.dialect.name == "sqlite":
            outcome = await look(bulk, touched, snapshot)
            assert outcome.requests == 1
            assert touched.artifacts == {f"memos/memo/{number}" for number in range(1, 5)}
    await ingest.catch_up.all()
    assert set((await members(engine)).values()) == {request_id("memos/memo/1")}


async def test_an_outcome_that_another_one_overtook_is_not_written(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine, full=1)
    await ingest(records([memo(1)]))
    async with reading(engine) as connection:
        bulk, snapshot = Bulk(connection), await configuration.load(connection)
        touched = Touched(snapshot.rules)
        await deferred.look(bulk, touched, None, 100)
        outcome = await look(bulk, touched, snapshot) if engine.dialect.name == "sqlite" else None
    if outcome is None:
        return  # components are locked there instead: see the test of two workers
    async with writing(engine) as connection:
        assert await valid(Bulk(connection), outcome)
    await ingest.catch_up.all()
    async with writing(engine) as connection:
        assert not await valid(Bulk(connection), outcome)


async def test_a_request_that_the_database_refuses_stops_no_other_and_is_not_forgotten(engine: AsyncEngine) -> None:
    refused, joined = request_id("memos/memo/2"), request_id("memos/memo/1")
    refuse = {
        "sqlite": f"""CREATE TRIGGER refusing BEFORE INSERT ON requests WHEN NEW.id = '{refused}'
            OR (NEW.id = '{joined}' AND NEW.record LIKE '%memos/memo/5%') BEGIN SELECT RAISE(ABORT, 'no'); END""",
        "postgresql": f"""ALTER TABLE requests ADD CONSTRAINT refusing CHECK
            (id <> '{refused}' AND NOT (id = '{joined}' AND record LIKE '%memos/memo/5%'))""",
    }
    take = {"sqlite": "DROP TRIGGER refusing", "postgresql": "ALTER TABLE requests DROP CONSTRAINT refusing"}
    async with engine.begin() as connection:
        await connection.execute(text(refuse[engine.dialect.name]))
    ingest, recompute = ingest_of(engine), Recompute(engine, lambda: NOW, "here")
    await ingest(records([memo(number) for number in range(1, 5)]))
    await ingest(records([memo(5, parent=1)], first=4))
    stored = {row.id: row.problem for row in await rows(engine, tables.requests)}
    assert stored == dict.fromkeys(request_id(f"memos/memo/{number}") for number in (1, 3, 4))
    async with reading(engine) as connection:
        assert not await deferred.any_left(connection)  # so that nothing waits for it
    await recompute.refused()
    assert await recompute.late() == 0
    async with engine.begin() as connection:
        await connection.execute(text(take[engine.dialect.name]))
    assert await recompute.late() == 0, "nobody asked for it"
    await recompute.refused()
    assert await recompute.late() == 2
    assert {row.id: row.problem for row in await rows(engine, tables.requests)} == dict.fromkeys([*stored, refused])
    assert {row.request for row in await rows(engine, tables.members) if row.artifact == "memos/memo/5"} == {joined}
    assert await rows(engine, tables.deferred) == []


async def test_batches_leave_it_to_who_runs(engine: AsyncEngine) -> None:
    """While `run` sees to what is left, batches only note it."""
    ingest = ingest_of(engine)
    running = asyncio.create_task(ingest.catch_up.run(idle=0.05))
    try:
        for number in range(1, 6):
            await ingest(records([memo(number)], first=number))
        async with asyncio.timeout(20):
            while len(await members(engine)) < 5 or await rows(engine, tables.deferred):
                await asyncio.sleep(0.02)
    finally:
        await cancelled(running)


async def test_the_first_batch_is_understood_before_the_next_is_merged(engine: AsyncEngine) -> None:
    told: list[int] = []
    ingest = ingest_of(engine)
    ingest.catch_up.changed = lambda: told.append(1)
    running = asyncio.create_task(ingest.catch_up.run(idle=60))
    await asyncio.sleep(0.1)
    try:
        await ingest(records([memo(number) for number in range(1, 4)]))
        assert len(await members(engine)) == 3
        assert told == [1]
    finally:
        await cancelled(running)


async def test_two_that_catch_up_at_once_lose_nothing(engine: AsyncEngine) -> None:
    """A value's two ends, noted by one worker each, are understood by both at the same time."""
    workers = [CatchUp(engine) for _ in range(2)]
    for number in range(1, 31, 2):
        batches = [records([memo(number)], first=number), records([memo(number + 1, text=f"MEMO-{number}")])]
        await asyncio.gather(*(ingest_of(engine, full=1)(batch) for batch in batches))
        for _ in range(5):
            done = await asyncio.gather(*(worker.all() for worker in workers), return_exceptions=True)
            if not any(isinstance(one, Exception) for one in done):
                break
    found = await members(engine)
    for number in range(1, 31, 2):
        assert found[str(number)] == found[str(number + 1)] == request_id(f"memos/memo/{number}")


async def test_rules_change_before_or_after_what_is_computed_by_them_but_not_meanwhile(engine: AsyncEngine) -> None:
    """A component that comes to be by older rules is there when the change asks for everything to be computed again."""

    async def change() -> None:
        async with writing(engine) as connection:
            await configuration.choose_for_all(connection, configuration.Installation(digest=9))
            await pending.ask_everything(connection, "another rule", NOW)

    ingest = ingest_of(engine, full=1)
    await ingest(records([memo(1)]))
    outcome = None
    async with engine.begin() as connection:
        bulk = Bulk(connection)
        snapshot = await configuration.load(connection, hold=True)
        touched = Touched(snapshot.rules)
        await deferred.look(bulk, touched, None, 100)
        outcome = await look(bulk, touched, snapshot)
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.3)
        assert not changing.done(), "it waits for who computes"
        await write(bulk, outcome)
    await changing
    assert [row.component for row in await rows(engine, tables.pending)] == ["memos/memo/1"]


async def test_an_outcome_by_older_rules_is_computed_anew(sqlite_url: str) -> None:
    await prepared(sqlite_url)
    engine = open_engine(sqlite_url)
    await ingest_of(engine, full=1)(records([memo(1)]))
    async with reading(engine) as connection:
        bulk, snapshot = Bulk(connection), await configuration.load(connection)
        touched = Touched(snapshot.rules, reading=True)
        await deferred.look(bulk, touched, None, 100)
        outcome = await look(bulk, touched, snapshot)
        assert await valid(bulk, outcome)
    async with writing(engine) as connection:
        await configuration.choose_for_all(connection, configuration.Installation(digest=9))
        assert not await valid(Bulk(connection), outcome)
    await engine.dispose()


async def test_behind_full_batches_who_is_known_otherwise_waits_but_not_for_ever(engine: AsyncEngine) -> None:
    now = [0.0]
    ingest = ingest_of(engine, full=1)
    ingest.catch_up = CatchUp(engine, clock=lambda: now[0])
    await ingest(records([memo(1, by="anna", address="desk@x.example", name=None)]))
    for _ in range(PUT_OFF + 1):
        await ingest.catch_up.all()
    assert await rows(engine, tables.deferred) == []
    await ingest(records([memo(2, by="ben", address="desk@x.example", name="Benno Sand")], first=1))
    for _ in range(PUT_OFF):
        await ingest.catch_up.all()
        assert [(row.kind, row.name) for row in await rows(engine, tables.deferred)] == [
            ("identity", "memos/account/ben")
        ]
    assert await finding(engine, "benno sand") == {request_id("memos/memo/2")}
    await ingest.catch_up.all()
    assert await rows(engine, tables.deferred) == []
    both = {request_id(f"memos/memo/{number}") for number in (1, 2)}
    assert await finding(engine, "benno sand") == both
    await ingest(records([memo(2, version=2, by="ben", address="desk@x.example", name="Benno Stone")], first=2))
    now[0] += 1  # nothing more has come
    await ingest.catch_up.all()
    assert await finding(engine, "benno stone") == both


async def finding(engine: AsyncEngine, person: str) -> set[str]:
    return {row.request for row in await rows(engine, tables.facets) if (row.kind, row.value) == ("person", person)}
