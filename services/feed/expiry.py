"""When credentials end: tools show it once, so that admins enter it as `expires` beside the credential."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.feed.told import Expiry

AHEAD = timedelta(days=30)
OPTION = "expires"


def found(options: Mapping[str, Any], now: datetime) -> Iterator[Expiry]:
    """Every `expires` in stored options that holds a date; the credential lasts to the end of the day before."""
    for name, value in _named(options, ""):
        day = _day(value)
        if day is not None:
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            yield Expiry(name, at, at - now <= AHEAD, _says(at, now))


def _named(options: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{prefix}{name}.")
        elif name == OPTION:
            yield f"{prefix}{name}", value


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _says(at: datetime, now: datetime) -> str:
    if at <= now:
        return f"its credential ended on {at:%Y-%m-%d}, as was entered: make a new one in the tool and enter it"
    days = (at - now).days
    left = "in less than a day" if days < 1 else "in 1 day" if days == 1 else f"in {days} days"
    return f"its credential ends {left} ({at:%Y-%m-%d}): make a new one in the tool and enter it before"
