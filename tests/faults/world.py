"""A company in a fake Jira, and hub processes that read it."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.jira import connector
from connectors.jira.options import ApiToken, JiraOptions
from pipelines.store import configuration, tables
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.store.engine import open_engine, reading, writing
from services import migrations
from services.feed import connections
from services.feed.tables import connections as connection_table
from services.feed.tables import pages as page_table
from services.sandbox.jira import FakeJira
from services.security import key_ring
from tests.conftest import Bus

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


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


@dataclass
class World:
    """One installation: a database, topics of its own, a data directory."""

    jira: FakeJira
    bus: Bus
    database_url: str
    folder: Path
    engine: AsyncEngine
    settings: dict[str, str] = field(default_factory=dict)
    """Further settings of its processes, without their prefix."""

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
            "POLL_INTERVAL": "1",
            "LOG_LEVEL": "warning",
        }
        if self.bus.kind == "kafka":
            own |= {"KAFKA_BOOTSTRAP": self.bus.settings.bootstrap, "REPLICATION": "1"}
        own |= self.settings
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        return inherited | {f"THROUGHLINE_{name}": value for name, value in own.items()}

    async def connect(self, page_size: int = 10, **more: Any) -> None:
        """Configure the connection to the fake Jira; more: further options of it."""
        options = JiraOptions(
            base_url=self.jira.url, auth=ApiToken(email=self.jira.email, token=SecretStr(self.jira.token)),
            projects=("PAY",), share=1.0, page_size=page_size, **more,
        )  # fmt: skip
        keys = key_ring((), self.folder / "secret.key")
        rules = ConnectionConfiguration(
            "jira", frozenset({"PAY"}), link_kinds=dict(connector.link_kinds), stages=connector.stages
        )
        async with writing(self.engine) as connection:
            await connections.add(connection, "jira-acme", "jira", "Jira", options, None, keys)
            await configuration.write(connection, "jira-acme", rules)

    def start(self, point: str = "-", count: int = 1, roles: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        """Start a hub process."""
        command = [sys.executable, "-m", "tests.faults.child", point, str(count), *roles]
        log = (self.folder / "hub.log").open("ab")
        return subprocess.Popen(command, env=self.environ, stdout=log, stderr=log)

    async def settled(self, seconds: float = 60, process: "subprocess.Popen[bytes] | None" = None) -> None:
        """Wait until everything that Jira has is read, understood and published."""
        deadline = time.monotonic() + seconds
        while not await self._is_settled():
            assert time.monotonic() < deadline, f"not settled in time: {await self.standing()}\n{self.log()}"
            assert process is None or process.poll() is None, f"the hub ended: {self.log()}"
            await asyncio.sleep(0.1)

    async def _is_settled(self) -> bool:
        try:
            standing = await self.standing()
        except OperationalError:  # the hub is just opening the file, or its server is just starting
            return False
        return standing["issues"] >= len(self.jira.state.issues) and not standing["open"] and standing["read"]

    async def standing(self) -> dict[str, Any]:
        """How far it is."""
        async with reading(self.engine) as connection:

            async def count(query: Any) -> int:
                return int((await connection.execute(query)).scalar_one())

            unsent = select(func.count()).select_from(tables.changes).where(~tables.changes.c.sent)
            waiting = select(func.count()).select_from(page_table).where(page_table.c.applied_at.is_(None))
            return {
                "issues": await count(select(func.count()).select_from(tables.artifacts)),
                "open": await count(waiting)
                + await count(unsent)
                + await count(select(func.count()).select_from(tables.unpublished)),
                "read": bool((await connection.execute(select(connection_table.c.first_read_done))).scalar()),
            }

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
async def world(jira: FakeJira, bus: Bus, database_url: str, folder: Path, **more: Any) -> AsyncIterator[World]:
    """An installation with its connection configured; no process runs yet. more: further options of the connection."""
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(database_url)
    await migrations.upgrade(engine)
    made = World(jira, bus, database_url, folder, engine)
    await made.connect(**more)
    try:
        yield made
    finally:
        await engine.dispose()


def end(process: "subprocess.Popen[bytes]", how: int = signal.SIGTERM, seconds: float = 20) -> int:
    """End a process and give its exit code."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
