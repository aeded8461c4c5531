"""How long a first read will still take, at the pace it had so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.feed.connections import StoredConnection
from services.feed.tables import pages

STALLED = timedelta(minutes=2)
"""Without a page for so long nobody can say."""
ENOUGH = 3
"""Pages: fewer say nothing of the pace."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one first read."""

    takes: timedelta
    """From its newest page on."""
    ends_at: datetime


async def estimates(
    connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime
) -> dict[str, Estimate]:
    """By connection; only for first reads that go on and whose tool tells how much there is. One statement."""
    reading = {one.id: one for one in every if not one.first_read_done and one.progress_done and one.progress_total}
    at, number = pages.c.published_at, pages.c.number
    spans = (
        select(
            pages.c.connection, func.min(number).label("first"), func.count().label("count"),
            func.sum(pages.c.events).label("events"), func.min(at).label("begun"), func.max(at).label("newest"),
        )
        .where(pages.c.connection.in_(reading), pages.c.cursor.is_not(None))
        .group_by(pages.c.connection)
        .subquery()
    )  # fmt: skip
    wanted = select(spans, pages.c.events.label("before")).join(pages, number == spans.c.first)
    told = {row.connection: _of(reading[row.connection], row, now) for row in await connection.execute(wanted)}
    return {name: estimate for name, estimate in told.items() if estimate}


def _of(one: StoredConnection, span: Any, now: datetime) -> Estimate | None:
    """span: of its pages; `before` are the events of the first of them, which was read before there was a pace."""
    more, paced = (one.progress_total or 0) - one.progress_done, int(span.events) - span.before
    if more <= 0 or span.count < ENOUGH or paced <= 0 or span.newest <= span.begun or now - span.newest > STALLED:
        return None
    for_all = (span.newest - span.begun) * (int(span.events) / paced)
    takes = for_all * (more / one.progress_done)
    return Estimate(takes, span.newest + takes)
