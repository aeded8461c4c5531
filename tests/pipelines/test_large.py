"""Very large components: what touches them is left aside, the rest goes on, and all of it ends as it would have."""

from collections.abc import Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import Deciding, Wish
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.store import aside, configuration, tables, values
from pipelines.store.bulk import Bulk
from pipelines.store.metadata import metadata
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, members, outcome, rows

SMALL = 60
"""The size from which on a component is large here: above what makes a value generic."""


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = aside.LARGE
    aside.LARGE = SMALL
    yield
    aside.LARGE = before


def giant(size: int) -> list[SourceEvent]:
    """Memos that are all part of the first."""
    return [memo(1), *(memo(number, parent=1) for number in range(2, size + 1))]


async def rest(engine: AsyncEngine) -> dict[str, str | None]:
    return {row.id: row.problem for row in await rows(engine, tables.requests)}


async def test_what_touches_a_giant_waits_and_the_rest_of_the_batch_does_not(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records(giant(SMALL + 1)))
    batch = [memo(2, version=2, parent=1, status="done"), memo(99, parent=1), memo(300), memo(301, text="MEMO-300")]
    await ingest(records(batch, first=100))
    one, apart = request_id("memos/memo/1"), request_id("memos/memo/300")
    assert await rest(engine) == {one: aside.WAITS, apart: None}
    known = await members(engine)
    assert known["301"] == apart
    assert "99" not in known
    recompute = Recompute(engine, lambda: NOW, "here")
    assert await recompute.large() == 1
    assert await rest(engine) == {one: None, apart: None}
    assert (await members(engine))["99"] == one
    assert await rows(engine, tables.deferred) == []
    assert await Rebuild(engine, ingest.telling, lambda: NOW, "here").check() == []


async def test_any_way_there_ends_as_if_nothing_had_waited(engine: AsyncEngine) -> None:
    events = [*giant(SMALL + 5), memo(7, version=2, parent=1, text="MEMO-200"), memo(200), memo(201, text="MEMO-200")]
    aside.LARGE = 10_000
    await ingest_of(engine)(records(events))
    expected = await outcome(engine)
    engine_rows = (await rows(engine, tables.glue), [row.size for row in await rows(engine, tables.components)])
    assert engine_rows == ([], [SMALL + 7])
    for table in reversed(metadata.sorted_tables):
        if table is not tables.rules and table.name != "audit":  # which only grows, and is no part of this
            async with engine.begin() as connection:
                await connection.execute(table.delete())
    aside.LARGE = SMALL
    recompute = Recompute(engine, lambda: NOW, "here")
    ingest = ingest_of(engine)
    for place, event in enumerate(events):
        await ingest(records([event], first=place))
        if place % 20 == 0:
            await recompute.large()
    await recompute.large()
    assert await outcome(engine) == expected


async def test_what_holds_a_giant_together_is_named(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(400)]))
    found = [(row.component, row.value, row.artifacts) for row in await rows(engine, tables.glue)]
    assert found == [("memos/memo/1", "jira.key|MEMO-1", SMALL + 1)]


async def test_a_decision_about_a_giant_takes_effect_at_once(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([*giant(SMALL + 1), memo(400)]))
    await ingest(records([memo(99, parent=1)], first=100))
    wish = Wish(DecisionKind.LINK, "Anna", left=("memos/memo/400",), right=("memos/memo/5",))
    await Deciding(engine, lambda: NOW).decide(wish)
    assert (await members(engine))["400"] == request_id("memos/memo/1")


async def test_what_is_left_again_while_a_giant_is_worked_on_stays(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records(giant(SMALL + 1)))
    await ingest(records([memo(2, version=2, parent=1)], first=100))
    seen = await rows(engine, tables.deferred)
    await ingest(records([memo(2, version=3, parent=1)], first=101))
    async with engine.begin() as connection:
        await aside.done(Bulk(connection), seen)
    left = await rows(engine, tables.deferred)
    assert {(row.kind, row.name) for row in left} == {(row.kind, row.name) for row in seen}
    assert not {row.number for row in left} & {row.number for row in seen}
    assert await Recompute(engine, lambda: NOW, "here").large() == 1


