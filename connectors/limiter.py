"""A connection's share of what its tool lets everybody ask."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from connectors.outcomes import retry_after

DEFAULT_SHARE = 0.25
_LONGEST_HOLD = 3600.0
_LONGEST_BACKOFF = 60.0
_NEAR = 0.2
"""Below this rest of a window somebody else is busy too, and we step back."""
_STEP_BACK = 4.0
_WORTH_SAYING = 0.5
_MINUTE = 60.0
_UNTOLD_MOST = 0.8
"""The most of a limit that no header tells, whatever the share: in any window of it, requests that come in late by up
to a quarter of the window still find room."""


@dataclass(frozen=True, slots=True)
class Spent:
    """How a share of a rate limit is used."""

    share: float
    rate: float
    """Requests a second that the share allows."""
    used: float
    """The part of them that was taken in the last minute; what may come at once can make it more than 1."""
    left: int | None
    """Requests that are left in the tool's window, as its newest answer says; None where it does not say."""
    most: int | None
    """Of how many."""
    waiting: str | None
    """What is waited for, in words."""
    until: datetime | None


class Limiter:
    """Turns at a tool, evenly spaced: `share` of `requests` in `window` seconds, at most a second's worth at once.

    It learns from the tool's answers (`heard`). Safe for many tasks and threads at once.
    """

    def __init__(
        self,
        tool: str = "the tool",
        *,
        requests: float = 10.0,
        window: float = 1.0,
        share: float = DEFAULT_SHARE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        block: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError("share: give a part above 0 and up to 1")
        self.tool = tool
        self.share = share
        self.waited = 0.0
        """Seconds spent waiting for turns since the start."""
        self._clock, self._sleep, self._block, self.now = clock, sleep, block, now
        self._lock = threading.Lock()
        self._next = float("-inf")  # nothing was asked yet
        self._parts: dict[str, list[float]] = {}
        self._held: dict[str, float] = {}
        self._refusals: dict[str, int] = {}
        self._waiters: dict[int, float] = {}
        self._numbers = count()
        self._minutes: dict[int, int] = {}
        self._told: tuple[int | None, int | None] = (None, None)
        self.announce(requests, window)

    def announce(self, requests: float, window: float, tool: str | None = None) -> None:
        """What the tool's maker says everybody together may ask: so many requests in so many seconds."""
        if requests <= 0 or window <= 0:
            raise ValueError("requests and window: give numbers above 0")
        self.tool = tool or self.tool
        self.rate = self.share * requests / window
        """Requests per second this connection takes."""

    def announce_part(self, key: str, requests: float, window: float) -> None:
        """A part of the tool with a limit of its own beside the tool's, of which we take the same share, four fifths at
        most: its answers do not say when it is nearly used up, so that a late request must not make it one too many.
        """
        if requests <= 0 or window <= 0:
            raise ValueError("requests and window: give numbers above 0")
        if key not in self._parts:
            self._parts[key] = [min(self.share, _UNTOLD_MOST) * requests / window, self._clock()]

    async def turn(self, key: str = "") -> None:
        """Wait until one more request may go out. key names a part of the tool that has limits of its own."""
        number, booked = self._book(key)
        try:
            while (delay := self._delay(number, booked, key)) > 0:
                await self._sleep(delay)
                self._count(delay)
            self._took(key)
        finally:
            self._leave(number)

    def turn_in_thread(self, key: str = "", within: float | None = None) -> bool:
        """The same for a worker thread: blocks it. False at once where it would take longer than `within` seconds."""
        until = None if within is None else self._clock() + within
        number, booked = self._book(key)
        try:
            while (delay := self._delay(number, booked, key)) > 0:
                if until is not None and self._clock() + delay > until:
                    return False
                self._block(delay)
                self._count(delay)
            self._took(key)
            return True
        finally:
            self._leave(number)

    def heard(self, headers: Mapping[str, str], status: int, key: str = "") -> None:
        """Learn from an answer: its limits, how much of them is left, and a refusal (429, or 503 with a wait)."""
        known = {name.lower(): value for name, value in headers.items()}
        with self._lock:
            self._learn(known)
            asked = retry_after(known, self.now())
            if status == 429 or (status == 503 and "retry-after" in known):
                self._refused(known, asked, key)
            else:
                self._refusals.pop(key, None)
                self._near(known, asked, key)

    @property
    def waiting(self) -> str | None:
        """What is waited for and until when, in words; None while nothing worth telling is."""
        left = self._left()
        return None if left is None else self._words(left)

    def spent(self) -> Spent:
        """How the share is used now."""
        left = self._left()
        until = None if left is None else self.now() + timedelta(seconds=left)
        with self._lock:
            used = self._used() / (self.rate * _MINUTE)
            waiting = None if left is None else self._words(left)
            return Spent(self.share, self.rate, used, *self._told, waiting, until)

    def _left(self) -> float | None:
        """Seconds that are waited for still; None where it is not worth telling."""
        with self._lock:
            left = max(self._waiters.values(), default=0.0) - self._clock()
        return None if left < _WORTH_SAYING else left

    def _words(self, left: float) -> str:
        end = self.now() + timedelta(seconds=left)
        return f"waiting {left:.0f} s for {self.tool}'s rate limit, until {end:%H:%M:%S} UTC"

    def _used(self) -> float:
        """Turns taken in the last minute: those of this one, and of the one before as far as it reaches into it."""
        minute, seconds = divmod(self._clock(), _MINUTE)
        before = self._minutes.get(int(minute) - 1, 0)
        return self._minutes.get(int(minute), 0) + before * (1 - seconds / _MINUTE)

    def _took(self, key: str) -> None:
        with self._lock:
            if part := self._parts.get(key):
                # From when it goes out, not from when it was due: we may be late ourselves.
                part[1] = max(part[1], self._clock() + 1 / part[0])
            minute = int(self._clock() // _MINUTE)
            kept = {number: taken for number, taken in self._minutes.items() if number >= minute - 1}
            self._minutes = kept | {minute: kept.get(minute, 0) + 1}

    def _book(self, key: str) -> tuple[int, float]:
        """Take the next free place in the row, and in the part's own: its number, and when it comes up."""
        with self._lock:
            now = self._clock()
            booked = max(self._next, now - (max(1.0, self.rate) - 1) / self.rate)
            self._next = booked + 1 / self.rate
            part = self._parts.get(key)
            if part is not None:
                # Evenly, none at once: such a part says nothing of how much of its limit is left.
                booked = max(booked, part[1], now)
                part[1] = booked + 1 / part[0]
            return next(self._numbers), booked

    def _delay(self, number: int, booked: float, key: str) -> float:
        with self._lock:
            until = max(booked, self._held.get("", 0.0), self._held.get(key, 0.0))
            self._waiters[number] = until
            return until - self._clock()

    def _count(self, seconds: float) -> None:
        with self._lock:
            self.waited += seconds

    def _leave(self, number: int) -> None:
        with self._lock:
            self._waiters.pop(number, None)

    def _hold(self, key: str, seconds: float) -> None:
        now = self._clock()
        self._held = {name: until for name, until in self._held.items() if until > now}
        self._held[key] = max(self._held.get(key, 0.0), now + min(seconds, _LONGEST_HOLD))

    def _refused(self, headers: Mapping[str, str], asked: float | None, key: str) -> None:
        times = self._refusals[key] = self._refusals.get(key, 0) + 1
        # A quota holds for all of the tool (Atlassian, rate limiting: RateLimit-Reason), a burst for one end point.
        everything = "quota" in headers.get("ratelimit-reason", "")
        backoff = min(float(2 ** min(times, 10)), _LONGEST_BACKOFF)
        self._hold("" if everything else key, asked if asked is not None else backoff)

    def _learn(self, headers: Mapping[str, str]) -> None:
        """A limit that comes with its window: HubSpot, and Jira Data Center (fill rate per interval)."""
        most = _number(headers, "x-hubspot-ratelimit-max")
        window = _number(headers, "x-hubspot-ratelimit-interval-milliseconds") / 1000
        if not (most and window):
            most = _number(headers, "x-ratelimit-fillrate")
            window = _number(headers, "x-ratelimit-interval-seconds")
        if most and window:
            self.rate = self.share * most / window

    def _near(self, headers: Mapping[str, str], asked: float | None, key: str) -> None:
        for prefix, most in (("x-ratelimit-", "limit"), ("x-hubspot-ratelimit-", "max")):
            limit, left = _number(headers, prefix + most), headers.get(prefix + "remaining", "")
            near = headers.get(prefix + "nearlimit", "").lower() == "true"
            if left.isdigit() and limit:
                self._told = (int(left), int(limit))
            if left.isdigit() and limit and int(left) == 0 and asked is not None:
                self._hold(key, asked)
            elif near or (left.isdigit() and limit and int(left) < _NEAR * limit):
                self._hold(key, _STEP_BACK / self.rate)


def _number(headers: Mapping[str, str], name: str) -> float:
    """A number above zero, or 0 where the header is missing or says something else."""
    try:
        value = float(headers.get(name, "0"))
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0
