"""Installations whose hub processes read tools, and the Jira of a small company."""

import asyncio
import dataclasses
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import Table, func, insert, literal, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.story import options_of
from pipelines.store import configuration, tables
from pipelines.store.engine import open_engine, reading, writing
from services.broker.topics import LIFECYCLES
from services.cli.sandbox import Joined
from services.feed import connections
from services.feed.rules import configuration_of
from services.feed.tables import connections as connection_table
from services.feed.tables import pages as page_table
from services.sandbox.jira import FakeJira
from services.security import key_ring
from tests.conftest import Bus
from tests.parts.copies import prepared
from tests.parts.forking import Forked, parent

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
_CHILD = "import gc; gc.set_threshold(50_000, 20, 100); from tests.faults.child import main; "
HUB = _CHILD + "main()"
"""A hub process; the collector is set as the command does it."""
_LATER = "connectors.catalogue, services.cli.early, services.cli.entering, services.cli.equipping, services.cli.site"
"""What a hub imports beside its first work."""
HUBS = f"{_CHILD}import {_LATER}; from tests.parts.forking import serve; serve(); main()"
"""Hub processes, forked off: their imports take longer than most of them live."""


def fill(jira: FakeJira, issues: int, seed: int = 7) -> None:
    """Issues that name each other, have sub-tasks, comments and a history of some steps each."""
    chance = random.Random(seed)
    state, hands = jira.state, jira.hands
    people = [state.add_user(name, f"{name.lower()}@acme.example") for name in ("Anna", "Ben", "Cem")]
    state.add_project("PAY", "Payments")
    at = START
    made: list[Any] = []
    for number in range(issues):
        at += timedelta(minutes=chance.randint(1, 90))
        by = chance.choice(people)
        named = f" as in {chance.choice(made).key}" if made and chance.random() < 0.4 else ""
        sub = made and chance.random() < 0.2
        more = {"parent": chance.choice([m for m in made if m.type != "Sub-task"]).id} if sub else {}
        kind = "Sub-task" if sub else "Story"
        issue = hands.create("PAY", f"Matter {number}", at=at, by=by, kind=kind, description=f"Why{named}", **more)
        made.append(issue)
        for status in ("In Progress", "Done")[: chance.randint(0, 2)]:
            at += timedelta(minutes=chance.randint(1, 30))
            hands.transition(issue, status, at=at, by=by)
        if chance.random() < 0.5:
            hands.comment(issue, f"Looked at it{named}", at=at + timedelta(minutes=1), by=chance.choice(people))


def _count(table: Table, *where: Any) -> Any:
    return select(func.count()).select_from(table).where(*where).scalar_subquery()


_COUNTED = select(
    _count(tables.artifacts).label("artifacts"),
    _count(tables.source_events).label("events"),
    _count(tables.dead_letters).label("letters"),
    sum(
        (_count(table) for table in (tables.unpublished, tables.deferred, tables.pending)),
        _count(page_table, page_table.c.applied_at.is_(None)) + _count(tables.changes, ~tables.changes.c.sent),
    ).label("open"),
)
"""One statement, so that what goes from one table to the next meanwhile is not missed in both."""
_page, _of = page_table.c, connection_table.c
_LAST_READ = select(func.max(_page.published_at)).where(_page.connection == _of.id).scalar_subquery()
_LOOKED = select(_of.first_read_done, _of.alive_at, (_of.alive_at <= _LAST_READ).label("reads"))
"""A page is read at the very moment at which its connection was last alive; a pause comes after it."""


