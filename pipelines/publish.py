"""Changed records → change number → `lifecycles` topic: the one gapless order in which readers learn of changes.

One publisher at a time (leased). It first writes the numbers, then publishes the records as they are now, then marks
them sent; what was numbered and not marked is published again after a crash, under its old number.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines import retelling
from pipelines.store import leases
from pipelines.store.bulk import Bulk
from pipelines.store.engine import AWAY, reading, writing
from pipelines.store.requests import GONE
from pipelines.store.tables import changes, unpublished
from pipelines.waiting import Waiting
from schemas.canonical import canonical_json, instant
from schemas.errors import RetryLater

logger = logging.getLogger("throughline.publish")

LEASE = "publisher"
LARGEST_RECORD = 800_000
"""Bytes of a record on the topic; of a larger one goes out where to read it (`/v1/requests/<id>`)."""
_LASTS, _RENEW = timedelta(seconds=10), timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Change:
    """One change as it goes out. record None: the id redirects, or is no request any more."""

    number: int
    request: str
    merged_into: str | None
    etag: str
    at: datetime
    record: str | None = None


Send = Callable[[Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]], Awaitable[Sequence[bool]]]
"""Publishes (key, value, headers) records to `lifecycles`; tells for each whether it was acknowledged."""

Told = Callable[[], Awaitable[int | None]]
"""The highest change number on `lifecycles`; 0: it is empty; None: nobody knows. Raises RetryLater."""


def to_kafka(change: Change) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """(key, value, headers) of a change as a CloudEvent in Kafka's binary mode."""
    kind = "changed" if change.record is not None else "redirected" if change.merged_into else "ended"
    value = (change.record or canonical_json({"id": change.request, "merged_into": change.merged_into})).encode()
    if len(value) > LARGEST_RECORD:
        # Readers fetch it where it is served; an event that no topic takes would hold up all that follow.
        kind, value = (
            "pointed",
            canonical_json({"id": change.request, "etag": change.etag, "bytes": len(value)}).encode(),
        )
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{change.request}/{change.number}",
        "ce_source": "/requests",
        "ce_type": f"throughline.lifecycle.{kind}.v1",
        "ce_subject": change.request,
        "ce_time": instant(change.at),
        "ce_sequence": str(change.number),
        "content-type": "application/json",
    }
    return change.request.encode(), value, [(name, text.encode()) for name, text in attributes.items()]


