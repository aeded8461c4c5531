"""What must be computed again: configuration that changed, failures that an upgrade mends. Leased, in bounded steps."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, func, literal, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import configuration, deferred, leases, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import AWAY, reading, writing
from pipelines.store.facts import Touched
from pipelines.store.metadata import Instant
from pipelines.understanding import understand
from pipelines.watching import UNWATCHED, Watch

logger = logging.getLogger("throughline.recompute")

LEASE = "recompute"
STEP = 50
"""Components a transaction."""


async def ask_everything(connection: AsyncConnection, reason: str, at: datetime) -> None:
    """Mark every component as to be computed again; in the transaction of what makes it necessary."""
    # Without a WHERE SQLite takes ON CONFLICT for a join's ON (sqlite.org/lang_upsert.html, "Parsing Ambiguity").
    every = select(tables.components.c.id, literal(reason), literal(at, Instant)).where(true())
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(tables.pending).from_select(["component", "reason", "at"], every)
    await connection.execute(statement.on_conflict_do_nothing())


class Recompute:
    """Works off what is pending, as long as it holds the lease."""

    def __init__(
        self,
        engine: AsyncEngine,
        now: Callable[[], datetime],
        holder: str,
        changed: Callable[[], None] = lambda: None,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.watch = watch
        self.engine = engine
        self.now = now
        self.holder = holder
        self.changed = changed

    async def run(self, idle: float = 1.0) -> None:
        """Work for ever; an outage of the database only waits."""
        while True:
            try:
                await self.late()
                done = await self.once()
            except (*AWAY, leases.LeaseLost) as error:
                logger.warning("recompute.step.failed", extra={"error": type(error).__name__})
                done = 0
            if not done:
                await asyncio.sleep(idle)

    async def late(self) -> int:
        """Understand what full batches left. Returns how many requests changed.

        No lease: what one worker takes, another one does not see.
        """
        async with reading(self.engine) as connection:
            if not await deferred.any_left(connection):
                return 0
        changed = taken = 0
        while True:
            async with writing(self.engine) as connection:
                bulk = Bulk(connection)
                snapshot = await configuration.load(connection)
                touched = Touched(snapshot.rules.generic)
                taken = await deferred.take(bulk, touched)
                changed += await understand(bulk, touched, snapshot, self.watch)
            if taken < deferred.STEP:
                break
        self.changed()
        return changed

    async def once(self) -> int:
        """One step. Returns how many components were computed; 0 also where another one does it."""
        if not await self.left():
            return 0
        async with writing(self.engine) as connection:
            lease = await leases.take(connection, LEASE, self.holder, self.now())
        if lease is None:
            return 0
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            wanted = select(tables.pending.c.component).distinct().order_by(tables.pending.c.component).limit(STEP)
            names = set((await connection.execute(wanted)).scalars())
            touched = Touched(0, components=names, everything=True)
            snapshot = await configuration.load(connection)
            touched.limit = snapshot.rules.generic
            await understand(Bulk(connection), touched, snapshot)
            await connection.execute(delete(tables.pending).where(tables.pending.c.component.in_(names)))
        self.changed()
        return len(names)

    async def left(self) -> int:
        """How many components wait."""
        async with reading(self.engine) as connection:
            counted = select(func.count(func.distinct(tables.pending.c.component)))
            return int((await connection.execute(counted)).scalar_one())
