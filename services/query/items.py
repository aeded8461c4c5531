"""A request as an item of a list: columns, and the line that says how it stands."""

from datetime import datetime
from typing import Any, Protocol

import orjson

from pipelines.lifecycle.summary import summary
from schemas.canonical import instant
from schemas.records import LifecycleRecord


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


def item(row: Row, now: datetime, *, whole: bool) -> dict[str, Any]:
    """The item; with `whole`, the record goes in as it is stored."""
    record = LifecycleRecord.model_validate_json(row.record)
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
