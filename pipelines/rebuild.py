"""Compute everything derived anew from the inputs (source events and rules), beside the running system.

The second set of tables is filled by the very steps that ingest takes, in bounded transactions; what lands meanwhile is
caught up with. At the end ingest waits for a moment: the rest is taken in, what differs is marked for the readers of
the change feed, and the second set takes the place of the first. Stopped or killed before that, nothing has changed.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines import recompute
from pipelines.ingest import TOO_MANY, kind_of, place_of
from pipelines.store import (
    aside,
    comparing,
    configuration,
    dead_letters,
    decisions,
    deferred,
    facts,
    leases,
    outcomes,
    pending,
    stamps,
    suggestions,
    tables,
)
from pipelines.store.beside import DERIVED, Beside, Busy, beside
from pipelines.store.bulk import Bulk
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import refuses, writing
from pipelines.store.facts import Telling, Touched
from pipelines.supposing import touched_by
from pipelines.understanding import understand
from schemas.canonical import digest
from schemas.errors import BadRecord, Misconfigured, RetryLater
from schemas.events import SourceEvent, Undecodable, from_kafka

logger = logging.getLogger("throughline.rebuild")

LEASE = "rebuild"
_RENEW = timedelta(seconds=10)
_ROWS, _BYTES = 200, 10_000_000
"""Events fetched at once, and how much of them a step takes: many make it quick, much would fill the memory."""
_LITTLE = 200
"""So many events can be left for the moment in which ingest waits."""
_SWAPS = 10
"""Attempts to find a moment in which no reader holds a table."""

_LOOKS = 30
"""Attempts to find a moment to compare in which ingest has understood all that it merged."""

NOT_PUT_TOGETHER = "it could not be put together when everything was computed anew"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is, in source events; total grows by what lands meanwhile."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Where one derived table in use is not what its inputs say."""

    table: str
    stale: int
    """Rows in use that are computed otherwise, or not at all."""
    missing: int
    keys: Sequence[str]
    """Of some of these rows."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild did."""

    events: int
    changed: int
    """Requests whose record is another or new."""
    ended: int
    """Request ids that are no request any more; where their artifact is in another one they redirect."""
    set_aside: int
    """Source events that this release cannot understand: each waits as a dead letter."""
    rules_changed: bool
    """Configuration changed meanwhile: recompute goes over everything once more."""


@dataclass(slots=True)
class _Run:
    """One rebuild under way."""

    second: Beside
    lease: leases.Lease
    renewed_at: datetime
    rules: str
    decided: int
    """The newest decision when it began."""
    reached: int = 0
    done: int = 0
    total: int = 0
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    many_named: set[str] = field(default_factory=set)
    """Identities that are known otherwise now and are in so many requests that these are seen to in steps."""
    again: list[str] = field(default_factory=list)
    """Components in which they are."""