@dataclass
class World:
    """One installation: a database, topics of its own, a data directory."""

    joined: Sequence[Joined]
    """The connections that it reads."""
    things: Callable[[], int]
    """How many artifacts there are to read at least."""
    bus: Bus
    database_url: str
    folder: Path
    engine: AsyncEngine
    settings: dict[str, str] = field(default_factory=dict)
    """Further settings of its processes, without their prefix."""
    _begun: datetime = START
    """When its newest process was started."""

    @property
    def environ(self) -> dict[str, str]:
        """Of its hub processes."""
        own = {
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database_url.replace("+asyncpg", "").replace("+aiosqlite", ""),
            "TOPIC_PREFIX": self.bus.settings.prefix,
            "API_PORT": "0",
            "WEBHOOK_PORT": "0",
            "ALLOW_LOOPBACK_TOOLS": "true",
            "OPEN_TO_THIS_MACHINE": "true",
            "POLL_INTERVAL": "1",
            "LOG_LEVEL": "warning",
        }
        if self.bus.kind == "kafka":
            own |= {"KAFKA_BOOTSTRAP": self.bus.settings.bootstrap, "REPLICATION": "1"}
        own |= self.settings
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        return inherited | {f"THROUGHLINE_{name}": value for name, value in own.items()}

    async def connect(self) -> None:
        """Configure the connections."""
        keys = key_ring((), self.folder / "secret.key")
        async with writing(self.engine) as connection:
            for one in self.joined:
                connector, options = options_of(one)
                await connections.add(connection, one.name, one.connector, one.name, options, None, keys)
                await configuration.write(connection, one.name, configuration_of(connector, options))

    def start(self, point: str = "-", count: int = 1, roles: Sequence[str] = ()) -> Forked:
        """Start a hub process."""
        self._begun = datetime.now(UTC)
        with (self.folder / "hub.log").open("ab") as log:
            return parent(HUBS).fork((point, str(count), *roles), self.environ, log)

    async def settled(self, seconds: float = 60, process: Forked | None = None) -> None:
        """Wait until its newest process has looked through all tools, and all of it is understood and published."""
        deadline = time.monotonic() + seconds
        while not await self.is_settled():
            assert time.monotonic() < deadline, f"not settled in time: {await self.standing()}\n{self.log()}"
            assert process is None or process.poll() is None, f"the hub ended: {self.log()}"
            await asyncio.sleep(0.1)

    async def is_settled(self) -> bool:
        """Whether there is nothing left to do for its newest process."""
        try:
            standing = await self.standing()
        except OperationalError:  # the hub is just opening the file, or its server is just starting
            return False
        looked = standing["looked"]
        whole = standing["artifacts"] >= self.things() and not standing["open"] and standing["read"]
        return whole and looked is not None and looked > self._begun

    async def standing(self) -> dict[str, Any]:
        """How far it is.

        looked: when the first of its connections came to a pause; START where one reads, None without connections.
        """
        async with reading(self.engine) as connection:
            rows = (await connection.execute(_LOOKED)).all()  # first: what was read before the pause is counted
            counted = (await connection.execute(_COUNTED)).one()._asdict()
        return counted | {
            "read": all(row.first_read_done for row in rows),
            "looked": min((START if row.reads else row.alive_at or START for row in rows), default=None),
        }

    async def everything_again(self) -> None:
        """All that is known is read, understood and published once more, beside a process that has nothing to do."""
        async with writing(self.engine) as connection:
            for one in self.joined:
                await connections.start_again(connection, one.name, None)
            notes = select(literal("artifact"), tables.artifacts.c.id)
            await connection.execute(insert(tables.deferred).from_select(["kind", "name"], notes))
            row = tables.requests.c
            again = select(row.id, row.etag).where(row.id.not_in(select(tables.unpublished.c.request)))
            await connection.execute(insert(tables.unpublished).from_select(["request", "etag"], again))

    async def a_day_passes(self) -> None:
        """Make a census due, for what a tool gives no time stamp; no process may run."""
        async with writing(self.engine) as connection:
            await connection.execute(update(connection_table).values(census_at=START))

    @property
    def reached(self) -> Bus:
        """The broker of its newest process, which has told where an embedded one is."""
        if self.bus.kind == "kafka":
            return self.bus
        bootstrap, _ = (self.folder / "broker").read_text().split()
        settings = self.bus.settings.model_copy(update={"bootstrap": bootstrap, "partitions": 1})  # of any topic there
        return dataclasses.replace(self.bus, settings=settings)

    def log(self) -> str:
        """The end of what its processes wrote."""
        path = self.folder / "hub.log"
        return path.read_text()[-3000:] if path.exists() else ""

    async def records(self) -> dict[str, str]:
        """Request id to its record's text."""
        async with reading(self.engine) as connection:
            rows = await connection.execute(select(tables.requests.c.id, tables.requests.c.record))
            return {row.id: row.record for row in rows}

    async def numbers(self) -> list[int]:
        """The change numbers in their order."""
        async with reading(self.engine) as connection:
            return list((await connection.execute(select(tables.changes.c.number).order_by("number"))).scalars())


