"""What must be computed again: configuration that changed, failures that an upgrade mends. Leased, in bounded steps."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.catching_up import LONG, CatchUp
from pipelines.correlate.rules import Rules
from pipelines.portions import write_in_portions
from pipelines.store import aside, configuration, dedicated, deferred, leases, pending, requests
from pipelines.store.bulk import Bulk
from pipelines.store.configuration import Configuration
from pipelines.store.engine import AWAY, reading, refuses, writing
from pipelines.store.facts import Touched
from pipelines.understanding import Outcome, look, understand, write
from pipelines.waiting import Waiting
from pipelines.watching import UNWATCHED, Watch

logger = logging.getLogger("throughline.recompute")

LEASE, LARGE_LEASE = "recompute", "recompute large"
CALM, REST = 5.0, 5.0
"""Very large components are worked on once in so many seconds at most, and so many times as long as that took."""
STEP = 50
"""Components a transaction at most; on SQLite fewer where they took long."""
_ATTEMPTS = 3
"""To compute beside other writers, before they have to wait."""


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
        self.catch_up = CatchUp(engine, changed, watch)
        self.engine = engine
        self.now = now
        self.holder = holder
        self.changed = changed
        self._rests_until = 0.0
        self._retries_at = 0.0
        self._step = STEP

    async def run(self, idle: float = 1.0) -> None:
        """Work for ever; an outage of the database only waits. Begins with all that could not be put together."""
        begun, waiting = False, Waiting("computing again", "recompute.waits", "recompute.goes.on", logger)
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if not begun:
                    await self.retry()
                    begun = True
                if clock() > self._retries_at:
                    await self.refused()
                    self._retries_at = clock() + pending.RETRY.total_seconds()
                if clock() > self._rests_until:
                    await self.large()
                done = await self.once()
                waiting.over()
            except leases.LeaseLost:
                done = 0
            except AWAY as error:
                waiting.away(error)
                done = 0
            if not done:
                await asyncio.sleep(idle)

    async def retry(self) -> None:
        """Have what could not be put together tried at once; a new release may have mended the cause."""
        async with writing(self.engine) as connection:
            await pending.ask_failed(connection)

    async def refused(self) -> None:
        """Have what batches left, and the database refused to write, understood again: nothing else may know of it."""
        async with writing(self.engine) as connection:
            await deferred.ask_refused(connection)

    async def late(self) -> int:
        """Understand what batches left. Returns how many requests changed."""
        return await self.catch_up.all()

    async def large(self) -> int:
        """Understand what was left aside of very large components. Returns how many requests changed.

        The lease only spares work: two that do the same one after the other do no harm.
        """
        async with reading(self.engine) as connection:
            if not await aside.any_left(connection):
                return 0
        async with writing(self.engine) as connection:
            lease = await leases.take(connection, LARGE_LEASE, self.holder, self.now())
        if lease is None:
            return 0
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            changed = await self._worked_in()
        except DBAPIError as error:
            if not refuses(error):
                raise
            await self._put_off(error)
            return 0
        self._rests_until = clock() + max(CALM, REST * (clock() - began))
        self.changed()
        return changed

    async def _worked_in(self) -> int:
        changed = await self._large_beside() if self.engine.dialect.name == "sqlite" else None
        if changed is None:
            async with writing(self.engine) as connection:
                outcome, rows, _ = await self._look(connection)
                changed = await self._write(connection, outcome, rows)
        return changed

    async def _put_off(self, error: DBAPIError) -> None:
        """The database refuses something of it: all of it is tried again after a pause, and its requests say so."""
        self._rests_until = asyncio.get_running_loop().time() + pending.RETRY.total_seconds()
        async with writing(self.engine) as connection:
            touched, bulk = Touched(Rules()), Bulk(connection)
            await aside.look(bulk, touched)
            await requests.mark_failed(bulk, dict.fromkeys(await aside.concerned(bulk, touched), _said(error)))

    async def _large_beside(self) -> int | None:
        """The same on SQLite, computed before the file is taken for writing, and written in portions. None: others
        changed what it began from each time."""
        failed = 0
        while failed < _ATTEMPTS:
            async with reading(self.engine) as connection:
                outcome, rows, snapshot = await self._look(connection)

            async def same(connection: AsyncConnection, snapshot: Configuration = snapshot) -> bool:
                return await configuration.load(connection) is snapshot

            async def then(connection: AsyncConnection, outcome: Outcome = outcome, rows: Sequence[Any] = rows) -> None:
                await self._done(connection, outcome, rows)

            portions = await write_in_portions(self.engine, outcome, same, then, self.watch)
            if not portions.left:
                return outcome.requests
            failed += not portions.written
        return None

    async def _look(self, connection: AsyncConnection) -> tuple[Outcome, Sequence[Any], Configuration]:
        """What follows from what was left aside, the entries, and by which configuration."""
        snapshot = await configuration.load(connection, hold=True)
        touched = Touched(snapshot.rules)
        rows = await aside.look(Bulk(connection), touched)
        return await look(Bulk(connection), touched, snapshot, self.watch), rows, snapshot

    async def _write(self, connection: AsyncConnection, outcome: Outcome, rows: Sequence[Any]) -> int:
        await write(Bulk(connection), outcome, self.watch)
        await self._done(connection, outcome, rows)
        return outcome.requests

    async def _done(self, connection: AsyncConnection, outcome: Outcome, rows: Sequence[Any]) -> None:
        """These entries are worked off; what could not be put together is tried again after a pause."""
        await aside.done(Bulk(connection), rows)
        await pending.done(connection, outcome.work.failed_in, self.now())

    async def once(self) -> int:
        """One step. Returns how many components were computed; 0 also where another one does it."""
        async with reading(self.engine) as connection:
            if not await pending.any_due(connection, self.now()):
                return 0
        async with writing(self.engine) as connection:
            lease = await leases.take(connection, LEASE, self.holder, self.now())
        if lease is None:
            return 0
        clock = asyncio.get_running_loop().time
        async with writing(self.engine) as connection:
            began = clock()
            await leases.check(connection, lease)
            names = await pending.due(connection, self.now(), self._step)
            snapshot = await configuration.load(connection, hold=True)
            await _compute(connection, sorted(names), snapshot)
            await pending.done(connection, names, self.now())
        if self.engine.dialect.name == "sqlite":
            share = LONG["sqlite"] / max(clock() - began, 0.001)
            self._step = min(STEP, max(1, int(self._step * min(share, 1.5))))
        self.changed()
        return len(names)


async def _compute(connection: AsyncConnection, names: Sequence[str], snapshot: Configuration) -> None:
    """Compute these components. What the database refuses is found by halving, and is left as it was."""
    try:
        async with connection.begin_nested():
            bulk, touched = Bulk(connection), Touched(snapshot.rules, components=set(names), everything=True)
            await dedicated.bring_up_to_date(bulk, touched)
            await understand(bulk, touched, snapshot)
    except DBAPIError as error:
        if not (names and refuses(error)):
            raise
        if len(names) == 1:
            await _leave(connection, names[0], error)
            return
        half = len(names) // 2
        await _compute(connection, names[:half], snapshot)
        await _compute(connection, names[half:], snapshot)


async def _leave(connection: AsyncConnection, name: str, error: DBAPIError) -> None:
    """This component cannot be written: its requests say so, and it is tried again now and then."""
    bulk, reason = Bulk(connection), _said(error)
    await requests.mark_failed(bulk, dict.fromkeys(await requests.stored(bulk, {name}), reason))
    await pending.ask(connection, {name})


def _said(error: DBAPIError) -> str:
    """Why something is not up to date that the database refuses; never its own text, which may hold content."""
    kind = type(error).__name__
    logger.error("component.write.failed", extra={"error": kind})
    return f"{kind} while it was written"
