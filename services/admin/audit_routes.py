"""The audit, for admins: searched, and exported. Both are audited."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from schemas.access import Role
from schemas.canonical import storable
from services.admin import auditing
from services.admin.audit import note
from services.admin.auditing import Sought
from services.admin.entrance import Asking, Entered, Entrance
from services.admin.writing import written
from services.query import paging
from services.query.access import needs
from services.query.audience import Seen, View
from services.query.heads import only_head
from services.query.instants import At
from services.query.problems import documented
from services.query.serving import answer, told

router = APIRouter(tags=["audit"], dependencies=[needs(Role.ADMIN)], responses=documented(400, 401, 403, 422, 503))

_KIND = "audit"
_LONGEST = 200
_DIGITS = 18


class Filter(BaseModel):
    """Which entries; several filters mean all of them."""

    model_config = ConfigDict(extra="forbid")

    who: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST, description="Name or id of who did it", examples=["Anna Berg"]
    )
    action: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST, description="All of it, or its beginning up to a dot",
        examples=["account"],
    )  # fmt: skip
    on: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST, description="What it was done to",
        examples=["connection jira-acme"],
    )  # fmt: skip
    q: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST, description="Words that stand anywhere in it; all of them"
    )
    since: At | None = Field(default=None, description="At this instant or later",
                                        examples=["2026-03-03T09:00:00Z"])  # fmt: skip
    until: At | None = Field(default=None, description="Before this instant")

    def sought(self, view: View) -> Sought:
        """As it is looked for by who asks."""
        who, action, on, words = map(_plain, (self.who, self.action, self.on, self.q))
        return Sought(who, action, on, words, self.since, self.until, view.outside)


def _plain(text: str | None) -> str | None:
    """No entry holds a NUL or half a character."""
    return storable(text) if text else None


class Listed(Filter):
    """Which entries, and from where."""

    cursor: str | None = Field(default=None, max_length=500, description="`next` of the page before")
    limit: int = Field(default=50, ge=1, le=200)


class Entry(BaseModel):
    """Who did what, when, from where, and how it was before and after."""

    number: int = Field(examples=[1])
    at: str = Field(examples=["2026-03-03T09:00:00.000000Z"])
    who: str = Field(description="`nobody` where it was not known who", examples=["Anna Berg"])
    account: str | None = Field(examples=["A-mzxw6ytboi"])
    how: Literal["loopback", "session", "token", "proxy", "nobody"]
    action: str = Field(examples=["account.changed"])
    on: str = Field(examples=["account A-mzxw6ytboi"])
    before: dict[str, Any] | None = Field(description="Secrets are masked", examples=[{"role": "viewer"}])
    after: dict[str, Any] | None = Field(examples=[{"role": "editor"}])
    where: str | None = Field(description="Address; null: a command on the hub's machine", examples=["192.0.2.7"])


class Entries(BaseModel):
    """The newest first."""

    items: list[Entry]
    next: str | None = Field(description="Cursor of the next page; null: this is the last")


@router.get("/audit", response_model=Entries, summary="Who did what")
async def entries(listed: Annotated[Listed, Query()], parts: Entered, view: Seen) -> Response:
    """Entries are added in the step that does what they tell, and are never changed or removed. What was edited of a
    dead letter is told to who may read its connection."""
    kind = paging.asked(_KIND, listed)
    before = _number(paging.place(kind, listed.cursor))
    async with parts.database.reading() as connection:
        rows = await auditing.page(connection, listed.sought(view), before, listed.limit + 1)
    items = [auditing.entry(row, view.outside) for row in rows[: listed.limit]]
    following = paging.cursor(kind, (str(items[-1]["number"]), "")) if len(rows) > listed.limit else None
    return answer({"items": items, "next": following})


def _number(place: paging.Place | None) -> int | None:
    if place is None:
        return None
    if not (place[0].isascii() and place[0].isdecimal() and len(place[0]) <= _DIGITS):
        raise paging.foreign()
    return int(place[0])


@router.get("/audit.csv", summary="The audit as a table", responses={
    200: {"description": "One line an entry, the newest first", "content": {"text/csv": {"schema": {"type": "string"}}}}
})  # fmt: skip
async def export(
    sought: Annotated[Filter, Query()], caller: Asking, parts: Entered, view: Seen, asked: Request
) -> Response:  # fmt: skip
    """All entries that the filter leaves. That they were exported is an entry, too."""
    if not only_head(asked):
        by = parts.by(caller, asked)
        asked_for = {name: _told(value) for name, value in sought.model_dump(exclude_none=True).items()}
        async with written(parts.engine) as connection:
            await note(connection, caller, "audit.exported", "audit", None, asked_for, by.now, by.where)
    return StreamingResponse(
        _lines(parts, sought.sought(view)), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "no-store"},
    )  # fmt: skip


def _told(value: Any) -> Any:
    return told(value) if isinstance(value, datetime) else value


async def _lines(parts: Entrance, sought: Sought) -> AsyncIterator[str]:
    yield _line(list(auditing.COLUMNS))
    async for row in auditing.everything(parts.database.reading, sought):
        yield _line(auditing.cells(row, sought.outside))


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
