"""The statuses of very many artifacts, counted exactly beside the answers; an answer says how old the count is."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.store import statuses
from pipelines.store.statuses import Looked
from services.query.database import Database
from services.query.refused import Refused

logger = logging.getLogger("throughline.admin")

SECONDS = 300.0
"""A count may take so long."""
KEPT = 20
"""Connections whose counts are kept: those that were counted last. One holds about 60 kB at 100 statuses, however many
artifacts have them, and 5 MB at the most statuses that are told."""
OLD = timedelta(minutes=10)
"""An older count is still told, and made anew meanwhile."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, and when that was begun."""

    looked: Looked
    at: datetime


@dataclass(slots=True)
class Counts:
    """Of one process; each connection is counted by one task at a time, and only where somebody looks."""

    now: Callable[[], datetime]
    _known: dict[str, Counted] = field(default_factory=dict)
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def of(self, database: Database, name: str) -> Counted | None:
        """The last count of a connection's artifacts; None: it is under way for the first time."""
        found = self._known.get(name)
        if (found is None or self.now() - found.at >= OLD) and name not in self._under_way:
            task = asyncio.create_task(self._count(database.within(SECONDS), name), name=f"count statuses of {name}")
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return found

    async def _count(self, database: Database, name: str) -> None:
        at = self.now()
        try:
            async with database.reading() as connection:
                looked = await statuses.real(connection, name, exact=True)
            self._known.pop(name, None)
            self._known[name] = Counted(looked, at)
            for old in list(self._known)[:-KEPT]:
                del self._known[old]
        except Refused as error:
            logger.warning("statuses.not.counted", extra={"connection": name, "problem": error.detail})
