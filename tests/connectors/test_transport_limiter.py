"""A connection takes its share of a tool's rate limit and says what it waits for."""

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from connectors.limiter import Limiter
from services.sandbox.hubspot_limits import Limits

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0
        self.said: list[str | None] = []
        self.limiter: Limiter | None = None

    def clock(self) -> float:
        return self.at

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at - 100.0)

    def block(self, seconds: float) -> None:
        assert self.limiter is not None
        self.said.append(self.limiter.waiting)
        self.at += seconds

    async def sleep(self, seconds: float) -> None:
        self.block(seconds)
        await asyncio.sleep(0)


def limited(**more: float) -> tuple[Limiter, Time]:
    time = Time()
    time.limiter = Limiter("Jira", clock=time.clock, sleep=time.sleep, block=time.block, now=time.now, **more)
    return time.limiter, time


async def test_a_share_of_the_limit_is_taken() -> None:
    limiter, time = limited(requests=100, window=10)  # a quarter of 10/s, 2.5 at once
    for _ in range(101):
        await limiter.turn()
    assert time.at - 100.0 == pytest.approx(100 / 2.5, abs=1)
    assert limiter.waited == pytest.approx(time.at - 100.0)


async def test_no_window_ever_holds_more_than_the_tool_allows() -> None:
    limiter, time = limited(requests=20, window=2, share=0.5)
    turns = []
    for number in range(200):
        await limiter.turn()
        turns.append(time.at)
        if number % 50 == 49:
            time.at += 30  # a pause saves up nothing beyond a second's worth
    for start in turns:
        assert sum(start <= turn < start + 2 for turn in turns) <= 0.5 * 20 + 5


async def test_a_connection_begins_as_after_a_pause() -> None:
    limiter, time = limited(requests=400, window=10)  # a quarter of 40/s
    for _ in range(10):
        await limiter.turn()
    assert time.at == 100.0, "a second's worth at once"
    await limiter.turn()
    assert time.at == pytest.approx(100.1)


def test_worker_threads_share_the_same_turns() -> None:
    limiter, time = limited(requests=4, window=1)
    for _ in range(5):
        limiter.turn_in_thread()
    assert time.at - 100.0 == pytest.approx(4.0)


async def test_a_refusal_with_a_wait_holds_everyone() -> None:
    limiter, time = limited(requests=1000)
    limiter.heard({"Retry-After": "12"}, 429)
    await limiter.turn("search")
    assert time.at - 100.0 == pytest.approx(12)
    assert time.said == ["waiting 12 s for Jira's rate limit, until 12:00:12 UTC"]
    assert limiter.waiting is None


async def test_a_burst_limit_holds_its_own_part_only() -> None:
    limiter, time = limited(requests=1000)
    limiter.heard({"Retry-After": "12", "RateLimit-Reason": "jira-burst-based"}, 429, "search")
    await limiter.turn("issue")
    assert time.at == 100.0
    limiter.heard({"Retry-After": "20", "RateLimit-Reason": "jira-quota-tenant-based"}, 429, "search")
    await limiter.turn("issue")
    assert time.at == pytest.approx(120.0)


@pytest.mark.parametrize(
    "headers", [{}, {"Retry-After": "0"}, {"X-RateLimit-Reset": "2026-11-21T12:00Z"}], ids=["none", "zero", "over"]
)
async def test_refusals_without_a_wait_back_off(headers: dict[str, str]) -> None:
    """A wait that is over before it began, such as a reset that is told in whole minutes, is none."""
    limiter, time = limited(requests=1000)
    waits = []
    for _ in range(8):
        before = time.at
        limiter.heard(headers, 429)
        await limiter.turn()
        waits.append(round(time.at - before))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]
    limiter.heard({}, 200)
    before = time.at
    limiter.heard({}, 429)
    await limiter.turn()
    assert round(time.at - before) == 2


@pytest.mark.parametrize("late", [0.02, 0.1, 0.24])
async def test_a_limit_that_no_header_tells_is_kept_though_requests_come_late(late: float) -> None:
    """The whole share of 5 a second: what goes out comes in late by 0 to `late` seconds."""
    limiter, time = limited(requests=1000, share=1.0)
    limiter.announce_part("search", 5, 1)
    came, network = [], Random(11)
    for _ in range(300):
        await limiter.turn("search")
        came.append(time.at + network.choice([0.0, network.uniform(0, late), late]))
    here = [0.0]
    limits = Limits(clock=lambda: here[0])
    for here[0] in sorted(came):
        limits.refusal(search=True)
    assert limits.refused == []
    assert time.at - 100.0 == pytest.approx(299 / 4)


