"""Understanding what batches left: in bounded steps, each when its turn has come (see `pace`).

On PostgreSQL the workers take their turns one after the other, and pause together (see `store.whose_turn`).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.correlate.rules import Rules
from pipelines.pace import Pace
from pipelines.store import aside, configuration, deferred, pending, people, requests, whose_turn
from pipelines.store.bulk import Bulk
from pipelines.store.components import Locked, nothing_more
from pipelines.store.engine import AWAY, reading, refuses, writing
from pipelines.store.facts import Notes, Touched
from pipelines.understanding import Outcome, look, valid, write
from pipelines.waiting import Waiting
from pipelines.watching import UNWATCHED, Watch
from schemas.errors import RetryLater

logger = logging.getLogger("throughline.pipelines")

LOOK = 0.1
"""Seconds after which who waits for another's turn looks whether it is over."""
LONG = {"sqlite": 0.06, "postgresql": 0.5}
"""Seconds for which a step should write at most: the next takes less of what took longer."""
FIRST, FEWEST, MOST = 60, 20, 2_000
"""Names that a step begins with, few, so that the first request of a first read is soon there; what else is noted of
their components comes along."""
PUT_OFF = 10
"""Turns behind full batches that leave aside who is known otherwise: one is in many requests, and in a first read each
becomes known tool by tool."""
_ATTEMPTS = 3
"""To compute beside other writers, before they have to wait."""


class CatchUp:
    """Works off what is deferred. Safe to run several times at once on one database; `all` takes its turns here.

    holder: this process, among all that work on one PostgreSQL.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        changed: Callable[[], None] = lambda: None,
        watch: Watch = UNWATCHED,
        clock: Callable[[], float] = time.monotonic,
        holder: str = "the hub",
    ) -> None:
        self.engine, self.changed, self.watch, self.clock, self.holder = engine, changed, watch, clock, holder
        self.waiting = Waiting("understanding", "understanding.waits", "understanding.goes.on", logger)
        self._pace = Pace(clock)
        self._most = FIRST
        self._left = asyncio.Event()
        self._turn = asyncio.Lock()
        self._running = False
        self._first = True
        self._put_off = 0

    @property
    def behind(self) -> bool:
        """Whether the newest batch was full: more is waiting behind it."""
        return self._pace.behind

    @property
    def _kinds(self) -> Sequence[str]:
        return deferred.BUT_PEOPLE if self._put_off else deferred.KINDS

    def merging(self) -> None:
        """A batch has come and is being merged."""
        self._pace.merging()

    async def batch(self, *, full: bool = False) -> int:
        """A batch left something: see to it, unless `run` does or more is waiting. How many requests changed.

        Beside `run` the first step is taken here, before the next batch is merged, so that who starts a hub soon sees
        the first requests.
        """
        self._pace.merged(full=full)
        if self._running and self._first and not full:
            await self._begin()
        self._left.set()
        return 0 if self._running or full else await self.all()

    async def _begin(self) -> None:
        self._first = False
        with self.watch.turn():
            async with self._turn:
                _, changed = await self._step(None)
            if changed:
                self.changed()

    async def run(self, idle: float = 1.0) -> None:
        """See to what is left for ever: when its turn has come, and now and then what another process left."""
        self._running = True
        while True:
            await _within(idle, self._left)
            try:
                while (wait := self._pace.wait()) > 0:
                    self._left.clear()
                    await _within(wait, self._left)  # each batch may say that no more is waiting
                self._left.clear()
                await self._take_turn()
            except (*AWAY, RetryLater) as error:
                self.waiting.away(error)
                self._left.set()
                await asyncio.sleep(idle)
            else:
                self.waiting.over()

    async def _take_turn(self) -> None:
        if self.engine.dialect.name != "postgresql":
            await self.all()
            return
        async with reading(self.engine) as connection:
            if not await deferred.any_left(connection):
                return
        number = await self._turn_of_all_workers()
        if number is not None:
            async with self._kept(number):
                await self.all()
            async with writing(self.engine) as connection:
                await whose_turn.end(connection, number, *self._pace.pause)
        elif self._pace.over():
            await self.all()  # beside whose turn it is
        else:
            self._left.set()

    async def _turn_of_all_workers(self) -> int | None:
        """Its number; None: it has not come yet."""
        async with writing(self.engine) as connection:
            pause = await whose_turn.look(connection, self.holder)
            if not pause.held:
                self._pace.told(pause.rest, pause.longer)
                if self._pace.wait() > 0:
                    return None
                if (number := await whose_turn.take(connection, self.holder)) is not None:
                    return number
        self._pace.taken(10 * LOOK if self.behind else LOOK)
        return None

    @asynccontextmanager
    async def _kept(self, number: int) -> AsyncIterator[None]:
        """Keep the turn among all workers, however long a step takes."""
        over = asyncio.Event()

        async def keep() -> None:
            with suppress(*AWAY):  # then the turn is lost soon
                while not await _within(whose_turn.LASTS / 4, over):
                    async with writing(self.engine) as connection:
                        await whose_turn.keep(connection, number)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            over.set()
        await keeping

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
            self._put_off = self._put_off + 1 if self._pace.more and self._put_off < PUT_OFF else 0
            self._pace.began()
            after: tuple[str, str] | None = None
            while True:
                after, requests_ = await self._step(after)
                changed += requests_
                if after is None:
                    break
            self._pace.ended(self.clock() - began)
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
        async with AsyncExitStack() as alone:
            await alone.enter_async_context(whose_turn.alone(self.engine))
            async with writing(self.engine) as connection, self._measured(Notes()) as notes:
                outcome = await self._look(Bulk(connection), after, most, locked=alone.aclose)
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

    async def _look(
        self, bulk: Bulk, after: tuple[str, str] | None, most: int, *, reading: bool = False,
        locked: Locked = nothing_more,
    ) -> Outcome:  # fmt: skip
        snapshot = await configuration.load(bulk.connection, hold=True)
        touched = Touched(snapshot.rules, reading=reading)
        await deferred.look(bulk, touched, after, most, self._kinds)
        return await look(bulk, touched, snapshot, self.watch, locked)

    async def _leave(self, after: tuple[str, str] | None, error: Exception) -> tuple[str, str] | None:
        """What cannot be written stops nothing else: its requests stay as they were, and say so. It is tried again."""
        reason = f"{type(error).__name__} while it was written"
        logger.error("component.write.failed", extra={"error": type(error).__name__})
        async with writing(self.engine) as connection:
            bulk = Bulk(connection)
            touched = Touched(Rules())
            notes = await deferred.look(bulk, touched, after, 1, self._kinds)
            sql = "SELECT DISTINCT component, request FROM members WHERE artifact IN {keys}"
            rows = [*await bulk.by_keys(sql, touched.artifacts)]
            named = await people.concerned(bulk, touched.identities)
            rows += await bulk.by_keys(f"SELECT component, id {pending.NAMING}", named)
            await requests.mark_failed(bulk, {row[1]: reason for row in rows if row[1]})
            await pending.ask(connection, {row[0] for row in rows})
            await deferred.put_off(bulk, notes)
        return notes.last


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether it came within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
