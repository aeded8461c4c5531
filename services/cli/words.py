"""Moments and lengths as people say them, in the reader's zone."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any

import typer

from pipelines.lifecycle.summary import day, lasted
from services.admin.words import counted, listed

__all__ = [
    "BEGINNING",
    "ago",
    "counted",
    "is_length",
    "listed",
    "moment",
    "progress",
    "read_start",
    "short",
    "true_up_to",
]


BEGINNING = "beginning"
"""In place of a moment: from the first thing there is."""
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_YEARS = range(1900, 9999)
"""Beyond them a zone's offset leads out of what a datetime can hold."""
_LONGEST = timedelta(days=36_525)


def moment(at: datetime, now: datetime) -> str:
    """`10:42` today, `3 March 10:42` otherwise, with the year where it is not this one."""
    local = at.astimezone(now.tzinfo)
    clock = f"{local.hour:02}:{local.minute:02}"
    return clock if local.date() == now.date() else f"{day(at, now)} {clock}"


def ago(at: datetime, now: datetime) -> str:
    """`5 minutes ago`; `just now` for less than a minute."""
    return "just now" if now - at < timedelta(minutes=1) else f"{lasted(now - at)} ago"


def short(text: str, most: int = 80) -> str:
    """In one line, and cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def true_up_to(row: Any, now: datetime) -> str:
    """How fresh a connection is, from a row of connections."""
    if row.true_up_to is not None:
        told = f"true up to {moment(row.true_up_to, now)}"
    elif row.first_read_done:
        told = "read, but its time is not known yet"
    else:
        told = f"first read under way: {progress(row)}"
    return told if row.state == "reading" else f"{told}, {row.state}"


def progress(row: Any) -> str:
    """How far a first read is; the whole is an estimate."""
    if not row.progress_done:
        return "nothing read yet"
    if not row.progress_total or row.progress_total < row.progress_done:
        return f"{row.progress_done:,} read"
    share = 100 * row.progress_done // row.progress_total
    return f"{row.progress_done:,} of about {row.progress_total:,} read ({share} %)"


def read_moment(text: str, now: datetime, option: str, also: str = "") -> datetime:
    """An instant as a person types it: `2026-03-05` (the end of that day), `2026-03-05 14:30`, or with a zone.

    also: what else may be given. Raises typer.BadParameter for what is none, or lies ahead.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise _no_moment(option, also) from None
    if at.year not in _YEARS:
        raise _no_moment(option, also)
    only_day = _is_day(text)
    if only_day:
        at = datetime.combine(at.date(), time.max)
    at = at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
    if only_day and at.astimezone(now.tzinfo).date() == now.date():
        return now
    if at > now:
        raise typer.BadParameter("that lies ahead; give a moment up to now", param_hint=option)
    return at


def _no_moment(option: str, also: str) -> typer.BadParameter:
    said = f"give a date or a time, such as 2026-03-05 or 2026-03-05T14:30{also}"
    return typer.BadParameter(said, param_hint=option)


def read_start(text: str, now: datetime, option: str) -> datetime:
    """As read_moment, but a date alone is the beginning of that day; also a length of time before now: `90d`."""
    if (length := _length(text)) is not None:
        return now - length
    at = read_moment(text, now, option, ", or a length of time such as 90d")
    return datetime.combine(at.date(), time.min, at.tzinfo) if _is_day(text) else at


def _is_day(text: str) -> bool:
    """Whether it is a date alone, however ISO 8601 writes it: `2026-03-05`, `20260305`."""
    try:
        date.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def read_length(text: str, option: str) -> timedelta:
    """A length of time: `14d`, `2w`, `36h`, `90m`, or a number of days. Raises typer.BadParameter."""
    length = _length(text)
    if length is None:
        raise typer.BadParameter("give a length of time, such as 14d, 2w or 36h", param_hint=option)
    return length


def is_length(text: str) -> bool:
    """Whether it is a length of time."""
    return _length(text) is not None


def _length(text: str) -> timedelta | None:
    found = re.fullmatch(r"([0-9]{1,6})\s*([wdhm]?)", text.strip().lower())
    length = timedelta(**{_UNITS[found[2] or "d"]: int(found[1])}) if found else None
    return length if length is None or length <= _LONGEST else None
