"""A database with one connection, a topic that is only a list, and a feed whose clock the test moves."""

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.addresses import Policy
from pipelines.ingest import Ingest
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, reading, writing
from services.feed import connections
from services.feed.connections import StoredConnection
from services.feed.feed import Feed
from services.feed.flow import Bus, Flow, Outgoing
from services.feed.pages import Place
from services.feed.reader import Reading
from services.feed.tables import pages as page_table
from services.security import KeyRing, key_ring
from tests.parts.copies import prepared
from tests.pipelines.memos import Record
from tests.services.feed.tool import MemoOptions, Tool, catalogue, options

EMBEDDED_ONE, EMBEDDED_TWO = "0123456789abcdef", "fedcba9876543210"
"""Incarnations of embedded brokers."""


@dataclass
class Log:
    """A topic of two partitions; `refuse` makes it lose what comes next, as a broker that is away does."""

    records: list[Record] = field(default_factory=list)
    refuse: bool = False

    async def send(self, chunk: Sequence[Outgoing]) -> list[Place | Exception]:
        if self.refuse:
            return [ConnectionError("nobody listens") for _ in chunk]
        placed: list[Place | Exception] = []
        for _, key, value, headers in chunk:
            partition = key[-1] % 2
            offset = sum(one.partition == partition for one in self.records)
            self.records.append(Record("source.memo", partition, offset, value, [*headers]))
            placed.append(("source.memo", partition, offset + 1))
        return placed

    def of(self, partition: int) -> list[Record]:
        return [one for one in self.records if one.partition == partition]


@dataclass
class Post:
    """Everything that one process that feeds is made of, and the ingest beside it."""

    engine: AsyncEngine
    keys: KeyRing
    tool: Tool
    log: Log = field(default_factory=Log)
    at: datetime = datetime(2026, 4, 1, tzinfo=UTC)
    names: Any = field(default_factory=lambda: map(str, itertools.count(1)))

    def now(self) -> datetime:
        return self.at

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def bus(self, *, embedded: bool = False, in_flight: int = 2_000_000) -> Bus:
        return Bus(self.log.send, EMBEDDED_ONE if embedded else "", embedded, in_flight)

    def flow(self, *, embedded: bool = False, in_flight: int = 2_000_000) -> Flow:
        return Flow(self.engine, self.bus(embedded=embedded, in_flight=in_flight), self.now)

    def feed(self, *, embedded: bool = False, census: float = 86_400, poll: float = 3600) -> Feed:
        flow, policy = self.flow(embedded=embedded), Policy(allow_loopback=True)
        shared = Reading(
            self.engine, flow, catalogue(self.tool), self.keys, policy, self.now,
            timedelta(seconds=poll), timedelta(seconds=census),
        )  # fmt: skip
        return Feed(shared, f"holder {next(self.names)}")

    async def apply(self, records: Sequence[Record], incarnation: str = "") -> None:
        """Let ingest take these."""
        await Ingest(self.engine, {"memo": self.tool.map}, self.now, incarnation)(records)

    async def stored(self, name: str = "memos") -> StoredConnection:
        async with reading(self.engine) as connection:
            found = await connections.get(connection, name)
        assert found is not None
        return found

    async def change(self, **values: Any) -> None:
        async with writing(self.engine) as connection:
            await connections.change(connection, "memos", **values)

    async def pages(self) -> list[Any]:
        async with reading(self.engine) as connection:
            return list((await connection.execute(select(page_table).order_by(page_table.c.number))).all())

    async def letters(self) -> list[Any]:
        async with reading(self.engine) as connection:
            return list((await connection.execute(select(tables.dead_letters))).all())

    async def add(self, name: str, given: MemoOptions) -> None:
        async with writing(self.engine) as connection:
            await connections.add(connection, name, "memo", name.title(), given, None, self.keys)
            await write(connection, name, ConnectionConfiguration("jira", frozenset({"MEMO"})))


@pytest.fixture
async def post(database_url: str, tmp_path: Path) -> AsyncIterator[Post]:
    await prepared(database_url)
    engine = open_engine(database_url)
    made = Post(engine, key_ring((), tmp_path / "secret.key"), Tool())
    await made.add("memos", options())
    yield made
    await engine.dispose()
