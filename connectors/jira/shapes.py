"""Careful hands for JSON that may have any shape: what is not as expected reads as nothing, never as an error."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def obj(value: object) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> Iterator[dict[str, Any]]:
    """The objects in a list; nothing for anything else."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def word(value: object) -> str | None:
    """A text or a number as text; None for anything else and for an empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else None
    return value or None


def number(value: object) -> int | None:
    """A whole number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15 else None


def moment(value: object) -> datetime | None:
    """The instant that Jira means: ISO text with a zone, or milliseconds since 1970. None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value / 1000, UTC)
        elif isinstance(value, str):
            at = datetime.fromisoformat(value)
        else:
            return None
        if at.tzinfo is None:
            return None
        at = at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if EARLIEST <= at <= LATEST else None
