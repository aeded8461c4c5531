"""Roles that stand still: what was read and nobody takes in, what changed and nobody publishes.

Connections are read all the same, so that only freshness, or a reader of changes, would show it.
"""

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines import publish, recompute
from pipelines.store import whose_turn
from pipelines.store.engine import reading
from pipelines.store.tables import changes, leases, unpublished
from services.cli.words import moment
from services.feed.tables import pages

LONG = timedelta(minutes=1)
"""A batch and its understanding take seconds."""

_TAKES_IN = (whose_turn.TURN, whose_turn.BEHIND, recompute.LEASE, recompute.LARGE_LEASE)
"""Leases that only ingest takes; what lasts longer than LONG holds one."""


async def standing_still(engine: AsyncEngine, now: datetime, again: float = 2) -> list[tuple[str, str]]:
    """(what stands still, what to do about it) of each role that has work and does none.

    again: seconds after which it is looked again, since whoever was idle begins a moment after there is work.
    """
    async with reading(engine) as connection:
        found = await _found(connection, now)
    if not found:
        return []
    await asyncio.sleep(again)
    async with reading(engine) as connection:
        return await _found(connection, now)


async def _found(connection: AsyncConnection, now: datetime) -> list[tuple[str, str]]:
    found = []
    if (since := await _not_taken_in(connection, now)) is not None:
        found.append((
            f"What was read since {moment(since, now)} is not taken in",
            "Start a process with the role ingest; where one runs, its log and /readyz say why",
        ))  # fmt: skip
    if await _not_published(connection, now):
        found.append((
            "What changed is not published",
            "Start a process with the role publish; where one runs, its log says why",
        ))  # fmt: skip
    return found


async def _not_taken_in(connection: AsyncConnection, now: datetime) -> datetime | None:
    """Since when pages wait for ingest, where it does nothing meanwhile."""
    page, late = pages.c, now - LONG
    taken = exists().where(page.applied_at > late, page.events > 0)
    holds = exists().where(leases.c.name.in_(_TAKES_IN), leases.c.until > late)
    oldest = select(func.min(page.published_at)).where(page.applied_at.is_(None), ~taken, ~holds)
    since: datetime | None = (await connection.execute(oldest)).scalar_one()
    return since if since is not None and since < late else None


async def _not_published(connection: AsyncConnection, now: datetime) -> bool:
    """Whether changes wait though no publisher was there for some time: it would have begun within the second."""
    waits = exists().select_from(unpublished) | exists().where(~changes.c.sent)
    held = exists().where(leases.c.name == publish.LEASE, leases.c.until > now - LONG)
    return bool((await connection.execute(select(waits & ~held))).scalar_one())
