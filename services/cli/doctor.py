"""`throughline doctor`: what is wrong with this installation, and what to do about it. Changes nothing."""

import os
import shutil
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.text import Text
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import pending, stamps
from pipelines.store.engine import reading
from pipelines.store.tables import changes, requests
from schemas.errors import HubError, Misconfigured
from services import migrations
from services.admin import rules_values
from services.broker import compare_topics
from services.cli import storage
from services.cli.documents import broker_settings
from services.cli.standstill import standing_still
from services.cli.status import reading_now
from services.cli.terminal import EXIT_MISCONFIGURED, opened, write_line
from services.cli.words import counted, moment
from services.feed import connections
from services.feed.connections import StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation

LITTLE_ROOM = 1_000_000_000
"""Bytes free, below which it is time to act."""
KAFKA_SECONDS = 10.0
_APART = timedelta(minutes=1)
"""So much later than the beginning of the look a change may be: the hub runs on meanwhile, maybe on another machine."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    says: str
    """What was found; where it is not well, with the mend."""


Check = Callable[[], Awaitable[str]]
"""What was found. Raises HubError with the mend where it is not well."""


async def doctor(made: "Installation", now: datetime, screen: Console, *, for_programs: bool) -> int:
    """Look at everything; EXIT_MISCONFIGURED where something is wrong."""
    findings = [await _found(name, check) for name, check in checks(made, now).items()]
    wrong = {one.says for one in findings if not one.ok}
    if for_programs:
        for one in findings:
            write_line(orjson.dumps({"name": one.name, "ok": one.ok, "says": one.says}).decode())
    else:
        for one in _at_once(findings):
            mark = Text("  ok    ", style="green") if one.ok else Text("  wrong ", style="bold red")
            screen.print(mark.append(f"{one.name}: ", style="bold").append(one.says, style="default"))
        screen.print(f"\n{counted(len(wrong), 'thing')} to mend." if wrong else "\nNothing is wrong.")
    return EXIT_MISCONFIGURED if wrong else 0


def _at_once(findings: Sequence[Finding]) -> list[Finding]:
    """What one thing spoils, such as a database that is away, is told once, with the names of all."""
    names: dict[tuple[bool, str], list[str]] = {}
    for one in findings:
        names.setdefault((one.ok, one.says), []).append(one.name)
    return [Finding(", ".join(alike), ok, says) for (ok, says), alike in names.items()]


async def _found(name: str, check: Check) -> Finding:
    try:
        return Finding(name, True, await check())
    except HubError as error:
        return Finding(name, False, str(error))


def checks(made: "Installation", now: datetime) -> dict[str, Check]:
    """What is looked at, in this order; the settings were read to get here."""
    return {
        "settings": lambda: _settings(made),
        "data directory": lambda: _data_dir(made),
        "room": lambda: _room(made),
        "database": lambda: _database(made),
        "secret keys": lambda: _keys(made),
        "Kafka": lambda: _kafka(made),
        "connections": lambda: _connections(made),
        "running": lambda: _running(made, now),
        "requests": lambda: _requests(made),
        "mapping": lambda: _mapping(made),
        "common values": lambda: _values(made),
        "clock": lambda: _clock(made, now),
    }


async def _settings(made: "Installation") -> str:
    kind = "PostgreSQL" if "postgresql" in made.settings.database_url.get_secret_value() else "SQLite"
    return f"{kind}, {'the embedded broker' if made.embedded else 'Kafka'}, data in {made.settings.data_dir}"


async def _data_dir(made: "Installation") -> str:
    path = made.settings.data_dir
    if not path.exists():
        return "is made at the first start"
    if not os.access(path, os.W_OK | os.X_OK):
        raise Misconfigured(f"{path} cannot be written to", "Give it to the user who runs the hub", "data_dir")
    if path.stat().st_mode & stat.S_IWOTH:
        raise Misconfigured(f"Anybody may write to {path}", f"chmod o-w {path}", "data_dir")
    return "can be written to"


async def _room(made: "Installation") -> str:
    path = made.settings.data_dir
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    if free < LITTLE_ROOM:
        raise Misconfigured(f"Only {free // 1_000_000} MB are free", "Make room before the disk is full", "data_dir")
    return f"{free / 1e9:,.0f} GB free"


async def _database(made: "Installation") -> str:
    async with _engine(made) as engine:
        there = await migrations.current(engine)
        if problem := await storage.problem(made.settings, engine) or await storage.damage(made.settings, engine):
            raise problem
    if there != migrations.head():
        raise Misconfigured(
            f"The database is at {there or 'nothing'}, this release needs {migrations.head()}",
            migrations.mend_of(there), "database_url",
        )  # fmt: skip
    return f"answers, at {there}"


@asynccontextmanager
async def _engine(made: "Installation") -> AsyncIterator[AsyncEngine]:
    """The database. Raises HubError where it is not there or cannot be reached."""
    async with opened(made) as (engine, database):
        await database.reachable()
        yield engine


async def _stored(made: "Installation") -> Sequence[StoredConnection]:
    async with _engine(made) as engine:
        if await migrations.current(engine) is None:
            return []
        async with reading(engine) as connection:
            return await connections.every(connection)


async def _keys(made: "Installation") -> str:
    stored = await _stored(made)
    sealed = [(one.id, field, text) for one in stored for field, text in one.secrets.items()]
    path = made.settings.secret_key_file
    if not made.settings.secret_key:
        if not path.exists():
            if sealed:
                raise Misconfigured(f"The key file {path} is gone", "Bring it back from its backup", "secret_key_file")
            return "a key is made at the first start"
        _private(path)
    _ = made.keys  # raises where the keys themselves are at fault, which would be told of every secret
    wrong = dict.fromkeys(line for name, field, text in sealed for line in _unopened(made, name, field, text))
    if wrong:
        mend = "Bring the key back, or enter each anew: `throughline connections change NAME --secret OPTION`"
        raise Misconfigured("; ".join(wrong), mend)
    return f"open all {counted(len(sealed), 'stored secret')}"


def _unopened(made: "Installation", name: str, field: str, text: str) -> list[str]:
    try:
        made.keys.open(name, field, text)
    except Misconfigured as error:
        return [f"{name}, {field}: {error.problem}"]
    return []


def _private(path: Path) -> None:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Misconfigured(f"Others may read {path}", f"chmod 600 {path}", "secret_key_file")


async def _kafka(made: "Installation") -> str:
    if made.embedded:
        return "the embedded broker, which runs inside `throughline up`"
    if wrong := await compare_topics(broker_settings(made), made.catalogue, wait=KAFKA_SECONDS):
        raise Misconfigured("; ".join(wrong), "Mend each; `throughline topics` tells what is needed", "prefix")
    return "answers, its topics are as needed"


async def _connections(made: "Installation") -> str:
    stored = await _stored(made)
    needing = [f"{one.id}: {one.problem}" for one in stored if one.attention]
    unknown = [f"{one.id}: its connector {one.connector} is not installed here" for one in stored
               if one.connector not in made.catalogue]  # fmt: skip
    if needing or unknown:
        raise Misconfigured("; ".join([*needing, *unknown]), "`throughline connections test` tells more of each")
    return f"{counted(len(stored), 'connection')}, none needs you" if stored else "none yet"


async def _running(made: "Installation", now: datetime) -> str:
    """Whether some hub reads: its leases run; and whether what it reads goes on. Connections that wait hold none."""
    stored = await _stored(made)
    async with _engine(made) as engine, reading(engine) as connection:
        due, count = await reading_now(connection, stored, now)
    if not due:
        return "no connection is due to be read"
    if not count:
        raise Misconfigured(
            f"No hub reads: {counted(due, 'connection')} would be due", "Start it with `throughline up`"
        )
    async with _engine(made) as engine:
        if still := await standing_still(engine, now):
            raise Misconfigured(*map(". ".join, zip(*still, strict=True)))
    return f"a hub reads {counted(count, 'connection')}"


async def _requests(made: "Installation") -> str:
    """Whether every request is as its artifacts say."""
    async with _engine(made) as engine, reading(engine) as connection:
        behind = select(func.count()).select_from(requests).where(requests.c.problem.is_not(None))
        count = (await connection.execute(behind)).scalar_one()
        groups = await pending.failed_components(connection)
    if not count and not groups:
        return "all are up to date"
    number, said = (count, "not up to date") if count else (groups, "never put together")
    raise Misconfigured(
        f"{counted(number, 'request')} {said}",
        "They are tried again at each start and every 10 minutes; `request.fold.failed` in the log tells the place, "
        "an upgrade may mend it, and then `throughline rebuild` brings all of them up to date",
    )


async def _values(made: "Installation") -> str:
    async with _engine(made) as engine, reading(engine) as connection:
        listed = await rules_values.found(connection)
    holding = [one for one in listed if one.common.holds and one.state == "joins"]
    if holding:
        mend = f"If so: throughline values generic {rules_values.written(holding[0].common.value)}"
        raise Misconfigured(holding[0].words, mend)
    return "nothing holds very many artifacts together"


async def _mapping(made: "Installation") -> str:
    async with _engine(made) as engine, reading(engine) as connection:
        says = await stamps.outdated(connection)
    if says:
        raise Misconfigured(says, stamps.MEND)
    return "stored facts were made as this release makes them"


async def _clock(made: "Installation", now: datetime) -> str:
    """The clock is not behind what it has said before: then delays and freshness would lie."""
    async with _engine(made) as engine, reading(engine) as connection:
        newest = (await connection.execute(select(func.max(changes.c.at)))).scalar_one()
    if newest and newest > now + _APART:
        raise Misconfigured(
            f"The clock stands before the newest change, which was at {moment(newest, now)}", "Set the clock (NTP)"
        )
    return "goes on from what was stored"
