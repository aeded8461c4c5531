"""What tools announce, and what changed in them: one row for each (connection, kind, subject)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Noticed
from services.feed.told import Notice
from services.feed.watch_tables import notices

AGAIN = timedelta(hours=1)
"""The same thing is written down no oftener."""
KEPT = timedelta(weeks=8)
MOST = 200
"""Different notices that one reader writes down between two flushes; a tool that makes up paths fills no table."""


class Noticeboard:
    """Keeps what a reader's requests notice until it is written down. Safe for threads: it only fills a dict."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Noticed] = {}
        self._written: dict[tuple[str, str], datetime] = {}

    def __call__(self, noticed: Noticed) -> None:
        """One more; the newest of a kind and subject counts."""
        key = (noticed.kind, noticed.subject)
        if key in self._waiting or len(self._waiting) < MOST:
            self._waiting[key] = noticed

    def take(self, now: datetime) -> list[Noticed]:
        """What is to be written down now."""
        waiting, self._waiting = self._waiting, {}
        due = [one for key, one in waiting.items() if now - self._written.get(key, now - AGAIN) >= AGAIN]
        self._written |= {(one.kind, one.subject): now for one in due}
        return due


async def note(connection: AsyncConnection, name: str, seen: Sequence[Noticed], at: datetime) -> None:
    """Write down what was noticed, in one statement."""
    if not seen:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    newest = {(one.kind, one.subject): one for one in seen}
    row = insert(notices).values([
        {"connection": name, "kind": one.kind, "subject": one.subject, "says": one.says, "mend": one.mend,
         "due": one.due, "first_seen": at, "last_seen": at}
        for one in newest.values()
    ])  # fmt: skip
    told = {column: row.excluded[column] for column in ("says", "mend", "due", "last_seen")}
    await connection.execute(row.on_conflict_do_update(index_elements=["connection", "kind", "subject"], set_=told))


async def settle(connection: AsyncConnection, name: str, kind: str, subjects: Iterable[str]) -> None:
    """Forget notices that hold no more."""
    over = (notices.c.connection == name) & (notices.c.kind == kind) & notices.c.subject.in_(list(subjects))
    await connection.execute(delete(notices).where(over))


async def prune(connection: AsyncConnection, name: str, now: datetime) -> None:
    """Forget what was not seen for 8 weeks."""
    old = (notices.c.connection == name) & (notices.c.last_seen < now - KEPT)
    await connection.execute(delete(notices).where(old))


async def of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, list[Notice]]:
    """The notices of some connections: those with a date first, by it; then the newest."""
    found: dict[str, list[Notice]] = {}
    for row in await connection.execute(select(notices).where(notices.c.connection.in_(names))):
        told = Notice(row.kind, row.subject, row.says, row.mend, row.due, row.first_seen, row.last_seen)
        found.setdefault(row.connection, []).append(told)
    return {name: sorted(told, key=_order) for name, told in found.items()}


def _order(one: Notice) -> tuple[bool, float, str]:
    return (one.due is None, one.due.timestamp() if one.due else -one.first_seen.timestamp(), one.subject)
