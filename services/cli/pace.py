"""What is told beside a first read: how long it will still take at the pace it had so far, or what it waits for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.summary import lasted
from services.feed import budgets
from services.feed.connections import StoredConnection
from services.feed.standing import state_of
from services.feed.tables import pages
from services.feed.watch_tables import watched

STALLED = timedelta(minutes=2)
"""Without a page for so long nobody can say."""
ENOUGH = 3
"""Pages: fewer say nothing of the pace."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Span:
    """The pages of a first read so far."""

    first: int
    """Number of the first of them, which came before there was a pace."""
    count: int
    events: int
    begun: datetime
    newest: datetime


async def left(connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime) -> dict[str, str]:
    """By connection, in words; only for first reads that go on and whose tool tells how much there is."""
    reading = [one.id for one in every if not one.first_read_done and one.progress_done and one.progress_total]
    if not reading:
        return {}
    at, number = pages.c.published_at, pages.c.number
    wanted = (
        select(pages.c.connection, func.min(number), func.count(), func.sum(pages.c.events), func.min(at), func.max(at))
        .where(pages.c.connection.in_(reading), pages.c.cursor.is_not(None))
        .group_by(pages.c.connection)
    )
    spans = {name: _Span(*span) for name, *span in await connection.execute(wanted)}
    of_first = select(number, pages.c.events).where(number.in_([span.first for span in spans.values()]))
    first = {row.number: row.events for row in await connection.execute(of_first)}
    told = {one.id: _words(one, spans[one.id], first.get(spans[one.id].first, 0), now) for one in every
            if one.id in spans}  # fmt: skip
    return {name: words for name, words in told.items() if words}


def _words(one: StoredConnection, span: _Span, before: int, now: datetime) -> str:
    """before: events of the first page, whose reading lies before the span."""
    more, paced = (one.progress_total or 0) - one.progress_done, int(span.events) - before
    if more <= 0 or span.count < ENOUGH or paced <= 0 or span.newest <= span.begun or now - span.newest > STALLED:
        return ""
    for_all = (span.newest - span.begun) * (int(span.events) / paced)
    length = for_all * (more / one.progress_done)
    return f"{'about ' if length >= _MINUTE else ''}{lasted(length)} more at this pace"


async def beside(connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime) -> dict[str, str]:
    """By connection, what it waits for and until when, or needs; where neither, how long its first read will take."""
    told = await left(connection, every, now)
    wanted = select(watched.c.connection, watched.c.budget).where(watched.c.connection.in_([one.id for one in every]))
    known = {row.connection: budgets.read(row.budget) for row in await connection.execute(wanted)}
    for one in every:
        state, says = state_of(one, known.get(one.id), None, now)
        if state != "reading":
            told[one.id] = says
    return told