async def test_a_turn_that_is_taken_late_is_not_followed_at_once_where_no_header_tells() -> None:
    time, delays = Time(), [0.3, 0.0, 0.0]

    async def sleep(seconds: float) -> None:
        time.at += seconds + delays.pop(0)

    limiter = Limiter("HubSpot", requests=1000, share=1.0, clock=time.clock, sleep=sleep)
    limiter.announce_part("search", 5, 1)
    turns = []
    for _ in range(4):
        await limiter.turn("search")
        turns.append(time.at - 100.0)
    assert turns == pytest.approx([0.0, 0.55, 0.8, 1.05])


async def test_headers_teach_the_limit() -> None:
    limiter, _ = limited()
    limiter.heard({"X-HubSpot-RateLimit-Max": "190", "X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}, 200)
    assert limiter.rate == pytest.approx(0.25 * 19)
    limiter.heard({"X-RateLimit-FillRate": "8", "X-RateLimit-Interval-Seconds": "2"}, 200)
    assert limiter.rate == pytest.approx(0.25 * 4)
    limiter.heard({"X-RateLimit-FillRate": "nan", "X-RateLimit-Interval-Seconds": "0"}, 200)
    assert limiter.rate == pytest.approx(0.25 * 4)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-11-21T12:01Z"}, 60),
        ({"X-RateLimit-NearLimit": "true"}, 4 / 25),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "10"}, 4 / 25),
        ({"X-HubSpot-RateLimit-Max": "100", "X-HubSpot-RateLimit-Remaining": "3"}, 4 / 25),
        ({"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "90", "X-RateLimit-Reset": "2026-11-21T12:01Z"}, 0),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "-1"}, 0),
    ],
)
async def test_a_nearly_used_up_limit_is_left_to_others(headers: dict[str, str], wait: float) -> None:
    limiter, time = limited(requests=100)
    limiter.heard(headers, 200)
    await limiter.turn()
    assert time.at - 100.0 == pytest.approx(wait)


async def test_a_longer_wait_meets_those_who_wait_already() -> None:
    limiter, time = limited(requests=4)
    await limiter.turn()

    async def refused_meanwhile() -> None:
        limiter.heard({"retry-after": "30"}, 429)

    async with asyncio.TaskGroup() as group:
        group.create_task(limiter.turn())
        group.create_task(refused_meanwhile())
    assert time.at - 100.0 == pytest.approx(30, abs=1.01)


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_a_share_is_a_part(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Limiter(share=share)


def test_a_limit_is_a_number_above_zero() -> None:
    with pytest.raises(ValueError, match="requests and window"):
        Limiter().announce(0, 1)


async def test_how_the_share_is_used_is_told() -> None:
    limiter, time = limited(requests=4, window=1)  # a quarter of it: one a second
    assert (limiter.spent().used, limiter.spent().left) == (0.0, None)
    for _ in range(30):
        await limiter.turn()
    spent = limiter.spent()
    assert (spent.share, spent.rate, spent.waiting, spent.until) == (0.25, 1.0, None, None)
    assert spent.used == pytest.approx(0.5, abs=0.05)
    limiter.heard({"X-RateLimit-Limit": "350", "X-RateLimit-Remaining": "349"}, 200)
    assert (limiter.spent().left, limiter.spent().most) == (349, 350)
    time.at += 180
    assert limiter.spent().used == 0.0


async def test_what_is_waited_for_has_an_end() -> None:
    time, seen = Time(), list[datetime | None]()

    async def sleep(seconds: float) -> None:
        seen.append(limiter.spent().until)
        time.at += seconds

    limiter = Limiter("Jira", requests=1000, clock=time.clock, sleep=sleep, now=time.now)
    limiter.heard({"Retry-After": "30"}, 429)
    await limiter.turn()
    assert seen == [START + timedelta(seconds=30)]
    assert limiter.spent().until is None
