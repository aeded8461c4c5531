"""When a connection hears nothing for unusually long. Pure: what was heard and the time are arguments.

The rule. A silence is the whole hours since the last hour that brought anything, at most a week of them. It is unusual
when it has lasted two hours or more, and the same hours of the week brought at least three events in at least three of
the four weeks before it. Weeks before the connection was first heard of do not count, and fewer than three such weeks
say nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import TypeAdapter

WEEKS = 4
ENOUGH_WEEKS = 3
ENOUGH_EVENTS = 3
SHORTEST = timedelta(hours=2)
LONGEST = WEEK = timedelta(weeks=1)
_HOUR = timedelta(hours=1)

Verdict = Literal["not checked", "quiet", "broken"]


@dataclass(frozen=True, slots=True)
class Unusual:
    """A silence that the weeks before did not have."""

    since: datetime
    """The beginning of its first hour."""
    usual: int
    """Events that the same hours brought in a week before: the third most of four weeks."""


@dataclass(frozen=True, slots=True)
class Silence:
    """An unusual silence, and what came out when the tool was asked."""

    since: datetime
    usual: int
    verdict: Verdict = "not checked"
    checked_at: datetime | None = None
    says: str = ""
    """What the check said; with the mend where it failed."""


def unusual(heard: Mapping[datetime, int], now: datetime) -> Unusual | None:
    """Whether the silence that lasts until now is unusual. heard: beginning of an hour to its events, in UTC."""
    brought = sorted(hour for hour, events in heard.items() if events > 0)
    if not brought:
        return None
    since = brought[-1] + _HOUR
    whole = now.replace(minute=0, second=0, microsecond=0)
    until = min(whole, since + LONGEST)
    if until - since < SHORTEST:
        return None
    weeks = [
        _sum(heard, since - number * WEEK, until - number * WEEK)
        for number in range(1, WEEKS + 1)
        if since - number * WEEK >= brought[0]
    ]
    if len(weeks) < ENOUGH_WEEKS:
        return None
    usual = sorted(weeks, reverse=True)[ENOUGH_WEEKS - 1]
    return Unusual(since, usual) if usual >= ENOUGH_EVENTS else None


def _sum(heard: Mapping[datetime, int], since: datetime, until: datetime) -> int:
    hours = int((until - since) / _HOUR)
    return sum(heard.get(since + number * _HOUR, 0) for number in range(hours))


_JSON = TypeAdapter(Silence)


def read(stored: str | None) -> Silence | None:
    """From JSON."""
    return _JSON.validate_json(stored) if stored else None


def dump(silence: Silence) -> str:
    """As JSON."""
    return _JSON.dump_json(silence).decode()