@asynccontextmanager
async def installed(
    joined: Sequence[Joined], things: Callable[[], int], bus: Bus, database_url: str, folder: Path
) -> AsyncIterator[World]:
    """An installation with its connections configured; no process runs yet."""
    folder.mkdir(parents=True, exist_ok=True)
    await prepared(database_url)
    engine = open_engine(database_url)
    made = World(joined, things, bus, database_url, folder, engine)
    await made.connect()
    try:
        yield made
    finally:
        await engine.dispose()


def world(jira: FakeJira, bus: Bus, database_url: str, folder: Path, **more: Any) -> AbstractAsyncContextManager[World]:
    """An installation that reads a Jira only. more: further options of the connection."""
    auth = {"kind": "api_token", "email": jira.email, "token": jira.token}
    options = {"base_url": jira.url, "auth": auth, "projects": ["PAY"], "share": 1.0, "page_size": 10} | more
    joined = (Joined("jira-acme", "jira", options),)
    return installed(joined, lambda: len(jira.state.issues), bus, database_url, folder)


async def left_alone(
    hub: World, folder: Path, seconds: float = 120, settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The records that an undisturbed hub makes of the same tools; on SQLite, since none may depend on the store."""
    apart = hub.bus.settings.model_copy(update={"prefix": hub.bus.settings.prefix + "calm."})
    bus = dataclasses.replace(hub.bus, settings=apart)
    url = f"sqlite+aiosqlite:///{folder / 'calm.sqlite3'}"
    async with installed(hub.joined, hub.things, bus, url, folder / "calm") as calm:
        calm.settings = dict(settings or {})
        process = calm.start()
        try:
            await calm.settled(seconds, process=process)
            return await calm.records()
        finally:
            # The tools may run on this loop, and must answer while the hub takes its leave.
            assert await asyncio.to_thread(end, process) == 0, calm.log()


@asynccontextmanager
async def consuming(bus: Bus) -> AsyncIterator[AIOKafkaConsumer]:
    """Somebody who may read any topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bus.settings.bootstrap)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def ends_of(consumer: AIOKafkaConsumer, bus: Bus, name: str) -> dict[TopicPartition, int]:
    """Where each partition of a topic ends now. name: without the prefix."""
    partitions = 1 if name == LIFECYCLES else bus.settings.partitions
    here = [TopicPartition(bus.settings.topic(name), number) for number in range(partitions)]
    ends: dict[TopicPartition, int] = await consumer.end_offsets(here)
    return ends


async def on_topic(bus: Bus, name: str) -> list[Any]:
    """All records of a topic up to where it ends now, in the order of each partition."""
    taken: list[Any] = []
    async with consuming(bus) as consumer:
        ends = await ends_of(consumer, bus, name)
        consumer.assign(list(ends))
        await consumer.seek_to_beginning()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                taken += records
    return taken


def end(process: "Forked | subprocess.Popen[bytes]", how: int = signal.SIGTERM, seconds: float = 60) -> int:
    """End a process and give its exit code."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Where records differ, as paths with both values."""
    told = [f"{name}: only in one" for name in expected.keys() ^ found.keys()]
    for name in sorted(expected.keys() & found.keys()):
        if expected[name] != found[name]:
            told += _apart(name, json.loads(expected[name]), json.loads(found[name])) or [f"{name}: other text"]
    return told


def _apart(path: str, one: Any, other: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [line for key in keys for line in _apart(f"{path}.{key}", one.get(key), other.get(key))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for n, both in enumerate(zip(one, other, strict=True)) for line in _apart(f"{path}[{n}]", *both)]
    return [] if one == other else [f"{path}: {one!r} is {other!r}"]
