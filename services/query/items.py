"""A request as an item of a list: columns, and the line that says how it stands."""

from collections import OrderedDict
from datetime import datetime
from typing import Any, Protocol

import orjson
from pydantic import BaseModel, ConfigDict

from pipelines.lifecycle.summary import summary
from schemas.canonical import instant
from schemas.records import (
    Amount,
    Current,
    Dependency,
    Expected,
    Holder,
    Instant,
    Outcome,
    PersonView,
    Progress,
    StatedDate,
)


class Row(Protocol):
    """A stored request, from whichever statement."""

    @property
    def id(self) -> str:
        """Request id."""

    @property
    def record(self) -> str:
        """Canonical text."""

    @property
    def etag(self) -> str:
        """Hash of the record, and of how much of it is shown."""

    @property
    def problem(self) -> str | None:
        """Why it is not up to date."""


class Brief(BaseModel):
    """What an item needs of a stored record."""

    model_config = ConfigDict(frozen=True)

    title: str | None
    requester: PersonView | None
    holder: Holder | None
    business_unit: str | None
    current: Current
    blocked_by: tuple[Dependency, ...]
    dates: tuple[StatedDate, ...]
    outcome: Outcome | None
    amount: Amount | None
    expected: Expected
    progress: Progress
    created_at: Instant | None
    changed_at: Instant | None

    @classmethod
    def of(cls, record: str) -> "Brief":
        """Of canonical text, whose fields stand in the order of LifecycleRecord: nine tenths of it, from the stages to
        the links, stand together and are not parsed. In no text do these marks occur, for there a quote is escaped.
        """
        start = record.find(',"stages":[')
        end = record.find(',"blocked_by":[', start)
        return cls.model_validate_json(record[:start] + record[end:] if 0 < start < end else record)


class Briefs:
    """Those of the records that were told last: parsing one costs more than reading its row."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: OrderedDict[tuple[str, int], Brief] = OrderedDict()

    def of(self, row: Row) -> Brief:
        """What an item needs. Raises ValidationError for what is no record."""
        key = row.etag, hash(row.record)  # as of another day, a request has another text and the same ETag
        brief = self._told.pop(key, None) or Brief.of(row.record)
        self._told[key] = brief
        if len(self._told) > self._most:
            self._told.popitem(last=False)
        return brief


_briefs = Briefs(2_000)


def item(row: Row, now: datetime, *, whole: bool) -> dict[str, Any]:
    """The item; with `whole`, the record goes in as it is stored."""
    record = _briefs.of(row)
    told: dict[str, Any] = {
        "id": row.id,
        "title": record.title,
        "stage": record.current.stage,
        "state": record.current.state,
        "stage_since": _told(record.current.stage_since),
        "created_at": _told(record.created_at),
        "changed_at": _told(record.changed_at),
        "requester": _called(record.requester),
        "holder": _called(record.holder.person if record.holder else None),
        "waiting": record.current.waiting,
        "waits_on": record.expected.waits_on,
        "expected": record.expected.words,
        "due": _due(record.dates),
        "unit": record.business_unit,
        "amount": record.amount.model_dump() if record.amount else None,
        "summary": summary(record, now),
        "etag": row.etag,
        "problem": row.problem,
    }
    return {**told, "record": orjson.Fragment(row.record)} if whole else told


def _called(person: PersonView | None) -> str | None:
    return person.name or person.address or person.id if person else None


def _due(dates: tuple[StatedDate, ...]) -> dict[str, str] | None:
    """The earliest date that a tool states: what is due before what is only aimed at."""
    first = min(dates, key=lambda one: (one.meaning, one.value), default=None)
    return {"meaning": first.meaning, "value": first.value} if first else None


def _told(at: datetime | None) -> str | None:
    return instant(at) if at else None