class Publisher:
    """Publishes what is unpublished, as long as it holds the lease."""

    def __init__(
        self,
        engine: AsyncEngine,
        send: Send,
        now: Callable[[], datetime],
        holder: str,
        batch: int = 200,
        told: Told | None = None,
    ) -> None:
        self.engine = engine
        self.send = send
        self.now = now
        self.holder = holder
        self.batch = batch
        self.lease: leases.Lease | None = None
        self._told = told
        self._after = 0
        self._held_at = now()
        self.wake = asyncio.Event()
        self.waiting = Waiting("publishing", "publish.waits", "publish.goes.on", logger)

    async def run(self, idle: float = 0.5) -> None:
        """Publish for ever; `wake` cuts the waiting for new changes short."""
        while True:
            if await self._step():
                continue
            try:
                async with asyncio.timeout(idle):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()

    async def _step(self) -> int:
        try:
            done = await self.once()
            self.waiting.over()
            return done
        except leases.LeaseLost:
            self.lease = None
        except (*AWAY, RetryLater) as error:
            self.waiting.away(error)
            await asyncio.sleep(1)
        return 0

    async def once(self) -> int:
        """Number and publish one batch. Returns how many changes went out; 0 also where another one publishes."""
        if not (self._told or await self._anything()) or not await self._hold():
            return 0
        await self._compare()
        due = await self._due() or await self._number()
        if not due:
            return 0
        acknowledged = await self.send([to_kafka(change) for change in due])
        sent = [change for change, ok in zip(due, acknowledged, strict=True) if ok]
        try:
            await self._mark_sent(sent)
        except leases.LeaseLost:
            await self._once_more(sent)
            raise
        return len(sent)

    async def _anything(self) -> bool:
        """Whether something waits to be numbered or sent."""
        async with reading(self.engine) as connection:
            waits = select(exists(unpublished.select()), exists(changes.select().where(~changes.c.sent)))
            return any((await connection.execute(waits)).one())

    async def _compare(self) -> None:
        """Once, before anything is sent: whether the topic holds what was told (see `retelling`)."""
        if self._told is None:
            return
        told = await self._told()
        if told is not None:
            assert self.lease is not None
            async with writing(self.engine) as connection:
                await leases.check(connection, self.lease)
                self._after = await retelling.compared(connection, told, self.batch)
        self._told = None

    async def _hold(self) -> bool:
        """Take the lease, or renew it in good time."""
        if self.lease is None or self.now() - self._held_at > _RENEW:
            async with writing(self.engine) as connection:
                self.lease = await leases.take(connection, LEASE, self.holder, self.now(), _LASTS)
            self._held_at = self.now()
        return self.lease is not None

    async def _due(self) -> list[Change]:
        """What was numbered but not marked as sent, with the records as they are now."""
        async with reading(self.engine) as connection:
            wanted = select(changes).where(~changes.c.sent).order_by(changes.c.number).limit(self.batch)
            rows = (await connection.execute(wanted)).all()
            found = [Change(row.number, row.request, row.merged_into, row.etag, row.at) for row in rows]
            return await self._with_records(connection, found)

    async def _with_records(self, connection: AsyncConnection, found: list[Change]) -> list[Change]:
        rows = await Bulk(connection).by_keys(
            "SELECT id, record FROM requests WHERE id IN {keys}", [change.request for change in found]
        )
        records = {row[0]: row[1] for row in rows}
        return [replace(change, record=records.get(change.request)) for change in found]

    async def _number(self) -> list[Change]:
        """Give the next numbers to what is unpublished; a record that changes meanwhile stays unpublished."""
        assert self.lease is not None
        async with writing(self.engine) as connection:
            await leases.check(connection, self.lease)
            # The oldest ids first would need an order of arrival; by id is as good, and needs none.
            wanted = select(unpublished).order_by(unpublished.c.request).limit(self.batch).with_for_update()
            rows = (await connection.execute(wanted)).all()
            if not rows:
                return []
            given = (await connection.execute(select(func.coalesce(func.max(changes.c.number), 0)))).scalar_one()
            last = max(given, self._after)
            at = self.now()
            numbered = [_change(last + place, row.request, row.etag, at) for place, row in enumerate(rows, 1)]
            await connection.execute(changes.insert(), [_row(change) for change in numbered])
            await Bulk(connection).by_keys(
                "DELETE FROM unpublished WHERE request IN {keys}", [change.request for change in numbered]
            )
            return await self._with_records(connection, numbered)

    async def _mark_sent(self, sent: list[Change]) -> None:
        if not sent:
            return
        assert self.lease is not None
        async with writing(self.engine) as connection:
            await leases.check(connection, self.lease)
            numbers = [change.number for change in sent]
            here = changes.c.number.in_(numbers)
            await connection.execute(changes.update().where(here).values(sent=True))

    async def _once_more(self, late: Sequence[Change]) -> None:
        """These went out when another published already, and may have sent newer records before them: have it send
        these requests again, so that what comes last is what is true."""
        async with writing(self.engine) as connection:
            bulk, names = Bulk(connection), {change.request for change in late}
            rows = await bulk.by_keys("SELECT id, etag FROM requests WHERE id IN {keys}", names)
            marks = {row[0]: row[1] for row in rows}
            ended = names - marks.keys()
            marks |= {row[0]: f"-> {row[1]}" if row[1] else GONE for row in await bulk.by_keys(_ENDED, ended)}
            await bulk.insert(unpublished, marks.items(), "ignore")


_ENDED = """SELECT c.request, c.merged_into FROM changes c WHERE c.request IN {keys} AND NOT EXISTS (
    SELECT 1 FROM changes l WHERE l.request = c.request AND l.number > c.number)"""
"""What was said last of requests that are none any more."""


def _change(number: int, request: str, etag: str, at: datetime) -> Change:
    target = etag.removeprefix("-> ") if etag.startswith("-> ") else None
    return Change(number, request, target, etag, at)


def _row(change: Change) -> dict[str, object]:
    etag = GONE if change.merged_into else change.etag
    return {
        "number": change.number, "request": change.request, "merged_into": change.merged_into, "etag": etag,
        "at": change.at, "sent": False,
    }  # fmt: skip
