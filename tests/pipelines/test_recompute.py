"""What could not be put together is tried again, now and then, until it can; through both databases."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.store import pending, stamps, tables
from pipelines.store.engine import reading, writing
from schemas.artifacts import Mapped, request_id
from schemas.events import SourceEvent
from tests.pipelines.memos import map_memo, memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, rows

FAR = 10**18
"""An order, in microseconds, beyond every date: such a request cannot be put together."""


def far(number: int) -> SourceEvent:
    return memo(number, out_of_scope=False).model_copy(update={"order": FAR, "version": "far"})


async def requests(engine: AsyncEngine) -> dict[str, str | None]:
    """The memo that each request opens with, and the request's problem."""
    names = {request_id(f"memos/memo/{number}"): str(number) for number in range(10)}
    return {names[row.id]: row.problem for row in await rows(engine, tables.requests)}


async def mend(engine: AsyncEngine) -> None:
    """As an upgrade does, without any new telling."""
    async with writing(engine) as connection:
        await connection.execute(text(f"UPDATE artifacts SET fields = replace(fields, '{FAR}', '1')"))


async def test_what_never_was_put_together_is_remembered_and_not_tried_all_the_time(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), far(2)]))
    assert await requests(engine) == {"1": None}
    clock = [NOW]
    recompute = Recompute(engine, lambda: clock[0], "here")
    assert [await recompute.once() for _ in range(3)] == [1, 0, 0]
    clock[0] += pending.RETRY - timedelta(seconds=1)
    assert await recompute.once() == 0
    clock[0] += timedelta(seconds=1)
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    await mend(engine)
    assert await recompute.once() == 0
    clock[0] += pending.RETRY
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    assert await requests(engine) == {"1": None, "2": None}
    assert await rows(engine, tables.pending) == []


async def test_a_start_tries_everything_again_at_once(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), far(3)]))
    await ingest_of(engine)(records([far(1)], first=3))
    before = Recompute(engine, lambda: NOW, "before")
    assert [await before.once() for _ in range(2)] == [2, 0]
    problems = await requests(engine)
    assert set(problems) == {"1", "2"}
    assert problems["1"] is not None
    await mend(engine)
    async with writing(engine) as connection:  # nobody remembers the first: it has its problem alone
        await connection.execute(delete(tables.pending).where(tables.pending.c.component == "memos/memo/1"))
    after = Recompute(engine, lambda: NOW, "before")
    assert await after.once() == 0
    await after.retry()
    assert [await after.once() for _ in range(2)] == [2, 0]
    assert await requests(engine) == {"1": None, "2": None, "3": None}
    assert await rows(engine, tables.pending) == []


async def test_a_new_telling_mends_without_waiting(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([far(1)]))
    recompute = Recompute(engine, lambda: NOW, "here")
    await recompute.once()
    await mend(engine)
    await ingest_of(engine)(records([memo(1, version=2)], first=1))
    assert await requests(engine) == {"1": None}
    await recompute.retry()
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    assert await rows(engine, tables.pending) == []


async def test_a_rebuild_remembers_what_it_could_not_put_together_and_notes_its_mapping(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), far(2)]))
    async with writing(engine) as connection:
        await connection.execute(delete(tables.pending))
        await stamps.renew(connection, stamps.MAPPING_VERSION - 1)
    rebuild = Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here")
    await rebuild.check()
    assert await rows(engine, tables.pending) == []
    await rebuild.swap()
    assert [(row.component, row.reason) for row in await rows(engine, tables.pending)] == [
        ("memos/memo/2", pending.FAILED)
    ]
    async with reading(engine) as connection:
        assert await stamps.outdated(connection) is None


async def test_facts_know_the_mapping_that_made_them(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        assert await stamps.outdated(connection, 3) is None  # nothing is stored yet
        await stamps.begin(connection, 3)
        await stamps.begin(connection, 4)
        assert await stamps.outdated(connection, 3) is None
        said = await stamps.outdated(connection, 4)
        assert said == "Stored facts were made by mapping 3, this release has mapping 4"
        await stamps.renew(connection, 4)
        assert await stamps.outdated(connection, 4) is None


CRACKED = "seventeen"
"""In place of a number: with it nobody can tell whether a parent is a container."""


def map_cracked(event: SourceEvent) -> Mapped:
    """As a mapping with a fault in it does, of a memo that is `cracked`."""
    mapped = map_memo(event)
    level = CRACKED if event.payload.get("cracked") else -1
    return replace(mapped, fields=mapped.fields | {"type_level": level})


def cracking(engine: AsyncEngine) -> Ingest:
    return Ingest(engine, {"memo": map_cracked}, lambda: NOW, "one")


async def mend_cracked(engine: AsyncEngine) -> None:
    """As an upgrade does, without any new telling."""
    async with writing(engine) as connection:
        await connection.execute(text(f"UPDATE artifacts SET fields = replace(fields, '\"{CRACKED}\"', '-1')"))


async def test_parts_that_cannot_be_looked_for_keep_the_event_and_the_last_good_record(engine: AsyncEngine) -> None:
    await cracking(engine)(records([memo(1), memo(2, text="MEMO-1"), memo(5)]))
    (before,) = [row for row in await rows(engine, tables.requests) if row.id == request_id("memos/memo/1")]
    told = [memo(2, version=2, parent=1, cracked=True, status="done"), memo(6, text="MEMO-5")]
    await cracking(engine)(records(told, first=3))
    assert len(await rows(engine, tables.source_events)) == 5
    assert await rows(engine, tables.dead_letters) == []
    stored = {row.id: row for row in await rows(engine, tables.requests)}
    kept = stored[request_id("memos/memo/1")]
    assert (kept.record, kept.etag) == (before.record, before.etag)
    assert kept.problem == "TypeError while its parts were looked for"
    assert stored[request_id("memos/memo/5")].problem is None  # what stands beside it goes on
    assert "MEMO-6" in stored[request_id("memos/memo/5")].record
    recompute = Recompute(engine, lambda: NOW, "here")
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    assert (await requests(engine))["1"] == kept.problem
    await mend_cracked(engine)
    await recompute.retry()
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    assert await rows(engine, tables.pending) == []
    (after,) = [row for row in await rows(engine, tables.requests) if row.id == request_id("memos/memo/1")]
    assert after.problem is None
    assert after.etag != before.etag
    assert '"done"' in after.record


async def test_parts_that_never_could_be_looked_for_are_remembered_until_they_can(engine: AsyncEngine) -> None:
    await cracking(engine)(records([memo(1), memo(2, parent=1, cracked=True)]))
    assert await requests(engine) == {}
    clock = [NOW]
    recompute = Recompute(engine, lambda: clock[0], "here")
    for _ in range(3):
        assert [await recompute.once() for _ in range(2)] == [1, 0]
        clock[0] += pending.RETRY
    await mend_cracked(engine)
    assert [await recompute.once() for _ in range(2)] == [1, 0]
    assert await requests(engine) == {"1": None}
    assert await rows(engine, tables.pending) == []


async def test_a_new_telling_mends_parts_that_could_not_be_looked_for(engine: AsyncEngine) -> None:
    await cracking(engine)(records([memo(1), memo(2, parent=1, cracked=True)]))
    await cracking(engine)(records([memo(2, version=2, parent=1)], first=2))
    assert await requests(engine) == {"1": None}
