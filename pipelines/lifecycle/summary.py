"""One line about a request in people's words, rendered when it is served: it speaks of "5 days", the record never."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from schemas.records import Current, Dependency, Holder, Outcome, Progress
from schemas.stages import NOT_MAPPED

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_KEYS = 3


class Standing(Protocol):
    """How a request stands: what of a record the line is made of."""

    @property
    def current(self) -> Current:
        """Where it is."""

    @property
    def outcome(self) -> Outcome | None:
        """How it ended."""

    @property
    def progress(self) -> Progress:
        """How many issues are done."""

    @property
    def blocked_by(self) -> Sequence[Dependency]:
        """What its parts wait on."""

    @property
    def holder(self) -> Holder | None:
        """Who has it now."""


def summary(record: Standing, now: datetime) -> str:
    """Stage, progress, what it waits on and who has it: "In development since 3 March; 4 of 6 issues done; …".

    Days are days of now's time zone. Raises ValueError if now has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("now: a time without a zone names no instant; give one with a zone")
    pieces = [_where(record, now), _progress(record), _waits(record, now)]
    if record.holder and record.current.state not in ("done", "cancelled"):
        person = record.holder.person
        pieces.append(f"with {person.name or person.address or person.id}")
    return "; ".join(piece for piece in pieces if piece)


def day(at: datetime, now: datetime) -> str:
    """A day as people say it: `3 March`, with the year where it is not this one."""
    local = at.astimezone(now.tzinfo)
    text = f"{local.day} {_MONTHS[local.month - 1]}"
    return text if local.year == now.year else f"{text} {local.year}"


def lasted(length: timedelta) -> str:
    """A length of time as people say it: minutes below an hour, hours below two days, then days."""
    minutes = max(int(length.total_seconds()) // 60, 0)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return _count(minutes, "minute")
    if minutes < 2 * 24 * 60:
        return _count(minutes // 60, "hour")
    return _count(minutes // (24 * 60), "day")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _where(record: Standing, now: datetime) -> str:
    current = record.current
    if record.outcome and record.outcome.result == "cancelled":
        when = f" on {day(record.outcome.at, now)}" if record.outcome.at else ""
        reason = f" ({record.outcome.reason})" if record.outcome.reason else ""
        place = "" if current.stage == NOT_MAPPED else f" in {current.stage}"
        return f"Cancelled{place}{when}{reason}"
    if record.outcome:
        return f"Done{_since(record.outcome.at, now)}"
    if current.state == "done" and current.stage == NOT_MAPPED:
        return f"Done{_since(current.state_since, now)}, not mapped to a stage"
    if current.state == "done":
        return f"{current.stage[:1].upper()}{current.stage[1:]} done{_since(current.state_since, now)}"
    place = "Not mapped to a stage" if current.stage == NOT_MAPPED else f"In {current.stage}"
    again = f" (round {current.round})" if current.round > 1 else ""
    return f"{place}{again}{_since(current.stage_since, now)}"


def _since(at: datetime | None, now: datetime) -> str:
    return f" since {day(at, now)}" if at else ""


def _progress(record: Standing) -> str:
    done, total = record.progress.done, record.progress.total
    if not total or record.current.state == "cancelled":
        return ""
    return f"{done} of {_count(total, 'issue')} done"


def _waits(record: Standing, now: datetime) -> str:
    current = record.current
    keys = list(dict.fromkeys(each.other_key or each.other for each in record.blocked_by if each.open))
    if current.state == "waiting":
        whom = {"customer": "for the customer", None: ""}.get(current.waiting, f"for {current.waiting}")
        if current.waiting == "blocked":
            whom = f"on {_named(keys)}" if keys else "on what blocks it"
        length = f"for {lasted(now - current.state_since)}" if current.state_since else ""
        return " ".join(word for word in ("waiting", whom, length) if word)
    if keys and current.state not in ("done", "cancelled"):
        return f"a part waits on {_named(keys)}"
    return ""


def _named(keys: Sequence[str]) -> str:
    """Some, and how many more: `PAY-1`, `PAY-1 and PAY-2`, `PAY-1, PAY-2, PAY-3 and 2 more`."""
    left = len(keys) - _KEYS
    shown = [*keys[:_KEYS], *([f"{left} more"] if left > 0 else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
