"""Comparing what a tool has with what is here: what is missing, different, extra; and mending it."""

import tracemalloc
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Listed, RetryLater
from pipelines.store import tables
from pipelines.store.engine import reading, writing
from schemas.canonical import canonical_json, instant
from services.feed import reconciling, watching
from services.feed.comparison import BATCH, Comparison, Scope
from services.feed.reconciling import LISTED
from services.feed.told import Difference
from services.feed.watch_tables import listed as listed_table
from tests.pipelines.memos import memo
from tests.services.feed.conftest import Post
from tests.services.feed.telling import now_told, once
from tests.services.feed.test_feed import read_up_to, running
from tests.services.feed.tool import page

AT = datetime(2026, 3, 10, tzinfo=UTC)


async def nobody_else(connection: AsyncConnection) -> None:
    assert not connection.closed


def listed(number: int, at: datetime | None = AT) -> Listed:
    return Listed(f"memos/memo/{number}", at, str(number))


async def known(post: Post, *events: Any) -> None:
    """Let these be read and understood."""
    post.tool.said = [page(1, *events)]
    async with running(post.feed()):
        await read_up_to(post, 1)
        await once(post, lambda _: post.tool.looked == ["check"])
    await post.apply(post.log.records)
    await post.flow().settle()
    await post.change(true_up_to=post.at)


async def compared(post: Post, *, mend: bool = False) -> watching.Told:
    """Ask for a comparison, and wait for its end."""
    async with writing(post.engine) as connection:
        await reconciling.ask(connection, "memos", mend=mend)
    before = (await now_told(post)).reconciled
    assert before is not None
    assert before.wanted
    post.later(1)
    async with running(post.feed()):
        return await once(post, lambda told: told.reconciled is not None and told.reconciled.finished_at == post.at)


async def found(post: Post) -> list[Difference]:
    async with reading(post.engine) as connection:
        return await watching.differences(connection, "memos")


def updated(number: int, at: datetime = AT, **more: Any) -> Any:
    return memo(number, updated=instant(at), **more)


async def test_what_is_the_same_is_said_to_be_the_same(post: Post) -> None:
    await known(post, updated(1), updated(2))
    post.tool.has = [listed(1), listed(2)]
    told = await compared(post)
    assert told.reconciled is not None
    assert told.reconciled.says == "all of 2 things are the same"
    assert (told.reconciled.finished_at, told.reconciled.compared, told.reconciled.expected) == (post.at, 2, 2)
    assert await found(post) == []
    assert not told.warnings


async def test_missing_different_and_extra_are_counted_and_listed(post: Post) -> None:
    await known(post, updated(1), updated(2), updated(3), updated(4, deleted=True), updated(5, deleted=True), memo(6))
    later = AT + timedelta(milliseconds=1)
    post.tool.has = [listed(1), listed(2, later), listed(4), listed(6, later), listed(8), listed(1)]
    told = await compared(post)
    assert told.reconciled is not None
    assert (told.reconciled.missing, told.reconciled.different, told.reconciled.extra) == (1, 2, 1)
    assert [(one.kind, one.artifact, one.theirs, one.ours) for one in await found(post)] == [
        ("different", "memos/memo/2", later, AT),
        ("different", "memos/memo/4", AT, AT),
        ("extra", "memos/memo/3", None, AT),
        ("missing", "memos/memo/8", AT, None),
    ]
    assert told.warnings == (
        "compared with the tool: of 5 things in the tool 1 are missing here, 2 changed later in the tool,"
        " 1 are here and not in the tool",
    )
    post.tool.has = [listed(number) for number in (1, 2, 3, 4, 6)]
    post.tool.has[3] = listed(5, None)
    await compared(post)
    assert [(one.kind, one.artifact) for one in await found(post)] == [("different", "memos/memo/5")]


async def test_what_was_not_to_be_read_or_is_not_read_yet_is_no_difference(post: Post) -> None:
    await known(post, updated(1))
    await post.change(since=AT)
    before, after = AT - timedelta(seconds=1), post.at + timedelta(seconds=1)
    post.tool.has = [listed(1, after), listed(2, before), listed(3, after)]
    told = await compared(post)
    assert told.reconciled is not None
    assert (told.reconciled.compared, told.reconciled.says) == (3, "all of 3 things are the same")


async def test_a_list_that_ends_somewhere_in_the_past_makes_nothing_extra(post: Post) -> None:
    await known(post, updated(1), updated(2))
    post.tool.covers, post.tool.has = timedelta(days=14), [listed(1)]
    told = await compared(post)
    assert told.reconciled is not None
    assert told.reconciled.extra == 0


