"""Pages that were read: when they are safe, when they are applied, and what that says about freshness."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import offsets as taken
from schemas.canonical import canonical_json
from services.feed.tables import connections, inbox, pages

EMBEDDED = re.compile(r"[0-9a-f]{16}")
"""The incarnation of an embedded broker, as it makes it up. A Kafka's is its cluster id: 22 characters of base64."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

Place = tuple[str, int, int]
"""(topic, partition, the offset after the record's)"""


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page that was acknowledged by Kafka and is not known to be applied."""

    number: int
    connection: str
    cursor: dict[str, Any] | None
    true_up_to: datetime | None
    offsets: tuple[Place, ...]
    published_at: datetime

    def applied(self, following: Mapping[tuple[str, int], int]) -> bool:
        """Whether every partition has passed it. following: (topic, partition) to the first offset not applied."""
        return all(following.get((topic, partition), 0) >= offset for topic, partition, offset in self.offsets)


def places(records: Sequence[Place]) -> list[Place]:
    """The highest place of each partition."""
    highest: dict[tuple[str, int], int] = {}
    for topic, partition, offset in records:
        highest[topic, partition] = max(highest.get((topic, partition), 0), offset)
    return [(topic, partition, offset) for (topic, partition), offset in sorted(highest.items())]


async def record(
    connection: AsyncConnection,
    name: str,
    cursor: dict[str, Any] | None,
    true_up_to: datetime | None,
    offsets: Sequence[Place],
    incarnation: str,
    events: int,
    at: datetime,
) -> int:
    """Note a page that Kafka acknowledged. Returns its number."""
    statement = insert(pages).values(
        connection=name,
        cursor=canonical_json(cursor) if cursor is not None else None,
        true_up_to=true_up_to,
        offsets=canonical_json(offsets),
        incarnation=incarnation,
        events=events,
        published_at=at,
    )
    return int((await connection.execute(statement.returning(pages.c.number))).scalar_one())


async def open_pages(connection: AsyncConnection, incarnation: str, limit: int = 500) -> list[OpenPage]:
    """Pages of this broker that are not known to be applied, oldest first."""
    wanted = (
        select(pages)
        .where(pages.c.applied_at.is_(None), pages.c.incarnation == incarnation)
        .order_by(pages.c.number)
        .limit(limit)
    )
    return [_open(row) for row in await connection.execute(wanted)]


def _open(row: Any) -> OpenPage:
    cursor = orjson.loads(row.cursor) if row.cursor is not None else None
    offsets = tuple((topic, partition, offset) for topic, partition, offset in orjson.loads(row.offsets))
    return OpenPage(row.number, row.connection, cursor, row.true_up_to, offsets, row.published_at)


async def any_open(connection: AsyncConnection, name: str) -> bool:
    """Whether anything that a connection read is not known to be applied."""
    wanted = select(pages.c.number).where(pages.c.applied_at.is_(None), pages.c.connection == name).limit(1)
    return (await connection.execute(wanted)).first() is not None


async def forget_other_brokers(connection: AsyncConnection, incarnation: str) -> list[str]:
    """Drop pages that went to another broker and are not applied; gives connections whose cursor stands behind one.

    With a Kafka cursors move with each page. With an embedded broker that is gone they never moved: what it took along
    is read again from there. Pages without a cursor came of webhooks and of a census: those are due again.
    """
    lost = delete(pages).where(pages.c.applied_at.is_(None), pages.c.incarnation != incarnation)
    rows = (await connection.execute(lost.returning(pages))).all()
    following = {one: await taken.applied(connection, one) for one in {row.incarnation for row in rows}}
    for name in sorted({row.connection for row in rows}):
        await _tell_again(connection, name, [row for row in rows if row.connection == name])
    return sorted({
        row.connection
        for row in rows
        if row.cursor is not None
        and not EMBEDDED.fullmatch(row.incarnation)
        and not _open(row).applied(following[row.incarnation])
    })  # fmt: skip


async def _tell_again(connection: AsyncConnection, name: str, lost: Sequence[Any]) -> None:
    """Make due again what no cursor of a connection leads back to."""
    if all(row.cursor is not None for row in lost):
        return
    again = (inbox.c.connection == name) & (inbox.c.handled_at >= min(row.published_at for row in lost))
    await connection.execute(update(inbox).where(again).values(handled_at=None))
    due = update(connections).where(connections.c.id == name, connections.c.census_at.is_not(None))
    await connection.execute(due.values(census_cursor=None, census_at=LONG_AGO))


async def forget_open(connection: AsyncConnection, name: str) -> None:
    """Drop a connection's pages that are not applied: it is about to be read again, from a cursor before them.

    Deliveries and a census have no cursor: those are due again, as with a broker that is gone.
    """
    lost = delete(pages).where(pages.c.applied_at.is_(None), pages.c.connection == name)
    rows = (await connection.execute(lost.returning(pages.c.cursor, pages.c.published_at))).all()
    await _tell_again(connection, name, rows)


async def mark_applied(connection: AsyncConnection, applied: Sequence[OpenPage], at: datetime, *, cursor: bool) -> None:
    """Note that pages are applied; a connection is true up to the newest of them. cursor: it moves now, too."""
    if not applied:
        return
    noted = update(pages).where(pages.c.number.in_([page.number for page in applied])).values(applied_at=at)
    # A page that was forgotten meanwhile is read again: it must move nothing.
    there = set((await connection.execute(noted.returning(pages.c.number))).scalars())
    applied = [page for page in applied if page.number in there]
    for name in sorted({page.connection for page in applied}):
        mine = [page for page in applied if page.connection == name]
        values: dict[str, Any] = {}
        if truths := [page.true_up_to for page in mine if page.true_up_to]:
            values["true_up_to"] = max(truths)
        moved = [page.cursor for page in mine if page.cursor is not None]
        if cursor and moved:
            values["cursor"] = canonical_json(moved[-1])
        if values:
            await connection.execute(update(connections).where(connections.c.id == name).values(**values))


async def move_cursors(connection: AsyncConnection, stored: Sequence[OpenPage]) -> None:
    """Nothing of these pages can be lost any more, though not all of them is understood: go on behind them."""
    if not stored:
        return
    wanted = select(pages.c.number).where(pages.c.number.in_([page.number for page in stored]))
    there = set((await connection.execute(wanted)).scalars())  # what was forgotten meanwhile is read again
    newest = {page.connection: page.cursor for page in stored if page.cursor is not None and page.number in there}
    for name, cursor in sorted(newest.items()):
        moved = update(connections).where(connections.c.id == name).values(cursor=canonical_json(cursor))
        await connection.execute(moved.where(connections.c.cursor.is_distinct_from(canonical_json(cursor))))


async def prune(connection: AsyncConnection, name: str, before: datetime) -> None:
    """Drop applied pages older than that, but never a connection's newest."""
    newest = select(func.max(pages.c.number)).where(pages.c.connection == name).scalar_subquery()
    old = (pages.c.connection == name) & (pages.c.applied_at < before) & (pages.c.number < newest)
    await connection.execute(delete(pages).where(old))
