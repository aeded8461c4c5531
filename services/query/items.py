"""A request as an item of a list: columns, and the line that says how it stands."""

from datetime import datetime
from typing import Any, Protocol

import orjson
from pydantic import BaseModel, ConfigDict

from pipelines.lifecycle.summary import summary
from schemas.canonical import instant
from schemas.records import Current, Dependency, Holder, Instant, Outcome, Progress


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
        """Hash of the record."""

    @property
    def problem(self) -> str | None:
        """Why it is not up to date."""


class Brief(BaseModel):
    """What an item needs of a stored record."""

    model_config = ConfigDict(frozen=True)

    title: str | None
    current: Current
    holder: Holder | None
    outcome: Outcome | None
    progress: Progress
    blocked_by: tuple[Dependency, ...]
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


def item(row: Row, now: datetime, *, whole: bool) -> dict[str, Any]:
    """The item; with `whole`, the record goes in as it is stored."""
    record = Brief.of(row.record)
    told: dict[str, Any] = {
        "id": row.id,
        "title": record.title,
        "stage": record.current.stage,
        "state": record.current.state,
        "stage_since": _told(record.current.stage_since),
        "created_at": _told(record.created_at),
        "changed_at": _told(record.changed_at),
        "holder": record.holder.person.name if record.holder else None,
        "summary": summary(record, now),
        "etag": row.etag,
        "problem": row.problem,
    }
    return {**told, "record": orjson.Fragment(row.record)} if whole else told


def _told(at: datetime | None) -> str | None:
    return instant(at) if at else None