async def test_mending_fetches_what_is_missing_or_different_and_asks_for_what_is_extra(post: Post) -> None:
    await known(post, updated(1), updated(2), updated(3))
    post.tool.has = [listed(1), listed(2, AT + timedelta(hours=1)), listed(7)]
    told = await compared(post, mend=True)
    assert told.reconciled is not None
    assert (told.reconciled.fetched, told.reconciled.mended) == (2, True)
    assert told.reconciled.says.endswith("; 2 were fetched again")
    assert [one for one in post.tool.asked if one[0] == "fetch"] == [("fetch", ("2", "7"))]
    async with running(post.feed()):
        await once(post, lambda _: ("census", None) in post.tool.asked)
    assert [event for event in post.log.records if b'"number":7' in (event.value or b"")]


async def test_what_a_tool_cannot_list_now_is_compared_later_and_a_fault_stops_no_reading(post: Post) -> None:
    await known(post, updated(1))
    post.tool.has = RetryLater("the list is away", 30)
    async with writing(post.engine) as connection:
        await reconciling.ask(connection, "memos", mend=False)
    async with running(post.feed()):
        await once(post, lambda told: told.problem == "the list is away")
        post.tool.has = KeyError("a field that is not there")
        post.later(31)
        told = await once(post, lambda told: told.reconciled is not None and not told.reconciled.wanted)
        assert told.reconciled is not None
        assert told.reconciled.says == "it could not be ended: KeyError"
        post.tool.said.append(page(2))
        await post.change(wanted=True)
        await read_up_to(post, 2)


async def test_a_census_is_followed_by_a_comparison(post: Post) -> None:
    await known(post, updated(1))
    post.tool.has = [listed(1)]
    post.later(61)
    async with running(post.feed(census=60)):
        told = await once(post, lambda told: told.reconciled is not None and told.reconciled.finished_at is not None)
    assert told.reconciled is not None
    assert told.reconciled.says == "all of 1 things are the same"


async def test_removing_a_connection_leaves_nothing_of_it(post: Post) -> None:
    from services.feed import connections
    from services.feed.watch_tables import OWN

    await known(post, updated(1))
    post.tool.has = [listed(1), listed(2)]
    await compared(post)
    async with writing(post.engine) as connection:
        await connections.remove(connection, "memos")
        for table in OWN:
            assert (await connection.execute(select(table))).all() == [], table.name


# --- much ---


async def stored(post: Post, numbers: Iterable[int]) -> None:
    """Artifacts as if they had been read."""
    fields = canonical_json({"updated_at": [1, 1, instant(AT)]})
    rows = [
        {"id": f"memos/memo/{number:07}", "connection": "memos", "connector": "memo", "kind": "issue", "fields": fields}
        for number in numbers
    ]
    async with writing(post.engine) as connection:
        await connection.execute(insert(tables.artifacts), rows)


async def parts(numbers: Iterable[int], size: int) -> AsyncIterator[list[Listed]]:
    part: list[Listed] = []
    for number in numbers:
        part.append(Listed(f"memos/memo/{number:07}", AT, str(number)))
        if len(part) == size:
            yield part
            part = []
    yield part


def comparison(post: Post) -> Comparison:
    return Comparison(post.engine, Scope("memos", None, post.at, True, post.at), nobody_else)


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(post: Post) -> None:
    said: list[str] = []
    event.listen(post.engine.sync_engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    one = comparison(post)
    await one.begin()
    costs = []
    for first, size in ((0, 2), (10, 100), (200, BATCH)):
        said.clear()
        await one.take([Listed(f"memos/memo/{number}", AT, "") for number in range(first, first + size)])
        costs.append(len(said))
    assert len(set(costs)) == 1
    assert costs[0] <= 4


async def test_many_differences_are_counted_and_a_bounded_number_is_kept(post: Post) -> None:
    await stored(post, range(0, 6000, 2))
    one = comparison(post)
    await one.begin()
    async for part in parts(range(1, 6000, 2), 1000):
        await one.take(part)
    await one.extras()
    await one.end(post.at)
    assert (one.result.missing, one.result.extra) == (3000, 3000)
    assert len(await found(post)) == 2 * LISTED
    async with reading(post.engine) as connection:
        assert (await connection.execute(select(listed_table))).all() == []


async def test_memory_does_not_grow_with_what_is_compared(post: Post) -> None:
    async def peak(numbers: range) -> int:
        one = comparison(post)
        await one.begin()
        tracemalloc.start()
        async for part in parts(numbers, BATCH):
            await one.take(part)
        await one.extras()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await one.end(post.at)
        return most

    await stored(post, range(8000))
    few = await peak(range(2000))
    assert await peak(range(8000)) < 1.5 * few + 200_000
