"""What is told of a connection: hours, failures, notices, silence, webhooks, credentials; through a running feed."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
from sqlalchemy import event

from connectors.contract import Misconfigured, RetryLater
from pipelines.store.engine import reading, writing
from services.feed import beside, budgets, failures, hours, watching
from services.feed.budgets import Budget
from services.feed.expiry import found
from services.feed.failures import STUCK, Failed, cause_of
from services.feed.standing import POLLED
from services.feed.webhooks import Webhooks
from tests.pipelines.memos import memo
from tests.services.feed.conftest import Post
from tests.services.feed.telling import HOUR, now_told, once
from tests.services.feed.test_feed import deliver, read_up_to, running, until
from tests.services.feed.tool import catalogue, options, page, signature

# --- hours ---


async def test_events_are_counted_by_hour_and_duplicates_of_a_poll_as_they_come(post: Post) -> None:
    post.tool.said = [page(1), page(2, memo(2), memo(3)), page(3, memo(4))]
    async with running(post.feed()):
        await read_up_to(post, 3)
    told = await now_told(post)
    assert told.hours == ((post.at, 4),)
    assert (told.heard_at, told.place) == (post.at, "page 3")
    async with writing(post.engine) as connection:
        await hours.count(connection, "memos", 2, post.at + timedelta(minutes=59))
        await hours.count(connection, "memos", 1, post.at - hours.KEPT - HOUR)
        await hours.prune(connection, "memos", post.at)
        assert await hours.hours(connection, "memos", post.at - 2 * hours.KEPT) == [(post.at, 6)]


async def test_telling_all_costs_as_many_statements_as_telling_one(post: Post) -> None:
    said: list[str] = []
    event.listen(post.engine.sync_engine, "before_cursor_execute", lambda *given: said.append(given[2]))

    async def cost(ask: Callable[[Any], Awaitable[Any]]) -> int:
        async with reading(post.engine) as connection:
            said.clear()
            await ask(connection)
            return len(said)

    one = await cost(lambda connection: watching.told(connection, "memos", post.at))
    for number in range(8):
        await post.add(f"more-{number}", options())
    assert await cost(lambda connection: watching.every(connection, post.at)) == one == 8
    async with reading(post.engine) as connection:
        assert len(await watching.every(connection, post.at)) == 9
        assert await watching.told(connection, "nobody", post.at) is None


# --- state ---


async def test_a_first_read_has_an_estimated_end(post: Post) -> None:
    post.tool.said = [page(1)]
    async with running(post.feed()):
        await read_up_to(post, 1)
    await post.change(first_read_done=False, progress_done=100, progress_total=300)
    told = await now_told(post)
    assert told.first_read is not None
    assert (told.first_read.done, told.first_read.total, told.first_read.ends_at) == (100, 300, None)
    assert told.says == "The first read is under way"
    begun = post.at
    for number, seconds in ((2, None), (3, 120 + 360)):  # three pages' worth took 180 s, two thirds are left
        post.later(60)
        post.tool.said.append(page(number))
        async with running(post.feed()):
            await read_up_to(post, number)
        await post.change(first_read_done=False, progress_done=100, progress_total=300)
        told = await now_told(post)
        assert told.first_read is not None
        assert told.first_read.ends_at == (begun + timedelta(seconds=seconds) if seconds else None)


async def test_states_in_words(post: Post) -> None:
    assert (await now_told(post)).state == "reading"
    await post.change(problem="the tool asks for a pause", retry_at=post.at + HOUR)
    told = await now_told(post)
    assert (told.state, told.says) == ("waiting", "the tool asks for a pause; tried again at 01:00 UTC")
    await post.change(attention=True)
    assert (await now_told(post)).state == "needs attention"
    await post.change(state="paused", attention=False)
    assert (await now_told(post)).state == "paused"
    await post.change(state="stopped")
    assert (await now_told(post)).state == "stopped"


async def test_a_rate_limit_that_is_waited_for_is_told(post: Post) -> None:
    waits = Budget(
        0.25, 600, 0.8, 3, 100, "waiting 30 s for Memos's rate limit", post.at + timedelta(seconds=30), post.at
    )
    async with writing(post.engine) as connection:
        await beside.put(connection, "memos", budget=budgets.dump(waits))
    told = await now_told(post)
    assert (told.state, told.says, told.budget) == ("waiting", waits.waits, waits)
    post.later(31)
    assert (await now_told(post)).state == "reading"


async def test_a_reader_tells_its_budget(post: Post) -> None:
    post.tool.said = [page(1)]
    async with running(post.feed()):
        await read_up_to(post, 1)
        post.later(4)
        told = await once(post, lambda told: told.budget is not None)
    assert told.budget is not None
    assert (told.budget.share, told.budget.a_minute, told.budget.waits) == (0.25, 150, "")


# --- failures ---


def test_a_cause_has_no_numbers_no_ids_and_no_quotes() -> None:
    one = cause_of("wait", "The tool cannot answer now (HTTP 503) for 'PAY-12', request 4f00aa11-2222")
    assert one == cause_of("wait", "The tool cannot answer now (HTTP 502) for 'OPS-1 x', request 9")
    assert one != cause_of("mend", "The tool cannot answer now (HTTP 503) for 'PAY-12', request 4f00aa11-2222")
    assert one != cause_of("wait", "Nobody answers")


async def test_failures_are_grouped_and_told_with_their_mend(post: Post) -> None:
    post.tool.said = [RetryLater("no answer (HTTP 502)", 1), RetryLater("no answer (HTTP 503)", 1),
                      Misconfigured("the token ended", "make a new one")]  # fmt: skip
    async with running(post.feed()):
        for number in (1, 2, 3):
            await once(post, lambda told, number=number: sum(one.count for one in told.failures) == number)  # type: ignore[misc]
            post.later(1000)
        told = await once(post, lambda told: told.problem is None)
    assert [(one.kind, one.count, one.stuck) for one in told.failures] == [("mend", 1, False), ("wait", 2, False)]
    assert told.failures[0].problem == "the token ended"
    assert told.failures[0].mend == "make a new one"
    assert told.failures[1].problem == "no answer (HTTP 503)"
    assert told.failures[1].last_seen - told.failures[1].first_seen == timedelta(seconds=1000)


async def test_a_page_that_always_fails_is_named_and_a_person_is_asked(post: Post) -> None:
    post.tool.said = [page(1), *(KeyError("a field of the tool") for _ in range(STUCK))]
    async with running(post.feed()):
        for number in range(1, STUCK + 1):
            await once(post, lambda told, number=number: sum(one.count for one in told.failures) == number)  # type: ignore[misc]
            if number < STUCK:
                assert (await now_told(post)).state == "waiting"
                post.later(1000)
        told = await now_told(post)
        assert told.state == "needs attention"
        assert told.problem is not None
        assert told.problem.startswith(
            "The page after page 1 cannot be read: reading failed unexpectedly (KeyError), 5"
        )
        assert "reread NAME --since" in told.problem
        assert told.failures[0].stuck
        assert any("stuck" in warning for warning in told.warnings)
        post.tool.said.append(page(2))
        post.later(1000)
        assert not told.failures[0].over
        told = await once(post, lambda told: told.state == "reading" and told.failures[0].over)
    assert [(one.count, one.stuck) for one in told.failures] == [(STUCK, False)]


async def test_failures_elsewhere_are_not_in_a_row(post: Post) -> None:
    async with writing(post.engine) as connection:
        for place in (1, 1, 2):
            failed = Failed("unexpected", "broke", "mend", {"page": place})
            times = await failures.note(connection, "memos", failed, post.at)
        assert times == 1
        assert await failures.note(connection, "memos", failed, post.at) == 2
        await failures.went_on(connection, "memos")
        assert await failures.note(connection, "memos", failed, post.at) == 1
        await failures.prune(connection, "memos", post.at + failures.KEPT + HOUR)
        assert await failures.of(connection, ["memos"]) == {}


async def test_what_a_webhook_named_and_cannot_be_fetched_is_set_aside(post: Post) -> None:
    post.tool.said, post.tool.bad = [page(1)], {"13"}
    async with running(post.feed()):
        await read_up_to(post, 1)
        await deliver(post, b"hint 12", b"hint 13")

        async def aside() -> bool:
            post.later(1000)
            return bool(await post.letters())

        await until(aside)
        post.tool.said.append(page(2))
        post.later(4000)
        await post.change(wanted=True)
        await read_up_to(post, 2)
    (letter,) = await post.letters()
    assert letter.raw == b"13"
    assert letter.reason == "a webhook named it, and fetching it failed 3 times: KeyError"
    assert any(b'"number":12' in (record.value or b"") for record in post.log.records)


# --- webhooks ---


async def test_a_webhook_that_stopped_is_noticed_by_what_polls_find(post: Post) -> None:
    hooks = Webhooks(post.engine, catalogue(post.tool), post.keys, "https://hub.example", post.now)
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(hooks.app()), base_url="http://127.0.0.1")
    body = b"tell 1"
    assert (await client.post("/hooks/memos", content=body, headers={"x-signature": signature(body)})).is_success
    received = post.at
    told = await now_told(post)
    assert told.webhook is not None
    assert (told.webhook.received_at, told.webhook.polled, told.webhook.stopped) == (received, 0, False)
    post.tool.said = [page(1)]
    async with running(post.feed()):
        await read_up_to(post, 1)
        assert (await once(post, lambda told: told.heard_at is not None)).webhook == told.webhook
        post.later(7200)
        post.tool.said.append(page(2, *(memo(number) for number in range(2, 2 + POLLED))))
        await post.change(wanted=True)
        told = await once(post, lambda told: told.webhook is not None and told.webhook.polled == POLLED)
    assert told.webhook is not None
    assert told.webhook.stopped
    assert told.webhook.says.startswith(f"last received 2026-04-01 00:00 UTC; polls have found {POLLED} events since")
    assert any("webhooks seem to have stopped" in warning for warning in told.warnings)
    body = b"tell 99"
    assert (await client.post("/hooks/memos", content=body, headers={"x-signature": signature(body)})).is_success
    told = await now_told(post)
    await client.aclose()
    assert told.webhook is not None
    assert not told.webhook.stopped


# --- credentials ---


def test_the_end_of_a_credential_is_warned_of_30_days_ahead() -> None:
    now = datetime(2026, 4, 1, tzinfo=UTC)

    def told(day: date) -> tuple[bool, str]:
        (one,) = found({"auth": {"kind": "api_token", "expires": day.isoformat()}, "share": 1}, now)
        assert one.field == "auth.expires"
        return one.soon, one.says

    assert told(date(2026, 6, 1))[0] is False
    assert told(date(2026, 5, 1)) == (
        True, "its credential ends in 30 days (2026-05-01): make a new one in the tool and enter it before"
    )  # fmt: skip
    assert "ended on 2026-04-01" in told(date(2026, 4, 1))[1]
    assert list(found({"auth": {"expires": None}, "other": {"expires": "soon"}}, now)) == []
