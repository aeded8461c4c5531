"""Runs connections: each is read by one process at a time, comes back by itself, and takes no other down."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connectors.contract import Misconfigured, RetryLater
from pipelines.store import leases
from pipelines.store.engine import AWAY, reading, writing
from pipelines.waiting import Waiting
from services.feed import beside, budgets, connections, failures, notices, pages, rules
from services.feed.connections import READING, Reconfigured, StoredConnection
from services.feed.failures import Failed
from services.feed.flow import NotTaken
from services.feed.reader import Reader, Reading

logger = logging.getLogger("throughline.feed")

LEASE = timedelta(seconds=10)
_FIRST_WAIT = timedelta(seconds=5)
_LONGEST_WAIT = timedelta(minutes=15)
_LONGEST_ASKED = timedelta(hours=1)
"""So long a tool may ask for: limits are refilled within it, and a slip of the tool must not stop reading for years."""
_REST = timedelta(seconds=30)
"""At most, after the database or the broker took nothing: both are tried all the time, but no tool is asked in vain."""
_LOOK_AGAIN = timedelta(minutes=15)
"""After this a misconfigured connection is tried once more: somebody may have mended it in the tool."""

_UNEXPECTED = (
    "Look at the log for its place and upgrade the hub; `throughline connections reread NAME --since TIME` goes on"
    " after it, without what changed before that time"
)


def _problem(failed: Failed) -> str:
    """As a connection shows it."""
    if failed.kind == "wait":
        return failed.problem
    return f"{failed.problem}. {failed.mend}" if failed.kind == "mend" else f"{failed.problem}; it will be tried again"


class Feed:
    """Supervises the readers of this process. holder: unique among the processes that feed."""

    def __init__(self, shared: Reading, holder: str) -> None:
        self.shared = shared
        self.holder = holder
        self.readers: dict[str, Reader] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._rests: dict[str, datetime] = {}
        self._said: dict[str, str] = {}
        self.waiting = Waiting("reading", "feed.waits", "feed.goes.on", logger)
        self._of_this_release = False
        """Whether stored rules hold what this release's connectors say."""

    async def run(self, tick: float = 0.2) -> None:
        """Run until cancelled; then every reader is stopped and its lease given back."""
        await self.shared.flow.start()
        try:
            while True:
                await self.step()
                await asyncio.sleep(tick)
        finally:
            await self._stop_all()

    async def step(self) -> None:
        """Settle pages, end what may not run any more, start what is due. An outage of the database only waits."""
        try:
            await self._refresh_rules()
            await self._restart(await self.shared.flow.settle())
            async with reading(self.shared.engine) as connection:
                stored = await connections.every(connection)
            await self._stop({one.id for one in stored if self._may_run(one)})
            for one in stored:
                await self._care(one)
        except AWAY as error:
            self.waiting.away(error)
            await asyncio.sleep(1)
        except Exception as error:
            logger.exception("feed.step.failed", extra={"kind": type(error).__name__})
            await asyncio.sleep(1)
        else:
            self._back()

    async def _refresh_rules(self) -> None:
        """Once after the start: another release may map otherwise by default."""
        if self._of_this_release:
            return
        async with writing(self.shared.engine) as connection:
            changed = await rules.refresh(connection, self.shared.catalogue, self.shared.now())
        self._of_this_release = True
        if changed:
            logger.info("rules.refreshed", extra={"connections": changed})

    def _back(self) -> None:
        if not any(rest > self.shared.now() for rest in self._rests.values()):
            self.waiting.over()

    def _may_run(self, stored: StoredConnection) -> bool:
        reader = self.readers.get(stored.id)
        same = reader is None or reader.as_stored(stored)
        return stored.state == READING and stored.connector in self.shared.catalogue and same

    async def _care(self, stored: StoredConnection) -> None:
        reader = self.readers.get(stored.id)
        if reader is not None:
            if stored.wanted:
                reader.wake.set()
            await self._renew(reader)
        elif self._due(stored):
            await self._start(stored.id)

    def _due(self, stored: StoredConnection) -> bool:
        """Whether it may be read now. A tool that asked for a pause gets it, whatever its webhooks tell meanwhile."""
        now = self.shared.now()
        rests = (stored.retry_at and stored.retry_at > now) or self._rests.get(stored.id, now) > now
        return self._may_run(stored) and not rests

    async def _start(self, name: str) -> None:
        async with writing(self.shared.engine) as connection:
            # Looked at once more: since this step's look a reader may have ended, and left a pause.
            stored = await connections.get(connection, name)
            if stored is None or not self._due(stored):
                return
            lease = await leases.take(connection, f"connection:{name}", self.holder, self.shared.now(), LEASE)
            if lease is None:
                return
            if self.shared.flow.bus.embedded:
                # What is open was read by a reader that is gone; its cursor has not moved, so it comes again.
                await pages.forget_open(connection, stored.id)
        if stored.problem is None:
            self._failures.pop(name, None)
        self.readers[stored.id] = Reader(self.shared, stored, lease, self.shared.now())
        self._tasks[stored.id] = asyncio.create_task(self._read(stored.id), name=f"read {stored.id}")

    async def _renew(self, reader: Reader) -> None:
        if self.shared.now() - reader.renewed_at < LEASE / 3:
            return
        async with writing(self.shared.engine) as connection:
            lease = await leases.take(connection, reader.lease.name, self.holder, self.shared.now(), LEASE)
            if lease is not None and (budget := reader.budget()) is not None:
                await beside.put(connection, reader.name, budget=budgets.dump(budget))
        reader.renewed_at = self.shared.now()
        if lease is None or lease.epoch != reader.lease.epoch:
            await self._stop(set(self.readers) - {reader.name})

    async def _read(self, name: str) -> None:
        """One reader's life; an end by the database is told nowhere but here, for there is nothing to write to."""
        try:
            await self._until_it_ends(name)
        except AWAY as error:
            self._rests[name] = self.shared.now() + min(self._wait(name, None), _REST)
            self.waiting.away(error)
        finally:
            self.readers.pop(name, None)
            self._tasks.pop(name, None)

    async def _until_it_ends(self, name: str) -> None:
        """Whatever ends a reader is told at its connection. Raises AWAY where that cannot be."""
        try:
            await self._watched(self.readers[name])
        except (leases.LeaseLost, Reconfigured) as error:
            logger.info("connection.lost", extra={"connection": name, "kind": type(error).__name__})
        except (DBAPIError, PoolTimeout):
            raise
        except Misconfigured as error:
            await self._tell(name, self._failed(name, "mend", error.problem, error.mend), _LOOK_AGAIN)
        except RetryLater as error:
            failed = self._failed(name, "wait", error.reason, "It comes back by itself")
            wait = self._wait(name, error.after)
            await self._tell(name, failed, min(wait, _REST) if isinstance(error, NotTaken) else wait)
        except Exception as error:
            words = f"reading failed unexpectedly ({type(error).__name__})"
            # First: a refused connection to the database is nothing of this connection's, and cannot be told there.
            await self._tell(name, self._failed(name, "unexpected", words, _UNEXPECTED), self._wait(name, None))
            logger.exception("connection.read.failed", extra={"connection": name})

    def _failed(self, name: str, kind: failures.Kind, problem: str, mend: str) -> Failed:
        return Failed(kind, problem, mend, self.readers[name].stored.cursor)

    async def _watched(self, reader: Reader) -> None:
        try:
            await reader.run()
        except (leases.LeaseLost, Reconfigured):
            raise
        except Exception as error:
            self.shared.watch.page_failed(reader.name, type(error).__name__)
            raise

    def _wait(self, name: str, asked: float | None) -> timedelta:
        before = 0 if self.readers[name].succeeded else self._failures.get(name, 0)
        failures = self._failures[name] = before + 1
        if asked is not None:
            return timedelta(seconds=min(asked, _LONGEST_ASKED.total_seconds()))
        return min(_FIRST_WAIT * float(2 ** min(failures - 1, 10)), _LONGEST_WAIT)

    async def _tell(self, name: str, failed: Failed, wait: timedelta) -> None:
        """Write down why reading ended. What fails again and again at one place is named, and waits for a person."""
        now: datetime = self.shared.now()
        reader = self.readers[name]
        async with writing(self.shared.engine) as connection:
            times = await failures.note(connection, name, failed, now)
            stuck = failed.kind == "unexpected" and times >= failures.STUCK
            problem = self._stuck(reader, failed, times) if stuck else _problem(failed)
            await connections.change(
                connection, name, problem=problem, attention=stuck or failed.kind == "mend",
                retry_at=now + (_LOOK_AGAIN if stuck else wait), wanted=False,
            )  # fmt: skip
            await notices.note(connection, name, reader.lookout.board.take(now), now)
        if reader.succeeded or problem != self._said.get(name):
            logger.warning("connection.read.stopped", extra={"connection": name, "problem": problem})
        self._said[name] = problem

    @staticmethod
    def _stuck(reader: Reader, failed: Failed, times: int) -> str:
        place = reader.place(failed.cursor)
        after = f"after {place}" if place else "after the last page that was read"
        return f"The page {after} cannot be read: {failed.problem}, {times} times. {failed.mend}"

    async def _restart(self, names: list[str]) -> None:
        """Read again from the last safe cursor: what was published was not applied in time."""
        for name in set(names):
            await self._stop(set(self.readers) - {name})
            async with writing(self.shared.engine) as connection:
                await pages.forget_open(connection, name)
            # Behind what may fail for minutes, on a full disk: else it would be told each time.
            logger.warning("connection.pages.overdue", extra={"connection": name})

    async def _stop(self, keep: set[str]) -> None:
        stopped = {name: task for name, task in self._tasks.items() if name not in keep}
        for name, task in stopped.items():
            self._tasks.pop(name)
            task.cancel()
        # All at once: each may take a moment to say good-bye to its tool.
        await asyncio.gather(*stopped.values(), return_exceptions=True)
        for name in stopped:
            self.readers.pop(name, None)

    async def _stop_all(self) -> None:
        held = [reader.lease for reader in self.readers.values()]
        await self._stop(set())
        if not held:
            return
        async with writing(self.shared.engine) as connection:
            for lease in held:
                await leases.release(connection, lease, self.shared.now())
