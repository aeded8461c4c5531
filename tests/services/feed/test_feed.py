"""Readers, and the feed that runs them: what ends one, what brings it back, and who may read at all."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr

from connectors.contract import Delivery, Misconfigured, Page, RetryLater
from pipelines.store import leases
from pipelines.store.engine import reading, writing
from services.feed import connections, inbox
from services.feed.feed import Feed
from services.security import KeyRing, new_key
from tests.pipelines.memos import memo
from tests.services.feed.conftest import EMBEDDED_ONE, Post
from tests.services.feed.tool import Tool, options, page, signature


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[Feed]:
    """The feed at work; it ends as a process does that is told to stop."""
    task = asyncio.create_task(feed.run(tick=0.01))
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.02)


async def read_up_to(post: Post, number: int, name: str = "memos") -> None:
    """Until the pages up to this one are published."""

    async def holds() -> bool:
        cursor = (await post.stored(name)).cursor
        return cursor is not None and cursor["page"] >= number

    await until(holds)


async def told(post: Post, name: str = "memos") -> str:
    """The problem that a connection shows, once it shows one."""

    async def holds() -> bool:
        return (await post.stored(name)).problem is not None

    await until(holds)
    return (await post.stored(name)).problem or ""


async def deliver(post: Post, *bodies: bytes, forged: bytes = b"") -> None:
    """Put signed deliveries into the inbox, and perhaps one that is not, as if its secret were changed meanwhile."""
    async with writing(post.engine) as connection:
        for body in filter(None, (*bodies, forged)):
            headers = {"x-signature": "wrong" if body == forged else signature(body)}
            await inbox.put(connection, "memos", Delivery("POST", "/hooks/memos", headers, body), "", post.now())
        await connections.change(connection, "memos", wanted=True)


async def undelivered(post: Post) -> int:
    async with reading(post.engine) as connection:
        return len(await inbox.waiting(connection, "memos"))


async def test_pages_are_read_in_their_order_and_the_first_read_ends(post: Post) -> None:
    post.tool.said = [page(1), page(2), page(3)]
    async with running(post.feed()):
        await read_up_to(post, 3)

        async def done() -> bool:
            stored = await post.stored()
            return stored.first_read_done and stored.alive_at == post.now()

        await until(done)
    assert post.tool.asked == [("pages", None)]
    async with running(post.feed()):
        await until(lambda: _true(len(post.tool.asked) == 2))
    assert post.tool.asked[1] == ("pages", {"page": 3})
    assert len(post.log.records) == 3


async def _true(holds: bool) -> bool:
    return holds


async def test_a_secret_that_somebody_else_was_given_is_taken_up_and_its_own_is_not(post: Post) -> None:
    post.tool.said = [page(1)]

    async def keep(text: str, keys: KeyRing) -> None:
        async with writing(post.engine) as connection:
            sealed = keys.seal("memos", "webhook_secret", SecretStr(text))
            await connections.keep_secret(connection, "memos", "webhook_secret", sealed)

    async with running(post.feed()) as feed:
        await read_up_to(post, 1)
        await until(lambda: _true(post.tool.replaced is not None))
        assert post.tool.replaced is not None
        await post.tool.replaced("webhook_secret", SecretStr("its own"))
        epoch, reader = (await post.stored()).epoch, feed.readers["memos"]
        assert reader.as_stored(await post.stored())
        await keep("its own", post.keys)
        assert reader.as_stored(await post.stored())
        await keep("its own", KeyRing([new_key()]))
        assert reader.as_stored(await post.stored())
        assert post.tool.opened == 1
        await keep("another", post.keys)
        await until(lambda: _true(post.tool.opened == 2))
        assert (await post.stored()).epoch == epoch


async def test_a_tool_that_asks_for_a_pause_gets_it_and_goes_on_where_it_was(post: Post) -> None:
    post.tool.said = [page(1), RetryLater("the tool asks for a pause", 60), page(2)]
    async with running(post.feed()) as feed:
        assert await told(post) == "the tool asks for a pause"
        stored = await post.stored()
        assert not stored.attention
        assert stored.retry_at is not None
        assert (stored.retry_at - post.now()).total_seconds() == 60
        await until(lambda: _true(feed.readers == {}))
        await deliver(post, b"tell 5")
        await asyncio.sleep(0.2)
        assert post.tool.opened == 1
        post.later(61)
        await read_up_to(post, 2)
        assert (await post.stored()).problem is None
    assert post.tool.asked == [("pages", None), ("pages", {"page": 1})]


@pytest.mark.parametrize("asked", [7_200.0, 999_999_999_999.0])
async def test_a_pause_without_an_end_ends_after_an_hour(asked: float, post: Post) -> None:
    """Whatever a tool or a proxy before it writes there."""
    post.tool.said = [RetryLater("the tool asks for a pause", asked), page(1)]
    async with running(post.feed()):
        assert await told(post) == "the tool asks for a pause"
        retry_at = (await post.stored()).retry_at
        assert retry_at is not None
        assert (retry_at - post.now()).total_seconds() == 3_600
        post.later(3_601)
        await read_up_to(post, 1)


async def test_pauses_nobody_asked_for_grow_and_start_anew_after_success(post: Post) -> None:
    failing = RetryLater("the tool does not answer")
    post.tool.said = [failing, failing, failing, page(1)]
    pauses: list[float] = []

    async def paused() -> bool:
        stored = await post.stored()
        if stored.retry_at is None or stored.retry_at <= post.now():
            return False
        pauses.append((stored.retry_at - post.now()).total_seconds())
        return True

    async def well() -> bool:
        stored = await post.stored()
        return stored.first_read_done and stored.problem is None  # it has come to a pause, or is just about to

    async with running(post.feed(poll=0.05)):
        for _ in range(3):
            await until(paused)
            post.later(pauses[-1])
        await read_up_to(post, 1)
        await until(well)
        post.tool.said += [failing, page(2)]
        await until(paused)
        post.later(pauses[-1])
        await read_up_to(post, 2)
    assert pauses == [5, 10, 20, 5]


async def test_a_pause_holds_for_who_looked_before_it_was_told(post: Post) -> None:
    feed = post.feed()
    looked = await post.stored()
    await post.change(retry_at=post.now() + timedelta(seconds=60), problem="the tool asks for a pause")
    await feed._care(looked)
    assert post.tool.opened == 0
    assert feed.readers == {}
    post.later(61)
    await feed._care(looked)
    assert list(feed.readers) == ["memos"]
    await feed._stop_all()


async def test_what_only_a_person_can_mend_waits_for_one(post: Post) -> None:
    post.tool.said = [Misconfigured("The token is refused", "Enter another one", "auth.token"), page(1)]
    async with running(post.feed()) as feed:
        assert await told(post) == "The token is refused. Enter another one"
        assert (await post.stored()).attention
        await until(lambda: _true(feed.readers == {}))
        post.later(60)
        await asyncio.sleep(0.2)
        assert post.tool.opened == 1
        await post.change(retry_at=None, problem=None, attention=False)  # `connections resume`
        await read_up_to(post, 1)


async def test_an_error_nobody_knows_is_told_by_its_kind_and_takes_no_other_down(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    other = Tool(said=[page(1), page(2)])
    post.tool.said = [page(1), ZeroDivisionError("anna@acme.example wrote it"), page(2)]
    await post.add("others", options())
    async with writing(post.engine) as connection:
        await connections.change(connection, "others", connector="other")
    feed = post.feed()
    feed.shared.catalogue["other"] = other
    async with running(feed):
        assert "unexpectedly (ZeroDivisionError)" in await told(post)
        await read_up_to(post, 2, "others")
        post.later(10)
        await read_up_to(post, 2)
    assert "anna@" not in str(await post.stored())
    assert "connection.read.failed" in caplog.text


async def test_a_paused_connection_is_not_read_until_it_is_resumed(post: Post) -> None:
    post.tool.said = [page(1)]
    async with running(post.feed()) as feed:
        await read_up_to(post, 1)
        await post.change(state=connections.PAUSED)
        await until(lambda: _true(feed.readers == {}))
        post.tool.said.append(page(2))
        await post.change(state=connections.READING)
        await read_up_to(post, 2)


async def test_a_connection_that_is_changed_is_opened_anew(post: Post) -> None:
    post.tool.said = [page(1)]
    async with running(post.feed()):
        await read_up_to(post, 1)
        async with writing(post.engine) as connection:
            await connections.start_again(connection, "memos", None)
        await until(lambda: _true(post.tool.opened == 2))
        await read_up_to(post, 1)
    assert post.tool.asked[:2] == [("pages", None), ("pages", None)]


async def test_two_feeds_share_connections_and_one_takes_over_what_the_other_left(post: Post) -> None:
    for name in ("m1", "m2", "m3"):
        await post.add(name, options())
    post.tool.said = [page(1)]
    one, other = post.feed(), post.feed()
    async with running(one):
        async with running(other):
            await until(lambda: _true(len(one.readers) + len(other.readers) == 4))
            assert set(one.readers).isdisjoint(other.readers)
        await until(lambda: _true(len(one.readers) == 4))  # its leases were given back: no waiting
    assert post.tool.opened >= 4


async def test_a_feed_that_slept_writes_nothing_after_another_took_over(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    post.tool.said = [page(1)]
    slept = post.feed(poll=0.2)
    await slept.step()
    await read_up_to(post, 1)
    post.later(11)
    async with writing(post.engine) as connection:
        assert await leases.take(connection, "connection:memos", "another", post.now()) is not None
    post.tool.said.append(page(2))
    await until(lambda: _true(not slept.readers))  # its next round finds the lease gone
    assert (await post.stored()).cursor == {"page": 1}
    assert len(await post.pages()) == 1
    assert "connection.lost" in caplog.text


async def test_deliveries_become_pages_and_thin_ones_are_fetched(post: Post) -> None:
    async with running(post.feed()):
        await until(lambda: _true(post.tool.opened == 1))
        await deliver(post, b"tell 1", b"hint 7", b"nonsense", b"hint 7 ", forged=b"tell 3")
        await until(lambda: _none_left(post))
    assert [event for event in post.tool.asked if event[0] == "fetch"] == [("fetch", ("7",))]
    assert len(post.log.records) == 2
    reasons = sorted(letter.reason for letter in await post.letters())
    assert reasons == ["body: two words are needed", "the signature does not fit"]
    assert (await post.stored()).cursor is None


async def _none_left(post: Post) -> bool:
    return await undelivered(post) == 0


async def test_a_delivery_that_comes_while_a_page_is_read_is_not_left_until_the_next_poll(post: Post) -> None:
    class Slow(Tool):
        async def pages(self, *given: object) -> AsyncIterator[Page]:
            self.asked.append(("pages", None))
            if len(self.asked) == 1:
                await deliver(post, b"tell 4")
                await asyncio.sleep(0.1)  # the feed sees the flag meanwhile
            for one in self.said:
                assert isinstance(one, Page)
                yield one

    post.tool = Slow()
    async with running(post.feed(poll=3600)):
        await until(lambda: _true(len(post.tool.asked) > 1))
        await until(lambda: _none_left(post))
    assert len(post.log.records) == 1


async def test_a_hint_that_cannot_be_fetched_keeps_no_poll_from_telling(post: Post) -> None:
    post.tool.stuck = RetryLater("that thing is locked", 3600)
    post.tool.said = [page(1)]
    await deliver(post, b"hint 7")
    async with running(post.feed()):
        await read_up_to(post, 1)

        async def told() -> bool:
            return (await post.stored()).problem == "that thing is locked"

        await until(told)
    assert await undelivered(post) == 1


async def test_more_deliveries_than_one_look_takes_are_all_handled(post: Post) -> None:
    await deliver(post, *(b"hint %d" % number for number in range(1, 451)))
    async with running(post.feed(poll=3600)):
        await until(lambda: _none_left(post))
    assert len(post.log.records) == 450


async def test_the_census_comes_once_in_its_interval_and_goes_on_where_it_was(post: Post) -> None:
    post.tool.found = [Page((memo(1),), {"seen": 1}, None), Page((memo(2),), {"seen": 2}, None)]
    async with running(post.feed(census=100, poll=0.05)):
        await until(lambda: _true(len(post.tool.asked) > 3))
        assert "census" not in dict(post.tool.asked)
        post.later(101)

        async def counted() -> bool:
            return (await post.stored()).census_at == post.now()

        await until(counted)
        assert (await post.stored()).census_cursor == {"seen": 2}
        assert (await post.stored()).cursor is None
    assert [one for one in post.tool.asked if one[0] == "census"] == [("census", None)]
    assert len(post.log.records) == 2


async def test_what_an_embedded_broker_lost_is_read_again(post: Post) -> None:
    post.tool.said = [page(1), page(2)]
    async with running(post.feed(embedded=True)):
        await until(lambda: _true(len(post.log.records) == 2))
        await deliver(post, b"tell 9")
        await until(lambda: _true(len(post.log.records) == 3))
        await until(lambda: _none_left(post))
        post.later(31)  # nobody has applied it: the broker evicted it
        await until(lambda: _true(len(post.log.records) >= 6))
        await post.apply(post.log.records, EMBEDDED_ONE)
        await read_up_to(post, 2)
        await until(lambda: _none_left(post))


async def test_a_database_that_is_away_is_told_once_and_no_tool_is_asked_meanwhile(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.tool.said = [page(1)]
    if post.engine.dialect.name != "sqlite":
        pytest.skip("takes SQLite's lock; PostgreSQL's outages are among the fault tests")
    async with running(post.feed(poll=0.1)) as feed:
        await read_up_to(post, 1)
        async with post.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE leases RENAME TO away")
        await until(lambda: _true(bool(feed.waiting.says)))
        post.later(5)
        await until(lambda: _true(not feed.readers))
        asked = len(post.tool.asked)
        await asyncio.sleep(1.2)
        assert len(post.tool.asked) == asked
        assert feed.waiting.says.startswith("reading waits for the database: ")
        assert [one.message for one in caplog.records].count("feed.waits") <= 2
        async with post.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE away RENAME TO leases")
        post.tool.said.append(page(2))
        post.later(30)
        await read_up_to(post, 2)
        await until(lambda: _true(not feed.waiting.says))
