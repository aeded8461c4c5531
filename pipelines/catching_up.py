"""Understanding what batches left: in bounded steps, each when its turn has come.

While batches keep coming, understanding takes its turn less often the longer it takes: what a turn finds has gathered
over several batches, and each component is looked at once for all of them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.correlate.rules import Rules
from pipelines.store import aside, configuration, deferred, pending, requests
from pipelines.store.bulk import Bulk
from pipelines.store.engine import AWAY, reading, refuses, writing
from pipelines.store.facts import Notes, Touched
from pipelines.understanding import Outcome, look, valid, write
from pipelines.waiting import Waiting
from pipelines.watching import UNWATCHED, Watch
from schemas.errors import RetryLater

logger = logging.getLogger("throughline.pipelines")

PATIENCE, LONGEST = 5.0, 30.0
"""Seconds for which what was left gathers at most while batches keep coming, and behind full ones."""
PAUSE = 3.0
"""How many times as long as its last turn took understanding waits before the next."""
LONG = {"sqlite": 0.06, "postgresql": 0.5}
"""Seconds for which a step should write at most: the next takes less of what took longer."""
FIRST, FEWEST, MOST = 60, 20, 2_000
"""Names that a step begins with, few, so that the first request of a first read is soon there; what else is noted of
their components comes along."""
_ATTEMPTS = 3
"""To compute beside other writers, before they have to wait."""


class CatchUp:
    """Works off what is deferred. Safe to run several times at once on one database; `all` takes its turns here."""

    def __init__(
        self,
        engine: AsyncEngine,
        changed: Callable[[], None] = lambda: None,
        watch: Watch = UNWATCHED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine, self.changed, self.watch, self.clock = engine, changed, watch, clock
        self.behind = False
        """Whether the newest batch was full: more is waiting behind it."""
        self.waiting = Waiting("understanding", "understanding.waits", "understanding.goes.on", logger)
        self._ended, self._took = float("-inf"), 0.0
        self._most = FIRST
        self._left = asyncio.Event()
        self._turn = asyncio.Lock()
        self._running = False

    def _pause(self) -> float:
        """Seconds until the next turn."""
        rest = PAUSE * self._took
        wait = min(max(PATIENCE, rest), LONGEST) if self.behind else min(PATIENCE, rest)
        return self._ended + wait - self.clock()

    async def batch(self) -> int:
        """A batch left something: see to it, unless `run` does or more is waiting. How many requests changed."""
        self._left.set()
        return 0 if self._running or self.behind else await self.all()

    async def run(self, idle: float = 1.0) -> None:
        """See to what is left for ever: when its turn has come, and now and then what another process left."""
        self._running = True
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(idle):
                    await self._left.wait()
            await asyncio.sleep(max(0.0, self._pause()))
            self._left.clear()
            try:
                await self.all()
            except (*AWAY, RetryLater) as error:
                self.waiting.away(error)
                self._left.set()
                await asyncio.sleep(idle)
            else:
                self.waiting.over()

    async def all(self) -> int:
        """Understand what is left now. Returns how many requests changed."""
        with self.watch.turn():
            changed = await self._all()
            if changed:
                self.changed()
        return changed

    async def _all(self) -> int:
        async with self._turn:
            async with reading(self.engine) as connection:
                if not await deferred.any_left(connection):
                    return 0
            began, changed = self.clock(), 0
            after: tuple[str, str] | None = None
            while True:
                after, requests_ = await self._step(after)
                changed += requests_
                if after is None:
                    break
            self._ended = self.clock()
            self._took = self._ended - began
        return changed

    async def _step(self, after: tuple[str, str] | None) -> tuple[tuple[str, str] | None, int]:
        """The next notes. Returns where to go on, and how many requests changed."""
        try:
            outcome = await self._understood(after, self._most)
        except Exception as error:
            if isinstance(error, AWAY) and not refuses(error):
                raise
            return await self._one(after)
        return outcome.notes.last, outcome.requests

    async def _one(self, after: tuple[str, str] | None) -> tuple[tuple[str, str] | None, int]:
        """Among the next there is one that fails: one at a time."""
        try:
            outcome = await self._understood(after, 1)
        except Exception as error:
            if isinstance(error, AWAY) and not refuses(error):
                raise
            return await self._leave(after, error), 0
        return outcome.notes.last, outcome.requests

    async def _understood(self, after: tuple[str, str] | None, most: int) -> Outcome:
        if self.engine.dialect.name == "sqlite":
            for _ in range(_ATTEMPTS):
                began = self.clock()
                try:
                    async with reading(self.engine) as connection:
                        outcome = await self._look(Bulk(connection), after, most, reading=True)
                except aside.Large:
                    break
                took = self.clock() - began
                async with writing(self.engine) as connection, self._measured(outcome.notes):
                    if await valid(Bulk(connection), outcome):
                        await write(Bulk(connection), outcome, self.watch)
                        return outcome
                if took < LONG["sqlite"]:
                    break  # looking again takes no longer than others may wait
        async with writing(self.engine) as connection, self._measured(Notes()) as notes:
            outcome = await self._look(Bulk(connection), after, most)
            notes.names = outcome.notes.names
            await write(Bulk(connection), outcome, self.watch)
        return outcome

    @asynccontextmanager
    async def _measured(self, notes: Notes) -> AsyncIterator[Notes]:
        """Take fewer the next time where writing takes long, and more where it does not."""
        began = self.clock()
        yield notes
        share = LONG[self.engine.dialect.name] / max(self.clock() - began, 0.001)
        if share < 1 or notes.names >= self._most:
            self._most = min(MOST, max(FEWEST, int(notes.names * min(share, 1.5))))

    async def _look(self, bulk: Bulk, after: tuple[str, str] | None, most: int, *, reading: bool = False) -> Outcome:
        snapshot = await configuration.load(bulk.connection, hold=True)
        touched = Touched(snapshot.rules, reading=reading)
        await deferred.look(bulk, touched, after, most)
        return await look(bulk, touched, snapshot, self.watch)

    async def _leave(self, after: tuple[str, str] | None, error: Exception) -> tuple[str, str] | None:
        """What cannot be written stops nothing else: its requests stay as they were, and say so."""
        reason = f"{type(error).__name__} while it was written"
        logger.error("component.write.failed", extra={"error": type(error).__name__})
        async with writing(self.engine) as connection:
            bulk = Bulk(connection)
            touched = Touched(Rules())
            notes = await deferred.look(bulk, touched, after, 1)
            sql = "SELECT DISTINCT component, request FROM members WHERE artifact IN {keys}"
            rows = await bulk.by_keys(sql, touched.artifacts)
            await requests.mark_failed(bulk, {row[1]: reason for row in rows if row[1]})
            await pending.ask(connection, {row[0] for row in rows})
            await deferred.drop(bulk, notes)
        return notes.last