async def call_generic(engine: AsyncEngine, value: str, *, undo: bool = False) -> None:
    async with engine.begin() as connection:
        before = await configuration.load(connection)
        chosen = configuration.Installation() if undo else configuration.Installation(called_generic=frozenset({value}))
        await configuration.choose_for_all(connection, chosen)
        after = await configuration.load(connection)
        assert await values.look_again(connection, before.rules, after.rules) >= 1


async def test_what_is_called_generic_joins_nothing_and_the_parts_fall_apart(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([*giant(SMALL + 1), memo(400, text="MEMO-2")]))
    recompute = Recompute(engine, lambda: NOW, "here")
    before = await outcome(engine)
    async with engine.connect() as connection:
        (found,) = [one for one in await values.common(connection, 50, 10) if one.holds]
    assert (found.value, found.holds) == ("jira.key|MEMO-1", SMALL + 1)
    await call_generic(engine, found.value)
    await recompute.large()
    apart = await members(engine)
    assert len(set(apart.values())) == SMALL + 1
    assert apart["400"] == apart["2"] == request_id("memos/memo/2")
    assert await rows(engine, tables.glue) == []
    assert await Rebuild(engine, ingest.telling, lambda: NOW, "here").check() == []
    await ingest(records([memo(500, parent=1), memo(3, version=2, parent=1)], first=500))
    assert (await members(engine))["500"] == request_id("memos/memo/500")
    await call_generic(engine, found.value, undo=True)
    await recompute.large()
    assert len(set((await members(engine)).values())) == 1
    assert len(before["members"]) + 1 == len(await rows(engine, tables.members))


async def test_what_many_name_joins_them_when_somebody_calls_it_specific(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), *(memo(number, text="MEMO-1") for number in range(2, 54))]))
    assert len(set((await members(engine)).values())) == 53
    async with engine.begin() as connection:
        before = await configuration.load(connection)
        chosen = configuration.Installation(called_specific=frozenset({"jira.key|MEMO-1"}))
        await configuration.choose_for_all(connection, chosen)
        await values.look_again(connection, before.rules, (await configuration.load(connection)).rules)
    await Recompute(engine, lambda: NOW, "here").large()
    assert set((await members(engine)).values()) == {request_id("memos/memo/1")}
    await ingest(records([memo(60, text="MEMO-1")], first=100))
    await Recompute(engine, lambda: NOW, "here").large()
    assert (await members(engine))["60"] == request_id("memos/memo/1")


async def test_a_higher_limit_joins_what_it_lets(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), *(memo(number, text="MEMO-1") for number in range(2, 54))]))
    async with engine.begin() as connection:
        before = await configuration.load(connection)
        await configuration.choose_for_all(connection, configuration.Installation(generic=100))
        assert await values.look_again(connection, before.rules, (await configuration.load(connection)).rules) == 1
    await Recompute(engine, lambda: NOW, "here").large()
    assert set((await members(engine)).values()) == {request_id("memos/memo/1")}


async def test_what_is_called_generic_states_nothing_of_others_either(engine: AsyncEngine) -> None:
    """Tools tell a link on both sides: a sub-task its parent, and the parent its sub-tasks."""
    ingest = ingest_of(engine)
    events = [memo(1, text="MEMO-2 and MEMO-3"), memo(2, parent=1), memo(3), memo(4, text="MEMO-3")]
    await ingest(records(events))
    assert len(set((await members(engine)).values())) == 1
    await call_generic(engine, "jira.key|MEMO-1")
    recompute = Recompute(engine, lambda: NOW, "here")
    await recompute.large()
    found = await members(engine)
    assert len({found["1"], found["2"], found["3"]}) == 3
    assert found["4"] == found["3"]
    await ingest(records([memo(1, version=2, text="MEMO-2, MEMO-3 and MEMO-4")], first=4))
    assert len(set((await members(engine)).values())) == 3
    assert await Rebuild(engine, ingest.telling, lambda: NOW, "here").check() == []
    await call_generic(engine, "jira.key|MEMO-1", undo=True)
    await recompute.large()
    assert len(set((await members(engine)).values())) == 1
