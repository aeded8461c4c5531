"""`throughline connections add`: options, check, ten real things, and only then saved."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from pipelines.store import configuration
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from schemas.errors import Misconfigured
from services import migrations
from services.cli import filing, form, sameness, trial
from services.cli.terminal import EXIT_MISCONFIGURED, WrongUse, choose_one, database_errors, must_exist, tell
from services.cli.words import moment, read_start
from services.feed import connections
from services.feed.rules import configuration_of, scopes_in
from services.query.database import Database

if TYPE_CHECKING:
    from services.cli.installation import Installation

BEGINNING = "beginning"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added."""

    name: str
    title: str
    connector: Connector
    options: BaseModel
    since: datetime | None
    """Read from when; None: from the beginning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed with the command."""

    connector: str | None
    file: Path | None
    name: str | None
    since: str | None
    every: bool
    yes: bool
    anyway: bool = False
    """Add it though another connection reads the same tool, where that loses nothing."""


def connector_of(made: "Installation", name: str) -> Connector:
    """The connector of this name. Raises Misconfigured."""
    if name not in made.catalogue:
        raise Misconfigured(f"There is no connector {name}", f"Choose {choose_one(made.catalogue, 'or')}", "connector")
    return made.catalogue[name]


async def add(
    made: "Installation", asked: Asked, now: Callable[[], datetime], screen: Console, ask: form.Ask | None = None
) -> int:
    """Add a connection; EXIT_MISCONFIGURED where its check fails, and nothing is saved."""
    with database_errors(made.settings):
        return await _add(made, asked, now, screen, ask or form.at_terminal(tell))


async def _add(made: "Installation", asked: Asked, now: Callable[[], datetime], screen: Console, ask: form.Ask) -> int:
    async with made.engine() as engine:
        await _ready(made, engine)
        taken = await _names(engine)
        wanted = _from_file(made, asked, now()) if asked.file else _from_form(made, asked, taken, now(), ask)
        if wanted.name in taken:
            raise Misconfigured(f"There is a connection {wanted.name} already", "Choose another --name", "name")
        await _refuse_another(made, engine, wanted, asked)
        screen.print(Text(f"Testing {wanted.title}", style="bold"))
        async with trial.opened_source(made, wanted.connector, wanted.name, wanted.options, now) as source:
            if not await trial.passes(source, screen):
                screen.print("Nothing is saved. Mend it, then add it again.")
                return EXIT_MISCONFIGURED
            screen.print(Text("\nThe first things it would read", style="bold"))
            found = await trial.sample(source, wanted.connector, wanted.since)
        seen = scopes_in(one.fields.get("url") for one in found.things)
        await _refuse_another(made, engine, wanted, asked, seen)
        own = configuration_of(wanted.connector, wanted.options, seen)
        await _show(engine, wanted, own, found, screen)
        if not asked.yes and not _agreed(wanted, now(), ask):
            screen.print("Nothing is saved.")
            return 0
        await save(engine, made, wanted, own, now())
    screen.print(f"Saved as {wanted.name}. The running hub begins to read within seconds, or when it runs next.")
    return 0


async def _refuse_another(
    made: "Installation", engine: AsyncEngine, wanted: Wanted, asked: Asked, seen: Iterable[str] = ()
) -> None:
    """Raises Misconfigured where another connection reads this tool. seen: scopes that its first things show."""
    new = sameness.tool_of(wanted.name, wanted.connector, wanted.options, seen)
    async with reading(engine) as connection:
        others = await sameness.known(connection, made)
    sameness.refuse_another(new, others, anyway=asked.anyway)


async def _ready(made: "Installation", engine: AsyncEngine) -> None:
    """An empty database gets its tables; one of another release is left alone."""
    there = await migrations.current(engine)
    if there is None:
        await migrations.upgrade(engine)
    elif there != migrations.head():
        must_exist(made)
        raise Misconfigured("The database is of another release", "Run `throughline migrate`", "database_url")


async def _names(engine: AsyncEngine) -> set[str]:
    async with reading(engine) as connection:
        return {one.id for one in await connections.every(connection)}


def _from_file(made: "Installation", asked: Asked, now: datetime) -> Wanted:
    assert asked.file is not None
    filed = filing.read(asked.file)
    connector = connector_of(made, filed.text("connector") or "")
    if asked.connector and asked.connector != connector.name:
        raise Misconfigured(f"The file is about {connector.name}", f"Say `connections add {connector.name}`")
    name = asked.name or filed.text("name") or connector.name
    title = filed.text("title") or connector.title
    since = _since(asked.since or filed.text("since") or BEGINNING, now)
    return Wanted(name, title, connector, filed.options(connector.Options, made.secret), since)


def _from_form(made: "Installation", asked: Asked, taken: set[str], now: datetime, ask: form.Ask) -> Wanted:
    if not asked.connector:
        raise WrongUse(f"Say which connector: {choose_one(made.catalogue, 'or')}; or give --file")
    connector = connector_of(made, asked.connector)
    free = next(name for number in range(1, len(taken) + 2)
                if (name := connector.name if number == 1 else f"{connector.name}-{number}") not in taken)  # fmt: skip
    name = asked.name or ask(form.Question("Name", "Permanent: lower-case letters, digits and hyphens", free))
    title = ask(form.Question("Title", "What people call it", connector.title))
    options = form.fill_in(connector.Options, ask, tell, every=asked.every)
    question = form.Question("Read from", f"A date, a length of time such as 90d, or {BEGINNING}", "90d")
    return Wanted(name, title, connector, options, _since(asked.since or ask(question), now))


def _since(text: str, now: datetime) -> datetime | None:
    return None if text.strip() == BEGINNING else read_start(text, now, "--since")


async def _show(
    engine: AsyncEngine,
    wanted: Wanted,
    own: configuration.ConnectionConfiguration,
    found: trial.Sample,
    screen: Console,
) -> None:
    async with reading(engine) as connection:
        stored = await configuration.load(connection)
    alone = configuration.combine({wanted.name: own}).rules.connections
    rules = type(stored.rules)(connections={**stored.rules.connections, **alone})
    trial.shown(found, rules, await trial.stored_matches(Database(engine, 10.0), found), screen)


def _agreed(wanted: Wanted, now: datetime, ask: form.Ask) -> bool:
    begin = f"from {moment(wanted.since, now)} on" if wanted.since else "from the beginning"
    help_line = f"It is then read {begin}; nothing is ever written to it"
    return ask(form.Question("Save it", help_line, "yes", ("yes", "no"))) == "yes"


async def save(
    engine: AsyncEngine,
    made: "Installation",
    wanted: Wanted,
    own: configuration.ConnectionConfiguration,
    at: datetime,
) -> None:
    """The connection, what it adds to the rules, and that everything is to be computed again: one transaction."""
    async with writing(engine) as connection:
        await connections.add(
            connection, wanted.name, wanted.connector.name, wanted.title, wanted.options, wanted.since, made.keys
        )
        await configuration.write(connection, wanted.name, own)
        await ask_everything(connection, f"connection {wanted.name} added", at)


def described(options: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Options as (dotted name, value), nested ones by their path."""
    lines: list[tuple[str, str]] = []
    for name, value in options.items():
        if isinstance(value, dict):
            lines += described(value, f"{prefix}{name}.")
        else:
            told = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            lines.append((prefix + name, told))
    return lines
