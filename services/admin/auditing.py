"""Reading the audit: a page of entries, and all of them for an export."""

from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.withholding import ANYBODYS, NOT_SHOWN, connection_of
from schemas.canonical import canonical_json
from services.admin.tables import audit
from services.query.serving import told

Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a connection to read with."""

_AT_ONCE = 500

_CONTENT = ("dead-letter.edited", "dead-letter.edit-taken-back")
"""Actions whose before and after hold what a tool told."""

_DECIDED = "decision.taken"
"""An action whose after names things and people by their ids: that of somebody's identity may be an address."""

_NOT_SHOWN = canonical_json({"withheld": NOT_SHOWN})

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
    outside: Set[str] = frozenset()
    """Connections of which its reader may read nothing: what was edited of their letters is neither told nor found."""


async def page(connection: AsyncConnection, sought: Sought, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """The newest first; before: only those with a lower number."""
    wanted = _filtered(sought).order_by(audit.c.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(audit.c.number < before)
    rows: Sequence[Row[Any]] = (await connection.execute(wanted)).all()
    return rows


async def everything(reading: Reading, sought: Sought) -> AsyncIterator[Row[Any]]:
    """All, the newest first. Some hundreds are read at a time, and no connection is held while they are taken: whoever
    takes them may be slow, or go away in the middle."""
    rows = await _hundreds(reading, sought, None)
    while rows:
        for row in rows:
            yield row
        rows = await _hundreds(reading, sought, rows[-1].number)


async def _hundreds(reading: Reading, sought: Sought, before: int | None) -> Sequence[Row[Any]]:
    async with reading() as connection:
        return await page(connection, sought, before, _AT_ONCE)


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
        plain, held = (audit.c.who, audit.c.action, audit.c.object, audit.c.address), (audit.c.before, audit.c.after)
        says = or_(*(func.lower(one).contains(word, autoescape=True) for one in plain))
        holds = or_(*(func.lower(one).contains(word, autoescape=True) for one in held))
        wanted = wanted.where(
            or_(says, and_(audit.c.action.not_in((*_CONTENT, _DECIDED)), holds) if sought.outside else holds)
        )
    return wanted


def shown(row: Row[Any], outside: Set[str]) -> dict[str, Any]:
    """The columns of an entry, as far as its reader may read what it holds."""
    told = dict(row._mapping)  # noqa: SLF001 - the documented name
    if outside and row.action in _CONTENT and not all(_readable(one, outside) for one in (row.before, row.after)):
        told |= {"before": _NOT_SHOWN, "after": _NOT_SHOWN}
    if outside and row.action == _DECIDED and row.after:
        told["after"] = canonical_json(_without_ids(orjson.loads(row.after), outside))
    return told


def _without_ids(decided: dict[str, Any], outside: Set[str]) -> dict[str, Any]:
    """What a decision names, without what is of those connections; mails and their addresses may be of any."""
    kept_out = outside | ANYBODYS
    return {
        name: [one for one in said if connection_of(one) not in kept_out] if name in ("left", "right") else said
        for name, said in decided.items()
    }


def _readable(held: str | None, outside: Set[str]) -> bool:
    """Whether a letter's content is of a connection that may be read; what does not say of which may be of any."""
    of = orjson.loads(held).get("connection") if held else None
    return isinstance(of, str) and of not in outside


def entry(row: Row[Any], outside: Set[str] = frozenset()) -> dict[str, Any]:
    """An entry as JSON. outside: connections of which its reader may read nothing."""
    told_of = shown(row, outside)
    return {
        "number": row.number, "at": told(row.at), "who": row.who, "account": row.account, "how": row.how,
        "action": row.action, "on": row.object, "before": _values(told_of["before"]),
        "after": _values(told_of["after"]), "where": row.address,
    }  # fmt: skip


def _values(text: str | None) -> Any:
    return orjson.loads(text) if text is not None else None


def cells(row: Row[Any], outside: Set[str] = frozenset()) -> list[str]:
    """An entry as a line of a table. What a spreadsheet would take for a formula begins with an apostrophe."""
    told_of = shown(row, outside)
    values = [told(row.at) if name == "at" else told_of[name] for name in COLUMNS]
    texts = ["" if value is None else str(value) for value in values]
    return [f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in texts]
