"""Links that a tool took back: they join nothing, whichever end was read since; what waited by them waited."""

import random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.recall import recall
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from schemas.artifacts import request_id
from schemas.events import SourceEvent
from schemas.records import LifecycleRecord
from tests.pipelines.lives import at
from tests.pipelines.memos import memo, records
from tests.pipelines.test_blockers import STAGES, pieces
from tests.pipelines.test_ingest import ingest_of, rows
from tests.pipelines.test_rebuild import rebuild_of

KINDS = {"is blocked by": "depends on", "blocks": "depends on", "implements": "joins", "is implemented by": "joins"}
THERE, BACK = ("implements", "is implemented by"), ("is implemented by", "implements")


async def told(engine: AsyncEngine, events: list[SourceEvent]) -> dict[str, LifecycleRecord]:
    """Request id to its record, when these were told in this order."""
    async with writing(engine) as connection:
        more: dict[str, Any] = {"link_kinds": KINDS, "stages": STAGES}
        await write(connection, "memos", ConnectionConfiguration("memo", frozenset({"MEMO"}), **more))
    for place, event in enumerate(events):
        await ingest_of(engine)(records([event], first=place))
    return {row.id: LifecycleRecord.model_validate_json(row.record) for row in await rows(engine, tables.requests)}


def id_of(number: int) -> str:
    return request_id(f"memos/memo/{number}")


def linked(number: int, other: int, way: tuple[str, str] = THERE, version: int = 1) -> SourceEvent:
    return memo(number, version=version, links=[[*way, other]])


@pytest.mark.parametrize("seed", range(4))
async def test_a_link_taken_back_at_one_end_joins_no_more(engine: AsyncEngine, seed: int) -> None:
    events = [linked(1, 2), linked(2, 1, BACK), memo(1, version=9, freed=[["implements", 2]])]
    found = await told(engine, random.Random(seed).sample(events, len(events)))
    assert set(found) == {id_of(1), id_of(2)}
    assert all(not record.links for record in found.values())


async def test_what_only_one_end_does_not_say_is_not_taken_back(engine: AsyncEngine) -> None:
    """An account that may no longer see the other issue is not told of the link."""
    found = await told(engine, [linked(1, 2), linked(2, 1, BACK), memo(1, version=9, links=[])])
    assert set(found) == {id_of(1)}


async def test_another_link_of_the_same_two_stays(engine: AsyncEngine) -> None:
    both = memo(2, version=1, links=[[*BACK, 1], ["causes", "is caused by", 1]])
    events = [linked(1, 2), both, memo(1, version=9, freed=[["is caused by", 2]], links=[[*THERE, 2]])]
    found = await told(engine, events)
    assert [link.relation for link in found[id_of(1)].links] == ["implements", "is implemented by"]


async def test_what_was_linked_again_joins_again(engine: AsyncEngine) -> None:
    events = [linked(1, 2), linked(2, 1, BACK), memo(1, version=9, freed=[["implements", 2]])]
    by_the_one = linked(1, 2, version=12)
    assert set(await told(engine, [*events, by_the_one])) == {id_of(1)}


async def test_the_end_that_was_told_later_is_believed(engine: AsyncEngine) -> None:
    events = [linked(1, 2), memo(1, version=9, freed=[["implements", 2]]), linked(2, 1, BACK, version=12)]
    assert set(await told(engine, events)) == {id_of(1)}


async def test_a_sub_task_that_was_moved_leaves_what_it_lay_below(engine: AsyncEngine) -> None:
    above = memo(1, links=[["sub-task", "parent", 3]])
    events = [above, memo(2), memo(3, parent=1, opens=False)]
    assert set(await told(engine, events)) == {id_of(1), id_of(2)}
    moved = memo(3, version=9, parent=2, opens=False, freed=[["parent", 1]])
    found = await told(engine, [*events, moved])
    assert [each.natural_key for each in found[id_of(2)].artifacts] == ["MEMO-2", "MEMO-3"]
    assert [each.natural_key for each in found[id_of(1)].artifacts] == ["MEMO-1"]


WAITED = [
    memo(1),
    memo(31),
    memo(1, version=48, behind=31, noticed=31),  # 3 March 10:00
    memo(1, version=120, freed=[["is blocked by", 31]]),  # 6 March 10:00
]


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_waited_stays_when_the_dependency_is_taken_back(engine: AsyncEngine, seed: int) -> None:
    record = (await told(engine, random.Random(seed).sample(WAITED, len(WAITED))))[id_of(1)]
    assert (record.current.state, record.blocked_by) == ("active", ())
    assert pieces(record)[-2:] == [("03 10:00", "waiting", "blocked"), ("06 10:00", "active", None)]
    assert record.stages[2].waiting_seconds == 72 * 3600
    async with engine.connect() as connection:
        between = await recall(connection, record.id, at(4))
        after = await recall(connection, record.id, at(7))
    assert between is not None
    assert (between.current.waiting, between.current.state_since) == ("blocked", at(3, 10))
    assert [(each.other_key, each.open, each.since) for each in between.blocked_by] == [("MEMO-31", True, at(3, 10))]
    assert after is not None
    assert (after.current.state, after.blocked_by, after.stages[2].waiting_seconds) == ("active", (), 72 * 3600)


async def test_a_dependency_taken_back_at_one_end_is_gone_at_both(engine: AsyncEngine) -> None:
    other = memo(31, links=[["blocks", "is blocked by", 1]])
    found = await told(engine, [*WAITED[:1], other, *WAITED[2:]])
    assert (found[id_of(1)].blocked_by, found[id_of(31)].blocks) == ((), ())
    assert found[id_of(1)].stages[2].waiting_seconds == 72 * 3600


async def test_an_earlier_moment_shows_a_link_of_two_that_something_else_keeps_together(engine: AsyncEngine) -> None:
    events = [linked(1, 2), linked(2, 1, BACK), memo(1, version=48, freed=[["implements", 2]], parent=2)]
    record = (await told(engine, events))[id_of(1)]
    assert [link.relation for link in record.links] == ["parent"]
    async with engine.connect() as connection:
        before = await recall(connection, record.id, at(3, 9))
        after = await recall(connection, record.id, at(3, 11))
    assert before is not None
    assert after is not None
    assert "implements" in [link.relation for link in before.links]
    assert "implements" not in [link.relation for link in after.links]


async def test_a_rebuild_makes_the_same_of_what_was_taken_back(engine: AsyncEngine) -> None:
    events = [*WAITED, linked(2, 3), linked(3, 2, BACK), memo(2, version=9, freed=[["implements", 3]])]
    found = await told(engine, random.Random(1).sample(events, len(events)))
    assert found[id_of(1)].stages[2].waiting_seconds == 72 * 3600
    assert await rebuild_of(engine).check() == []
