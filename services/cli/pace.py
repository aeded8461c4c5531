"""What is told beside a first read: how long it will still take at the pace it had so far, or what it waits for."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.summary import lasted
from services.feed import budgets
from services.feed.connections import StoredConnection
from services.feed.estimates import Estimate, estimates
from services.feed.standing import state_of
from services.feed.watch_tables import watched

_MINUTE = timedelta(minutes=1)


async def left(connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime) -> dict[str, str]:
    """By connection, in words; only for first reads that go on and whose tool tells how much there is."""
    return {name: _words(one) for name, one in (await estimates(connection, every, now)).items()}


def _words(one: Estimate) -> str:
    return f"{'about ' if one.takes >= _MINUTE else ''}{lasted(one.takes)} more at this pace"


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
