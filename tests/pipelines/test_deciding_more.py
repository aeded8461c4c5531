"""Decisions about what is deleted, and about what hangs together with very much."""

import time

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.rebuild import Rebuild
from pipelines.store import tables
from schemas.artifacts import request_id
from tests.pipelines.memos import memo, records
from tests.pipelines.test_deciding import LINK, OUT, UNDO, UNLINK, decide, name, parts, together, wish
from tests.pipelines.test_ingest import NOW, ingest_of, members, rows

WAITS_AT_MOST = 30.0
"""Seconds after which the API gives up on a decision."""


async def agrees(engine: AsyncEngine) -> None:
    assert await Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here").check() == []


async def test_what_is_deleted_can_be_decided_about_and_a_decision_outlives_its_deletion(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2, version=2, deleted=True), memo(3), memo(4, text="MEMO-3")]))
    await decide(engine, wish(LINK, [1], [2]))
    await decide(engine, wish(UNLINK, [3], [4]))
    assert await together(engine) == parts("12", "3", "4")
    gone = [memo(1, version=2, deleted=True), memo(3, version=2, deleted=True)]
    await ingest(records(gone, first=4))
    assert await together(engine) == parts("12", "3", "4")
    await decide(engine, wish(OUT, [3]))
    assert await together(engine) == parts("12", "4")
    await agrees(engine)
    back = [memo(number, version=3) for number in (1, 2, 3)]
    await ingest(records(back, first=6))
    assert await together(engine) == parts("12", "4")
    for number in (3, 2, 1):
        await decide(engine, wish(UNDO, undoes=number))
    assert await together(engine) == parts("1", "2", "34")
    await agrees(engine)


async def test_a_decision_among_a_thousand_artifacts_is_taken_well_within_the_wait(engine: AsyncEngine) -> None:
    size = 1_000
    events = [memo(1), *(memo(number, parent=number // 2) for number in range(2, size + 1))]
    await ingest_of(engine)(records(events))
    assert [row.size for row in await rows(engine, tables.components)] == [size]
    for one, moved in ((wish(UNLINK, [2], [1]), 511), (wish(UNDO, undoes=1), 511), (wish(LINK, [7], [900]), 0)):
        began = time.process_time()
        told = await decide(engine, one)
        took = time.process_time() - began
        assert sum(len(each.artifacts) for each in told.moved) == moved
        assert took < WAITS_AT_MOST / 3, f"{took:.1f} s of processor time"
    assert set((await members(engine)).values()) == {request_id(name(1))}
