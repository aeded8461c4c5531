"""How long a first read will still take, at the pace it had so far."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.summary import lasted
from services.feed.connections import StoredConnection
from services.feed.tables import pages

STALLED = timedelta(minutes=2)
"""Without a page for so long nobody can say."""


async def left(connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime) -> dict[str, str]:
    """By connection, in words; only for first reads that go on and whose tool tells how much there is."""
    reading = [one.id for one in every if not one.first_read_done and one.progress_done and one.progress_total]
    if not reading:
        return {}
    wanted = (
        select(pages.c.connection, func.min(pages.c.published_at), func.max(pages.c.published_at))
        .where(pages.c.connection.in_(reading))
        .group_by(pages.c.connection)
    )
    spans = {name: (begun, newest) for name, begun, newest in await connection.execute(wanted)}
    told = {one.id: _words(one, *spans[one.id], now) for one in every if one.id in spans}
    return {name: words for name, words in told.items() if words}


def _words(one: StoredConnection, begun: datetime, newest: datetime, now: datetime) -> str:
    more = (one.progress_total or 0) - one.progress_done
    if more <= 0 or newest <= begun or now - newest > STALLED:
        return ""
    return f"about {lasted((newest - begun) * (more / one.progress_done))} more at this pace"
