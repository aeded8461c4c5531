"""Pages on their way: published, safe, applied in their order; and what happens to those that are not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, insert

from connectors.contract import Delivery, Page, SetAside
from pipelines.store import leases, tables
from pipelines.store.engine import reading, writing
from schemas.errors import RetryLater
from schemas.events import MAX_EVENT_BYTES
from services.feed import connections, inbox, pages
from services.feed.flow import Bus, Flow
from tests.pipelines.memos import memo
from tests.services.feed.conftest import EMBEDDED_ONE, EMBEDDED_TWO, Post
from tests.services.feed.tool import page


async def lease_of(post: Post, holder: str = "me") -> leases.Lease:
    async with writing(post.engine) as connection:
        lease = await leases.take(connection, "connection:memos", holder, post.now())
    assert lease is not None
    return lease


async def published(post: Post, flow: Flow, *pages: Page) -> leases.Lease:
    lease = await lease_of(post)
    epoch = (await post.stored()).epoch
    for one in pages:
        await flow.publish("memos", one, lease, epoch)
    return lease


async def test_on_kafka_the_cursor_moves_with_the_acknowledgement(post: Post) -> None:
    flow = post.flow()
    true_up_to = post.now()
    told = page(1)
    await published(post, flow, Page(told.events, told.cursor, true_up_to))
    stored = await post.stored()
    assert (stored.cursor, stored.true_up_to) == ({"page": 1}, None)
    assert await flow.settle() == []
    assert (await post.stored()).true_up_to is None
    await post.apply(post.log.records)
    await flow.settle()
    assert (await post.stored()).true_up_to == true_up_to


async def test_with_the_embedded_broker_the_cursor_moves_when_the_page_is_applied(post: Post) -> None:
    flow = post.flow(embedded=True)
    await published(post, flow, page(1), page(2))
    await flow.settle()
    assert (await post.stored()).cursor is None
    await post.apply(post.log.of(1), EMBEDDED_ONE)
    await flow.settle()
    assert (await post.stored()).cursor == {"page": 1}
    await post.apply(post.log.of(0), EMBEDDED_ONE)
    await flow.settle()
    assert (await post.stored()).cursor == {"page": 2}


@pytest.mark.parametrize("embedded", [True, False])
async def test_a_connection_is_true_up_to_a_page_once_what_it_brought_is_understood(post: Post, embedded: bool) -> None:
    flow, true_up_to = post.flow(embedded=embedded), post.now()
    told = page(1)
    await published(post, flow, Page(told.events, told.cursor, true_up_to))
    await post.apply(post.log.records, *[EMBEDDED_ONE] * embedded)
    await note(post, "memos/memo/1")
    for _ in range(2):
        await flow.settle()
        stored = await post.stored()
        assert (stored.cursor, stored.true_up_to) == ({"page": 1}, None)
    async with writing(post.engine) as connection:
        await connection.execute(delete(tables.deferred))
    await note(post, "memos/memo/2")  # of a later page
    await flow.settle()
    assert (await post.stored()).true_up_to == true_up_to


async def note(post: Post, artifact: str) -> None:
    """What a batch merged and nobody has understood yet."""
    async with writing(post.engine) as connection:
        await connection.execute(insert(tables.deferred).values(kind="artifact", name=artifact))


async def test_a_page_that_is_applied_before_an_earlier_one_waits_for_it(post: Post) -> None:
    flow = post.flow(embedded=True)
    await published(post, flow, page(1, memo(1)), page(2, memo(2)), page(3, memo(4)))
    await post.apply(post.log.of(0), EMBEDDED_ONE)  # memos 2 and 4: pages 2 and 3
    await flow.settle()
    assert (await post.stored()).cursor is None
    assert [one.applied_at for one in await post.pages()] == [None] * 3
    await post.apply(post.log.of(1), EMBEDDED_ONE)
    await flow.settle()
    assert (await post.stored()).cursor == {"page": 3}


async def test_offsets_of_another_broker_say_nothing_about_this_one(post: Post) -> None:
    flow = post.flow(embedded=True)
    await published(post, flow, page(1))
    await post.apply(post.log.records, "an earlier one")
    await flow.settle()
    assert (await post.stored()).cursor is None


async def test_what_is_not_applied_in_time_is_told(post: Post) -> None:
    flow = post.flow(embedded=True)
    await published(post, flow, page(1))
    assert await flow.settle() == []
    post.later(31)
    assert await flow.settle() == ["memos"]
    kafka = post.flow()
    await published(post, kafka, page(1))
    post.later(3600)
    assert await kafka.settle() == []


async def test_an_embedded_broker_is_never_given_more_than_it_can_hold(post: Post) -> None:
    flow = post.flow(embedded=True, in_flight=1000)
    lease = await published(post, flow, page(1))
    waiting = asyncio.create_task(flow.publish("memos", page(2, memo(2, text="x" * 900)), lease, 1))
    await asyncio.sleep(0.1)
    await flow.settle()
    assert not waiting.done()
    assert len(post.log.records) == 1
    await post.apply(post.log.records, EMBEDDED_ONE)
    await flow.settle()
    await asyncio.wait_for(waiting, 20)
    assert len(post.log.records) == 2


async def test_what_kafka_does_not_take_is_noted_nowhere(post: Post) -> None:
    flow = post.flow()
    lease = await published(post, flow)
    post.log.refuse = True
    with pytest.raises(RetryLater, match=r"did not take 2 of 2 records \(ConnectionError\)"):
        await flow.publish("memos", page(1, memo(1), memo(2)), lease, 1)
    assert await post.pages() == []
    assert (await post.stored()).cursor is None


async def test_a_holder_that_slept_writes_nothing(post: Post) -> None:
    flow = post.flow()
    lease = await lease_of(post)
    post.later(60)
    await lease_of(post, "somebody else")
    with pytest.raises(leases.LeaseLost):
        await flow.publish("memos", page(1), lease, 1)
    assert await post.pages() == []


async def test_what_cannot_be_published_waits_as_a_letter_that_says_why(post: Post) -> None:
    flow = post.flow()
    large = memo(2, text="x" * MAX_EVENT_BYTES)
    await published(post, flow, page(1, memo(1), large, set_aside=(SetAside("7", "no date", "{raw}"),)))
    assert len(post.log.records) == 1
    letters = {one.cause: one for one in await post.letters()}
    assert sorted(letters) == ["bad record", "too large"]
    assert letters["bad record"].reason == "no date"
    assert letters["bad record"].raw == b"{raw}"
    assert f"at most {MAX_EVENT_BYTES} pass; its connector should have cut it" in letters["too large"].reason
    assert {one.connection for one in letters.values()} == {"memos"}
    assert (await post.stored()).cursor == {"page": 1}
    await published(post, flow, page(1, large))
    assert len(await post.letters()) == 2


async def test_what_is_no_json_waits_as_a_letter_and_the_rest_goes_on(post: Post) -> None:
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"inner": deep}
    wrong = [memo(2, text="\ud83d"), memo(3).model_copy(update={"payload": deep})]
    wrong.append(memo(5).model_copy(update={"artifact": "memos/memo/\ud83d"}))
    aside = SetAside("7", "no date", "half \ud83d")
    await published(post, post.flow(), page(1, memo(1), *wrong, memo(4), set_aside=(aside,)))
    assert len(post.log.records) == 2
    letters = await post.letters()
    assert {one.cause for one in letters} == {"bad record"}
    assert sum("cannot be written as JSON" in one.reason for one in letters) == 3
    assert b"half ?" in [one.raw for one in letters]
    assert (await post.stored()).cursor == {"page": 1}


@pytest.mark.parametrize("how", [connections.start_again, connections.remove])
async def test_reading_again_and_removing_make_a_page_under_way_void(post: Post, how: Callable[..., Any]) -> None:
    flow = post.flow()
    lease = await lease_of(post)
    before = await post.stored()
    async with writing(post.engine) as connection:
        await how(connection, "memos", *((None,) if how is connections.start_again else ()))
    with pytest.raises(connections.Reconfigured):
        await flow.publish("memos", page(1), lease, before.epoch)
    assert await post.pages() == []
    if how is connections.start_again:
        assert (await post.stored()).cursor is None


async def test_a_page_that_was_forgotten_moves_no_cursor(post: Post) -> None:
    flow = post.flow(embedded=True)
    await published(post, flow, page(1))
    async with reading(post.engine) as connection:
        waiting = await pages.open_pages(connection, EMBEDDED_ONE)
    async with writing(post.engine) as connection:
        await connections.start_again(connection, "memos", None)
    async with writing(post.engine) as connection:
        await pages.mark_applied(connection, waiting, post.now(), cursor=True)
    assert (await post.stored()).cursor is None


async def test_a_new_embedded_broker_gets_everything_again_that_the_old_one_took_along(post: Post) -> None:
    await told_by_webhook_and_census(post, post.flow(embedded=True))
    new = Flow(post.engine, Bus(post.log.send, EMBEDDED_TWO, embedded=True), post.now)
    await new.start()
    await expect_all_due_again(post)


async def test_pages_given_up_make_deliveries_and_census_due_again(post: Post) -> None:
    await told_by_webhook_and_census(post, post.flow(embedded=True))
    async with writing(post.engine) as connection:
        await pages.forget_open(connection, "memos")
    await expect_all_due_again(post)


async def test_pages_with_a_cursor_leave_deliveries_and_census_alone(post: Post) -> None:
    flow = post.flow(embedded=True)
    await told_by_webhook_and_census(post, flow)
    await post.apply(post.log.records, EMBEDDED_ONE)
    await flow.settle()
    await published(post, flow, page(5))
    async with writing(post.engine) as connection:
        await pages.forget_open(connection, "memos")
        assert await inbox.waiting(connection, "memos") == []
    assert (await post.stored()).census_cursor == {"page": 1}


async def told_by_webhook_and_census(post: Post, flow: Flow) -> None:
    """A delivery was handled, and a census done: their pages move no cursor."""
    await post.change(census_at=post.now(), census_cursor={"page": 1})
    lease = await published(post, flow, page(1))
    async with writing(post.engine) as connection:
        await inbox.put(connection, "memos", Delivery("POST", "/", {}, b"tell 9"), "d1", post.now())
    await flow.publish("memos", Page((memo(9),), {}, None), lease, 1, moves_cursor=False)
    async with writing(post.engine) as connection:
        numbers = [number for number, _, _ in await inbox.waiting(connection, "memos")]
        await inbox.mark_handled(connection, numbers, post.now())


async def expect_all_due_again(post: Post) -> None:
    assert await post.pages() == []
    async with reading(post.engine) as connection:
        assert [one.body for _, one, _ in await inbox.waiting(connection, "memos")] == [b"tell 9"]
    stored = await post.stored()
    assert (stored.cursor, stored.census_cursor, stored.census_at) == (None, None, pages.LONG_AGO)


@pytest.mark.parametrize("taken_in", [0, 1])
@pytest.mark.parametrize("embedded", [False, True])
async def test_what_went_to_another_kafka_and_was_not_taken_in_is_read_again(
    post: Post, taken_in: int, embedded: bool
) -> None:
    """Whichever of two pages it was, and whatever comes after that Kafka."""
    flow = post.flow()
    await published(post, flow, page(1, memo(1)), page(2, memo(2)))
    await post.apply(post.log.of(taken_in))
    await flow.start()  # on the same Kafka nothing is lost
    assert (await post.stored()).cursor == {"page": 2}
    after = EMBEDDED_ONE if embedded else "another cluster"
    other = Flow(post.engine, replace(post.bus(), incarnation=after, embedded=embedded), post.now)
    await other.start()
    stored = await post.stored()
    assert (stored.cursor, stored.wanted, stored.first_read_done) == (None, True, False)
    assert await post.pages() == []


@pytest.mark.parametrize("embedded", [False, True])
async def test_what_an_embedded_broker_took_along_is_read_again_from_where_the_cursor_stands(
    post: Post, embedded: bool
) -> None:
    """No cursor moved with what was published there, though it may stand where a page leaves it."""
    await post.change(cursor={"page": 1}, wanted=False)
    await published(post, post.flow(embedded=True), page(1, memo(1)), page(2, memo(2)))
    after = replace(post.bus(), incarnation=EMBEDDED_TWO if embedded else "a cluster", embedded=embedded)
    epoch = (await post.stored()).epoch
    await Flow(post.engine, after, post.now).start()
    stored = await post.stored()
    assert (stored.cursor, stored.epoch, await post.pages()) == ({"page": 1}, epoch, [])


async def test_what_another_kafka_held_and_was_taken_in_is_not_read_again(post: Post) -> None:
    await published(post, post.flow(), page(1, memo(1)))
    await post.apply(post.log.records)
    await Flow(post.engine, replace(post.bus(), incarnation="another cluster"), post.now).start()
    assert (await post.stored()).cursor == {"page": 1}
