"""`throughline connections list --follow`: the first reads of one's own tools as bars, until none goes on any more."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TaskID
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import reading
from services.cli.bars import bars
from services.cli.pace import beside
from services.cli.status import reading_now
from services.cli.terminal import opened
from services.feed import connections
from services.feed.connections import READING, StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation

_NO_HUB = "no hub reads now: start it with `throughline up`"


def goes_on(one: StoredConnection) -> bool:
    """Whether a first read is under way and needs nobody: it ends by itself."""
    return one.state == READING and not one.first_read_done and not one.attention


async def follow(made: "Installation", now: Callable[[], datetime], screen: Console, every: float = 1.0) -> None:
    """Show how far each first read is, and look again every so many seconds. Raises what `opened` raises."""
    async with opened(made) as (engine, _):
        with bars(screen, timed=False) as shown:
            tasks: dict[str, TaskID] = {}
            while await _look(engine, shown, tasks, now()):  # noqa: ASYNC110 - a database does not call
                await asyncio.sleep(every)


async def _look(engine: AsyncEngine, shown: Progress, tasks: dict[str, TaskID], now: datetime) -> bool:
    """Bring the bars up to date; False where no first read goes on."""
    async with reading(engine) as connection:
        stored = await connections.every(connection)
        told = await beside(connection, stored, now)
        due, held = await reading_now(connection, stored, now)
    wait = _NO_HUB if due and not held else "things read"
    for one in stored:
        if one.id not in tasks and goes_on(one):
            tasks[one.id] = shown.add_task(one.id, total=None, what="")
        if one.id in tasks:
            shown.tasks[tasks[one.id]].total = _total(one)  # `update` takes no total away
            shown.update(tasks[one.id], completed=one.progress_done, what=told.get(one.id, wait))
    return any(goes_on(one) for one in stored)


def _total(one: StoredConnection) -> int | None:
    """What the tool says there is; None where it says nothing, or less than there was."""
    if one.first_read_done:
        return one.progress_done
    return one.progress_total if one.progress_total and one.progress_total >= one.progress_done else None
