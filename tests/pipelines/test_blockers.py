"""What a request waits on is another request, as a rule: since when, and until when, is read from both histories."""

import random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.lifecycle.summary import summary
from pipelines.recall import recall
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from schemas.artifacts import State, request_id
from schemas.events import SourceEvent
from schemas.records import LifecycleRecord
from schemas.stages import StageRule
from tests.pipelines.lives import at
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import ingest_of, rows

STAGES = (
    StageRule("memo", "issue", "*", "open", "development", State.ACTIVE, "open"),
    StageRule("memo", "issue", "*", "done", "development", State.DONE, "done"),
)
TOLD = [
    memo(1, version=1),
    memo(31, version=1),
    memo(1, version=48, behind=31, noticed=31),  # 3 March 10:00
    memo(31, version=96, status="done"),  # 6 March 16:00
]
"""MEMO-1 waits on MEMO-31 from two days after it began until that is done."""


async def stored(engine: AsyncEngine, told: list[SourceEvent], number: int = 1) -> LifecycleRecord:
    """What is held of a memo's request once these were told."""
    async with writing(engine) as connection:
        kinds = {"is blocked by": "depends on"}
        more: dict[str, Any] = {"link_kinds": kinds, "stages": STAGES}
        await write(connection, "memos", ConnectionConfiguration("memo", frozenset({"MEMO"}), **more))
    for place, event in enumerate(told):
        await ingest_of(engine)(records([event], first=place))
    held = {row.id: row.record for row in await rows(engine, tables.requests)}
    return LifecycleRecord.model_validate_json(held[request_id(f"memos/memo/{number}")])


def pieces(record: LifecycleRecord) -> list[tuple[str, str | None, str | None]]:
    found = [piece for view in record.stages for span in view.spans for piece in span.pieces]
    return [(f"{one.entered:%d %H:%M}" if one.entered else "?", one.state, one.waiting) for one in found]


async def test_a_request_says_since_when_it_waits_on_another(engine: AsyncEngine) -> None:
    record = await stored(engine, TOLD[:3])
    assert [(one.other_key, one.open, one.since) for one in record.blocked_by] == [("MEMO-31", True, at(3, 10))]
    assert pieces(record)[-1] == ("03 10:00", "waiting", "blocked")
    assert summary(record, at(8, 12)).startswith(
        "In development since 1 March; 0 of 1 issue done; waiting on MEMO-31 for 5 days"
    )


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_waited_stays_when_the_other_is_done(engine: AsyncEngine, seed: int) -> None:
    told = random.Random(seed).sample(TOLD, len(TOLD))
    record = await stored(engine, told)
    assert pieces(record)[-2:] == [("03 10:00", "waiting", "blocked"), ("06 16:00", "active", None)]
    assert record.stages[2].waiting_seconds == 78 * 3600
    assert record.blocked_by[0].open is False
    async with engine.connect() as connection:
        before = await recall(connection, record.id, at(2))
        between = await recall(connection, record.id, at(4))
    assert before is not None
    assert (before.current.state, before.blocked_by) == ("active", ())
    assert between is not None
    assert (between.current.waiting, between.current.state_since) == ("blocked", at(3, 10))


async def test_what_others_wait_for_says_since_when_by_its_own_history(engine: AsyncEngine) -> None:
    told = [memo(1, behind=31), memo(31), memo(31, version=18, noticed=1)]  # 3 March 10:00
    assert [each.since for each in (await stored(engine, told[:2], 31)).blocks] == [None]
    assert [(each.other_key, each.since) for each in (await stored(engine, told, 31)).blocks] == [("MEMO-1", at(3, 10))]
    assert (await stored(engine, told)).current.state_since == at(3, 10)
