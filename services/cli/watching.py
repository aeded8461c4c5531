"""Measures, counts and traces of a running hub: what its parts tell goes to /metrics and to the trace collector."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from typing_extensions import override

from pipelines.store.engine import AWAY, reading
from pipelines.store.tables import dead_letters
from pipelines.watching import Watch
from services.admin.tables import audit
from services.broker.batches import Batch, Subscription
from services.feed.feed import Feed
from services.feed.letters import OPEN
from services.feed.tables import connections
from services.telemetry import Metrics, Tracing, parent_of, traced_headers

logger = logging.getLogger("throughline.watching")

_LINKS = 20
"""Other pages that one batch names at most."""


@dataclass
class Observer(Watch):
    """Hears what the parts of one process tell."""

    metrics: Metrics
    tracing: Tracing
    _batch: Context | None = None
    """The newest batch that changed requests: what is published next came of it."""
    _merged: Context | None = None
    """The newest batch: what is understood next came of it."""

    @contextmanager
    @override
    def step(self, name: str) -> Iterator[None]:
        """Measure a step of a batch, and trace it."""
        with self.metrics.step(name), self.tracing.span(f"batch.{name}"):
            yield

    @contextmanager
    @override
    def turn(self) -> Iterator[None]:
        """Trace what is understood as a part of the newest batch."""
        token = attach(self._merged) if self._merged is not None else None
        try:
            yield
        finally:
            if token is not None:
                detach(token)

    @override
    def span(self, name: str, after: Context | None = None, **attributes: str | int) -> Any:
        """Trace other work."""
        return self.tracing.span(name, after, (), **attributes)

    @override
    def ingested(self, connector: str, outcome: str, events: int) -> None:
        """Count stored records."""
        self.metrics.events_ingested.labels(connector, outcome).inc(events)

    @override
    def page_failed(self, connection: str, kind: str) -> None:
        """Count a failure."""
        self.metrics.page_failures.labels(connection, kind).inc()

    def revived(self) -> None:
        """Count that reading Kafka was begun anew."""
        self.metrics.reading_revived.inc()

    def batch(self, handler: Callable[[Sequence[Any]], Awaitable[None]]) -> Callable[[Batch], Awaitable[None]]:
        """The handler, traced as a part of the page that its first record came of."""

        async def handle(batch: Batch) -> None:
            pages = list(dict.fromkeys(_traceparent(record) for record in batch))[: _LINKS + 1]
            parent, *others = [parent_of([("traceparent", page)]) for page in pages]
            with self.tracing.span("batch", parent, others, records=len(batch)):
                self._merged = get_current()
                await handler(batch)

        return handle

    def changed(self) -> None:
        """A batch changed requests: what is published next is a part of its trace."""
        self._batch = get_current()

    def publishing(self, changes: int) -> Any:
        """Trace changes on their way out, as a part of the batch that they came of."""
        after, self._batch = self._batch, None
        return self.tracing.span("change.publish", after, changes=changes)


def _traceparent(record: Any) -> bytes | None:
    return next((value for name, value in record.headers if name == "traceparent"), None)


def traced(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Kafka headers that name the current span, where one is traced."""
    return [*headers, *((name, text.encode()) for name, text in traced_headers({}).items())]


async def _begun(connection: AsyncConnection, names: Sequence[str]) -> dict[str, datetime]:
    """When each of these connections was added, or last reset, by the audit; none for one that it does not know."""
    if not names:
        return {}
    of = {f"connection {name}": name for name in names}
    wanted = select(audit.c.object, func.max(audit.c.at)).group_by(audit.c.object)
    wanted = wanted.where(audit.c.object.in_(of), audit.c.action.in_(("connection.added", "connection.reset")))
    return {of[row[0]]: row[1] for row in await connection.execute(wanted)}


@dataclass
class Gauges:
    """Numbers that are looked up now and then: lag, freshness, dead letters, waiting for rate limits."""

    engine: AsyncEngine
    metrics: Metrics
    subscription: Subscription | None = None
    feed: Feed | None = None
    _waited: dict[int, float] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    async def run(self, every: float = 2.0) -> None:
        """Look for ever; an outage of the database leaves the last numbers standing."""
        while True:
            try:
                await self.look()
            except AWAY as error:
                logger.debug("gauges.look.failed", extra={"error": type(error).__name__})
            await asyncio.sleep(every)

    async def look(self) -> None:
        """Bring all numbers up to date."""
        await self._lag()
        self._rate_limits()
        async with reading(self.engine) as connection:
            columns = (connections.c.id, connections.c.connector, connections.c.true_up_to)
            told = (await connection.execute(select(*columns))).all()
            waiting = select(dead_letters.c.connection, func.count()).where(dead_letters.c.state.in_(OPEN))
            letters = (await connection.execute(waiting.group_by(dead_letters.c.connection))).all()
            begun = await _begun(connection, [row.id for row in told if row.true_up_to is None])
        self._freshness(told, begun)
        self._letters(letters, {row.id: row.connector for row in told})

    async def _lag(self) -> None:
        if self.subscription is None:
            return
        lags = await self.subscription.lag()
        self.metrics.kafka_lag.clear()  # a partition that another member took is that one's to tell
        for (topic, partition), records in lags.items():
            self.metrics.kafka_lag.labels(topic, str(partition)).set(records)

    def _rate_limits(self) -> None:
        readers = list(self.feed.readers.values()) if self.feed else []
        waited: dict[int, float] = {}
        for reader in readers:
            if reader.limiter is not None:
                waited[id(reader)] = reader.limiter.waited
                more = reader.limiter.waited - self._waited.get(id(reader), 0.0)
                self.metrics.rate_limit_wait.labels(reader.name).inc(max(more, 0.0))
        self._waited = waited

    def _freshness(self, told: Sequence[Any], begun: Mapping[str, datetime]) -> None:
        for row in told:
            # What is wrong from its beginning grows old as well, so that an alert on the age hears of it.
            since = row.true_up_to or begun.get(row.id)
            if since is not None:
                self.metrics.fresh(row.id, since)
        known = {row.id for row in told}
        for gone in self._known - known:
            self.metrics.forget(gone)
        self._known = known

    def _letters(self, letters: Sequence[Any], connector_of: dict[str, str]) -> None:
        counts = dict.fromkeys(connector_of.values(), 0)
        for name, number in letters:
            connector = connector_of.get(name, "unknown")
            counts[connector] = counts.get(connector, 0) + number
        self.metrics.dead_letters.clear()
        for connector, number in counts.items():
            self.metrics.dead_letters.labels(connector).set(number)
