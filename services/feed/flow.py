"""Pages on their way: published, acknowledged, applied. One flow per process that feeds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Page
from pipelines.store import dead_letters, deferred, leases, offsets
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import reading, writing
from schemas.canonical import digest
from schemas.errors import RetryLater
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka
from services.feed import beside, connections, pages
from services.feed.pages import OpenPage, Place

logger = logging.getLogger("throughline.feed")

Outgoing: TypeAlias = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""(connector, key, value, headers)"""
Send: TypeAlias = Callable[[Sequence[Outgoing]], Awaitable[Sequence[Place | Exception]]]
"""Publishes records to the connector's source topic; for each its place, or why it is not acknowledged."""

CHUNK_BYTES = 1_000_000
NOT_APPLIED_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Bus:
    """The broker as the feed needs it."""

    send: Send
    incarnation: str
    """Random with each start of an embedded broker; Kafka's cluster id."""
    embedded: bool
    bytes_in_flight: int = 2_000_000
    """How much an embedded broker may hold that is not applied: it evicts silently what is too much."""


class NotApplied(RetryLater):
    """What was published is not understood yet: it is read and published again, from the last cursor that is safe."""


class NotTaken(RetryLater):
    """The broker did not acknowledge a page."""


class Flow:
    """Publishes pages, and follows them until they are applied."""

    def __init__(self, engine: AsyncEngine, bus: Bus, now: Callable[[], datetime]) -> None:
        self.engine = engine
        self.bus = bus
        self.now = now
        self._settled = asyncio.Condition()
        self._following: dict[tuple[str, int], int] = {}
        self._in_flight: dict[Place, int] = {}
        self._noted: dict[int, int] = {}
        """Page to the newest note of what was not understood when the page was found merged."""

    async def start(self) -> None:
        """Read again what a broker that is gone took with it: an embedded one, or another Kafka."""
        async with writing(self.engine) as connection:
            moved = await pages.forget_other_brokers(connection, self.bus.incarnation)
            for name in moved:
                logger.warning("gap.connection.read_again", extra={"connection": name})
                stored = await connections.get(connection, name)
                await connections.start_again(connection, name, stored.since if stored else None)

    async def publish(
        self, name: str, page: Page, lease: leases.Lease, epoch: int, *, moves_cursor: bool = True, place: str = ""
    ) -> None:
        """Publish a page and note it. epoch: of the connection as it was read; place: its cursor in words.

        Raises RetryLater (nothing is noted: read it again), LeaseLost, Reconfigured.
        """
        fitting, letters = self._sorted_out(name, page)
        places: list[Place] = []
        for chunk in _chunks(fitting):
            await self._room_for(sum(len(value) for _, _, value, _ in chunk))
            places += await self._send(chunk)
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            await connections.check(connection, name, epoch)
            await dead_letters.add(connection, letters)
            cursor, at = page.cursor if moves_cursor else None, self.now()
            await pages.record(
                connection, name, cursor, page.true_up_to, pages.places(places), self.bus.incarnation,
                len(fitting), at,
            )  # fmt: skip
            await beside.page(
                connection, name, [key.decode() for _, key, _, _ in fitting], at,
                place=place if moves_cursor else None, polled=moves_cursor and page.progress is None,
            )  # fmt: skip
            await connections.change(connection, name, **self._progress(page, cursor, at))

    def _progress(self, page: Page, cursor: dict[str, Any] | None, at: datetime) -> dict[str, Any]:
        values: dict[str, Any] = {"alive_at": at, "problem": None, "attention": False, "retry_at": None}
        if page.progress:
            values |= {"progress_done": page.progress.done, "progress_total": page.progress.total}
        if cursor is not None and not self.bus.embedded:
            values["cursor"] = cursor
        return values

    def _sorted_out(self, name: str, page: Page) -> tuple[list[Outgoing], list[DeadLetter]]:
        """The records to publish, and letters for what cannot be."""
        at = self.now()
        letters = [
            DeadLetter(f"{name}/{one.native_id}/{digest(one.raw)[:16]}", "bad record", one.reason,
                       one.raw.encode("utf-8", "replace"), at, name)
            for one in page.set_aside
        ]  # fmt: skip
        fitting: list[Outgoing] = []
        for event in page.events:
            try:
                key, value, headers = to_kafka(event)
            except ValueError:  # one event must not hold up all that follow
                letters.append(_no_json(event, at))
                continue
            if len(value) > MAX_EVENT_BYTES:
                letters.append(_too_large(event, len(value), at))
            else:
                fitting.append((event.connector, key, value, headers))
        return fitting, letters

    async def _send(self, chunk: Sequence[Outgoing]) -> list[Place]:
        results = await self.bus.send(chunk)
        failed = [result for result in results if isinstance(result, Exception)]
        if failed:
            raise NotTaken(f"Kafka did not take {len(failed)} of {len(chunk)} records ({type(failed[0]).__name__})")
        placed = [result for result in results if not isinstance(result, Exception)]
        if self.bus.embedded:
            sizes = (len(value) for _, _, value, _ in chunk)
            self._in_flight |= dict(zip(placed, sizes, strict=True))
        return placed

    async def _room_for(self, size: int) -> None:
        """Wait until the embedded broker holds so little that nothing can be evicted unread."""
        if not self.bus.embedded:
            return
        try:
            async with asyncio.timeout(NOT_APPLIED_AFTER.total_seconds()), self._settled:
                while self._in_flight and sum(self._in_flight.values()) + size > self.bus.bytes_in_flight:
                    await self._settled.wait()
        except TimeoutError:
            self._in_flight.clear()
            raise NotApplied("what was read is not understood yet; is `ingest` running?") from None

    async def settle(self) -> list[str]:
        """Mark the pages that are applied. Returns the connections that must be read again from their cursor."""
        async with reading(self.engine) as connection:
            self._following = await offsets.applied(connection, self.bus.incarnation)
            waiting = await pages.open_pages(connection, self.bus.incarnation)
            oldest, newest = await deferred.span(connection)
        merged, late = self._judge(waiting)
        # What is merged but not understood yet is in no record: no connection is true up to it.
        self._noted = {page.number: self._noted.get(page.number, newest) for page in merged}
        applied = [page for page in merged if self._noted[page.number] < oldest]
        stored = [page for page in merged if self._noted[page.number] >= oldest] if self.bus.embedded else []
        if applied or stored:
            async with writing(self.engine) as connection:
                await pages.mark_applied(connection, applied, self.now(), cursor=self.bus.embedded)
                await pages.move_cursors(connection, stored)
        following = self._following
        self._in_flight = {p: s for p, s in self._in_flight.items() if following.get((p[0], p[1]), 0) < p[2]}
        async with self._settled:
            self._settled.notify_all()
        return late

    def _judge(self, waiting: list[OpenPage]) -> tuple[list[OpenPage], list[str]]:
        """Pages that are applied, in each connection's order; and connections with a page that waits for too long."""
        applied: list[OpenPage] = []
        held: dict[str, OpenPage] = {}
        for page in waiting:
            if page.connection in held:
                continue
            if page.applied(self._following):
                applied.append(page)
            else:
                held[page.connection] = page
        overdue = self.now() - NOT_APPLIED_AFTER
        late = [name for name, page in held.items() if page.published_at < overdue] if self.bus.embedded else []
        return applied, late


def _chunks(records: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    chunk: list[Outgoing] = []
    size = 0
    for record in records:
        if chunk and size + len(record[2]) > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(record)
        size += len(record[2])
    if chunk:
        yield chunk


def _no_json(event: SourceEvent, at: datetime) -> DeadLetter:
    reason = "the event cannot be written as JSON: nested too deep, or with half a character; upgrade its connector"
    named = f"{event.connection}/{event.kind}/{event.native_id}/{event.version}".encode("utf-8", "replace")
    return DeadLetter(named.decode(), "bad record", reason, named, at, event.connection)


def _too_large(event: SourceEvent, size: int, at: datetime) -> DeadLetter:
    reason = f"the event has {size} bytes, at most {MAX_EVENT_BYTES} pass; its connector should have cut it"
    named = f"{event.connection}/{event.kind}/{event.native_id}/{event.version}"
    return DeadLetter(named, "too large", reason, event.model_dump_json().encode(), at, event.connection)