class Rebuild:
    """telling: what an event says (`Ingest.telling`). holder: of leases, unique to this process.

    progress is told after every step, of at most `batch` events.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        telling: Callable[[SourceEvent], Telling],
        now: Callable[[], datetime],
        holder: str,
        progress: Callable[[Progress], None] = lambda _: None,
        batch: int = 2_000,
    ) -> None:
        self.engine = engine
        self.telling = telling
        self.now = now
        self.holder = holder
        self.progress = progress
        self.batch = batch

    async def swap(self) -> Outcome:
        """Compute and put in place. Raises RetryLater, LeaseLost, Misconfigured: then nothing has changed."""
        async with self._started() as run:
            await self._fill(run)
            await run.second.settle()
            for attempt in range(_SWAPS):
                try:
                    return await self._swap(run)
                except Busy:
                    logger.info("rebuild.swap.waits", extra={"attempt": attempt})
                    await asyncio.sleep(1)
            raise RetryLater(f"readers held the tables at each of {_SWAPS} attempts to swap; nothing has changed")

    async def check(self) -> list[Difference]:
        """Compute, compare with what is in use, and change nothing. Empty: nothing differs."""
        async with self._started() as run:
            await self._fill(run)
            for _ in range(_LOOKS):
                async with run.second.unmoved() as connection:
                    # First of all, so that this moment is the one compared.
                    if not (await deferred.any_left(connection) or await aside.any_left(connection)):
                        return await self._compared(connection, run)
                await asyncio.sleep(1)
        raise RetryLater(
            f"ingest had not understood all it merged at each of {_LOOKS} looks: compare when it is calmer"
        )

    async def _compared(self, connection: AsyncConnection, run: _Run) -> list[Difference]:
        await self._catch_up(connection, run)
        while run.many_named or run.again:
            await _fold_again(connection, run)
        found = [(table.name, *await comparing.differences(connection, run.second, table)) for table in DERIVED]
        return [Difference(*one) for one in found if one[1] or one[2]]

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[_Run]:
        async with writing(self.engine) as connection:
            lease = await leases.take(connection, LEASE, self.holder, self.now())
            if lease is not None:
                await stamps.change(connection, stamps.REBUILT, "0/0")
        if lease is None:
            raise RetryLater("another rebuild runs, or was killed less than 30 s ago", 30)
        try:
            async with beside(self.engine) as second:
                async with second.batch() as connection:
                    rules, decided = await _rules(connection), await decisions.newest(connection)
                yield _Run(second, lease, self.now(), rules, decided)
        finally:
            async with writing(self.engine) as connection:
                await leases.release(connection, lease, self.now())

    async def _fill(self, run: _Run) -> None:
        """Take in everything up to a number, then what landed meanwhile, until what is left is little."""
        before = math.inf
        while True:
            end = await run.second.landed()
            async with run.second.batch() as connection:
                left = await _count(connection, run.reached, end)
            run.total = run.done + left
            if left <= min(_LITTLE, self.batch) or left > before / 2:
                return  # little, or it lands nearly as fast as it is computed: the rest while ingest waits
            await self._take_in(run, end)
            before = left

    async def _take_in(self, run: _Run, end: int) -> None:
        while run.reached < end:
            async with run.second.batch() as connection:
                if not await self._step(connection, run, end):
                    run.reached = end
            await self._renew(run)
        while run.many_named or run.again:
            async with run.second.batch() as connection:
                await _fold_again(connection, run)
            await self._renew(run)

    async def _catch_up(self, connection: AsyncConnection, run: _Run) -> None:
        """The rest, in the caller's transaction, which sees every event that is not taken in."""
        kept = run.reached, run.done
        try:
            while await self._step(connection, run, None):
                pass
            await _decided_meanwhile(connection, run)
        except BaseException:
            run.reached, run.done = kept
            raise

    async def _step(self, connection: AsyncConnection, run: _Run, end: int | None) -> int:
        """Take in one batch. Returns how many events it had."""
        rows = await _events(connection, run.reached, end, self.batch)
        if not rows:
            return 0
        tellings = [one for row in rows if (one := self._read(row.id, row.event, run))]
        await self._apply(connection, tellings, run)
        run.reached = rows[-1].landed
        run.done += len(rows)
        run.total = max(run.total, run.done)
        self._judge(run)
        self.progress(Progress(run.done, run.total))
        return len(rows)

    def _read(self, name: str, stored: str, run: _Run) -> Telling | None:
        try:
            return self.telling(from_kafka(stored.encode(), ()))
        except (Undecodable, BadRecord) as error:
            self._set_aside(run, name, stored, "bad record", str(error))
        except Exception as error:  # noqa: BLE001 - the worker's boundary: one record stops nothing else
            self._set_aside(run, name, stored, f"failed: {place_of(error)}", place_of(error))
        return None

    def _set_aside(self, run: _Run, name: str, stored: str, cause: str, reason: str) -> None:
        words = f"{reason}; found when everything was computed anew: once it is mended, do that again"
        run.letters[name] = DeadLetter(f"rebuild/{name}", cause, words, stored.encode(), self.now())

    def _judge(self, run: _Run) -> None:
        failed = len(run.letters)
        if failed > TOO_MANY[0] and failed > TOO_MANY[1] * run.done:
            causes = sorted({letter.cause for letter in run.letters.values()})
            raise Misconfigured(
                f"This release cannot understand {failed} of {run.done} source events ({causes[0]})",
                "That is a fault of the release, not of the data: upgrade, then try again. Nothing has changed",
            )

    async def _apply(self, connection: AsyncConnection, tellings: Sequence[Telling], run: _Run) -> None:
        """Merge and understand; what the database refuses is found by halving and set aside."""
        try:
            async with connection.begin_nested():
                await _understood(connection, tellings, run)
        except DBAPIError as error:
            if not (tellings and refuses(error)):
                raise
            if len(tellings) == 1:
                event = tellings[0].event
                reason = f"the database refuses it ({kind_of(error)})"
                self._set_aside(run, event.id, event.model_dump_json(), f"refused: {kind_of(error)}", reason)
                return
            half = len(tellings) // 2
            await self._apply(connection, tellings[:half], run)
            await self._apply(connection, tellings[half:], run)

    async def _renew(self, run: _Run) -> None:
        if self.now() - run.renewed_at < _RENEW:
            return
        async with writing(self.engine) as connection:
            lease = await leases.take(connection, LEASE, self.holder, self.now())
            await stamps.change(connection, stamps.REBUILT, f"{run.done}/{run.total}")
        if lease is None or lease.epoch != run.lease.epoch:
            raise leases.LeaseLost(LEASE)
        run.renewed_at = self.now()

    async def _swap(self, run: _Run) -> Outcome:
        async with run.second.alone(recompute.LEASE) as connection:
            await leases.check(connection, run.lease)
            await self._catch_up(connection, run)
            await pending.ask_named(Bulk(connection), run.many_named)
            await comparing.keep_failed(connection, run.second, NOT_PUT_TOGETHER)
            changed = await comparing.mark(connection, run.second, comparing.CHANGED)
            ended = await comparing.mark(connection, run.second, comparing.ENDED)
            await dead_letters.add(connection, list(run.letters.values()))
            other_rules = await _rules(connection) != run.rules
            if other_rules:
                await pending.ask_everything(connection, "configuration changed during a rebuild", self.now())
            await connection.execute(delete(tables.deferred))  # all of it is understood here
            await pending.ask_missing(connection)
            await suggestions.mark_everything(connection)
            await stamps.renew(connection)
            await outcomes.count(Bulk(connection), await outcomes.newest(Bulk(connection)))
            await run.second.exchange(connection)
        return Outcome(run.done, changed, ended, len(run.letters), other_rules)


