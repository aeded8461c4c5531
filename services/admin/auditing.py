"""Reading the audit: a page of entries, and all of them for an export."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.admin.tables import audit
from services.query.serving import told

_AT_ONCE = 500

COLUMNS = ("number", "at", "who", "account", "how", "action", "object", "before", "after", "address")


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries; several filters mean all of them."""

    who: str | None = None
    """Name or id of an account."""
    action: str | None = None
    """All of it, or what it begins with, up to a dot."""
    on: str | None = None
    text: str | None = None
    """Stands anywhere in it."""
    since: datetime | None = None
    until: datetime | None = None


async def page(connection: AsyncConnection, sought: Sought, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """The newest first; before: only those with a lower number."""
    wanted = _filtered(sought).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(audit.c.number < before)
    rows: Sequence[Row[Any]] = (await connection.execute(wanted)).all()
    return rows


async def everything(connection: AsyncConnection, sought: Sought) -> AsyncIterator[Row[Any]]:
    """All, the newest first, some hundreds at a time."""
    before: int | None = None
    while rows := await page(connection, sought, before, _AT_ONCE):
        for row in rows:
            yield row
        before = rows[-1].number


def _filtered(sought: Sought) -> Select[Any]:
    wanted = select(audit)
    if sought.who:
        wanted = wanted.where(or_(audit.c.who == sought.who, audit.c.account == sought.who))
    if sought.action:
        kind = f"{sought.action}."
        wanted = wanted.where(or_(audit.c.action == sought.action, audit.c.action.startswith(kind, autoescape=True)))
    if sought.on:
        wanted = wanted.where(audit.c.object == sought.on)
    if sought.since:
        wanted = wanted.where(audit.c.at >= sought.since)
    if sought.until:
        wanted = wanted.where(audit.c.at < sought.until)
    for word in (sought.text or "").lower().split():
        columns = (audit.c.who, audit.c.action, audit.c.object, audit.c.before, audit.c.after, audit.c.address)
        wanted = wanted.where(or_(*(func.lower(one).contains(word, autoescape=True) for one in columns)))
    return wanted


def entry(row: Row[Any]) -> dict[str, Any]:
    """An entry as JSON."""
    return {
        "number": row.number, "at": told(row.at), "who": row.who, "account": row.account, "how": row.how,
        "action": row.action, "on": row.object, "before": _values(row.before), "after": _values(row.after),
        "where": row.address,
    }  # fmt: skip


def _values(text: str | None) -> Any:
    return orjson.loads(text) if text is not None else None


def cells(row: Row[Any]) -> list[str]:
    """An entry as a line of a table. What a spreadsheet would take for a formula begins with an apostrophe."""
    values = [told(row.at) if name == "at" else getattr(row, name) for name in COLUMNS]
    texts = ["" if value is None else str(value) for value in values]
    return [f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in texts]