async def _understood(connection: AsyncConnection, tellings: Sequence[Telling], run: _Run) -> None:
    bulk = Bulk(connection)
    snapshot = await configuration.load(connection)
    touched = await facts.merge(bulk, tellings, snapshot.rules)
    touched.beside = touched.however_large = True
    await understand(bulk, touched, snapshot, remember=False)
    run.many_named |= touched.many_named


async def _fold_again(connection: AsyncConnection, run: _Run) -> None:
    """Some of the components in which very many are named who are known otherwise now."""
    bulk = Bulk(connection)
    if run.many_named:
        run.again = sorted({*run.again, *await pending.naming(bulk, run.many_named)})
        run.many_named = set()
    snapshot = await configuration.load(connection)
    some = set(run.again[: recompute.STEP])
    touched = Touched(snapshot.rules, components=some, everything=True, beside=True, however_large=True)
    await understand(bulk, touched, snapshot, remember=False)
    run.again = run.again[recompute.STEP :]


async def _decided_meanwhile(connection: AsyncConnection, run: _Run) -> None:
    """Understand anew what was decided since it began: it may have been computed before."""
    for people in (True, False):
        names = {
            name
            for one in await decisions.since(connection, run.decided)
            for name in one.left + one.right
            if (await decisions.about_people(connection, one)) is people
        }
        if names:
            snapshot = await configuration.load(connection)
            touched = touched_by(names, snapshot.rules, people=people)
            touched.beside = True
            await understand(Bulk(connection), touched, snapshot, remember=False)
            run.many_named |= touched.many_named


async def _events(connection: AsyncConnection, after: int, end: int | None, limit: int) -> list[Any]:
    """The next events: at most `limit`, and not much more than _BYTES."""
    landed = tables.source_events.c.landed
    wanted = select(landed, tables.source_events.c.id, tables.source_events.c.event).order_by(landed)
    if end is not None:
        wanted = wanted.where(landed <= end)
    rows: list[Any] = []
    size = 0
    while len(rows) < limit and size < _BYTES:
        some = wanted.where(landed > after).limit(min(_ROWS, limit - len(rows)))
        found = (await connection.execute(some)).all()
        if not found:
            break
        rows += found
        size += sum(len(row.event) for row in found)
        after = rows[-1].landed
    return rows


async def _count(connection: AsyncConnection, after: int, end: int) -> int:
    landed = tables.source_events.c.landed
    counted = select(func.count()).select_from(tables.source_events).where(landed > after, landed <= end)
    return int((await connection.execute(counted)).scalar_one())


async def _rules(connection: AsyncConnection) -> str:
    """A hash of the rules as they are."""
    rows = await connection.execute(select(tables.rules).order_by(tables.rules.c.connection))
    return digest(*(text for row in rows for text in row))
