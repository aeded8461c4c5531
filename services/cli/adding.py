"""`throughline connections add`: options, check, ten real things, and only then saved."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services import migrations
from services.admin import sampling, saving, setting_up
from services.admin.equipment import Equipment
from services.admin.saving import Who
from services.admin.setting_up import Wanted
from services.admin.trial import Opened, opened_tool
from services.cli import filing, form, trial
from services.cli.equipping import equipment
from services.cli.terminal import WrongUse, choose_one, database_errors, must_exist, tell
from services.cli.typist import typist
from services.cli.words import BEGINNING, moment, read_start, short
from services.feed import connections

if TYPE_CHECKING:
    from services.cli.installation import Installation

T = TypeVar("T")


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
    """Add a connection; the exit code of its check where that fails (see trial.fails), and nothing is saved."""
    _right(made, asked, now())
    with database_errors(made.settings):
        return await _add(made, asked, now, screen, ask or form.at_terminal(tell))


def _right(made: "Installation", asked: Asked, now: datetime) -> None:
    """What was typed and what a file says, looked at before a database is made. Raises WrongUse, Misconfigured."""
    if asked.file:
        _from_file(made, asked, frozenset(), now)
    elif not asked.connector:
        raise WrongUse(f"Say which connector: {choose_one(made.catalogue, 'or')}; or give --file")
    elif asked.connector not in made.catalogue:
        raise WrongUse(f"There is no connector {short(asked.connector)}: choose {choose_one(made.catalogue, 'or')}.")
    if asked.name:
        connections.must_be_name(asked.name)
    if asked.since:
        _since(asked.since, now)


async def _add(made: "Installation", asked: Asked, now: Callable[[], datetime], screen: Console, ask: form.Ask) -> int:
    async with made.engine() as engine:
        await _ready(made, engine)
        taken = await _names(engine)
        parts = equipment(made, engine, now=now)
        answers = form.Answers(ask)
        while True:
            wanted = (
                _from_file(made, asked, taken, now()) if asked.file else _from_form(made, asked, taken, now(), answers)
            )
            await setting_up.refuse_another(parts, wanted, anyway=asked.anyway, untried=True)
            tried = await _tried(parts, wanted, screen)
            if isinstance(tried, _Tried):
                return await _save(parts, wanted, tried, asked, screen, ask)
            if asked.file or not answers.again():
                screen.print("Nothing is saved. Mend it, then add it again.")
                return tried


@dataclass(frozen=True, slots=True)
class _Tried:
    """A tool whose check went well, closed again, and what it showed."""

    tool: Opened
    found: sampling.Sample
    seen: frozenset[str]


async def _tried(parts: Equipment, wanted: Wanted, screen: Console) -> _Tried | int:
    """The exit code where a step of the check failed, as is told."""
    screen.print(Text(f"Testing {wanted.title}", style="bold"))
    async with opened_tool(parts, wanted.connector, wanted.name, wanted.options, sandbox=False) as tool:
        if failed := await trial.fails(tool, screen):
            return failed
        trial.remarked(await setting_up.remarks(tool.source), screen)
        screen.print(Text("\nThe first things it would read", style="bold"))
        found = await sampling.sample(tool.source, wanted.connector, wanted.since)
        return _Tried(tool, found, await setting_up.seen_by(tool, found))


async def _save(parts: Equipment, wanted: Wanted, tried: _Tried, asked: Asked, screen: Console, ask: form.Ask) -> int:
    await setting_up.refuse_another(parts, wanted, tried.seen, anyway=asked.anyway)
    preview = await setting_up.judged(parts, wanted, tried.found, sampling.THINGS)
    trial.shown(tried.found, preview.judged, screen)
    wanted = wanted.with_replaced(tried.tool)
    if not asked.yes and not _agreed(wanted, parts.now(), ask):
        screen.print("Nothing is saved.")
        return 0
    await saving.add(parts, wanted, setting_up.adds(wanted, tried.seen), Who(typist()))
    screen.print(f"Saved as {wanted.name}. The running hub begins to read within seconds, or when it runs next.")
    return 0


async def prepared(made: "Installation") -> None:
    """An empty database gets its tables. Raises Misconfigured where it is of another release."""
    with database_errors(made.settings):
        async with made.engine() as engine:
            await _ready(made, engine)


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


def _from_file(made: "Installation", asked: Asked, taken: Set[str], now: datetime) -> Wanted:
    assert asked.file is not None
    filed = filing.read(asked.file)
    connector = connector_of(made, filed.text("connector") or "")
    if asked.connector and asked.connector != connector.name:
        raise Misconfigured(f"The file is about {connector.name}", f"Say `connections add {connector.name}`")
    name = _free(asked.name or filed.text("name") or connector.name, taken)
    title = filed.text("title") or connector.title
    since = _since(asked.since, now) if asked.since else filed.since(now)
    return Wanted(name, title, connector, filed.options(connector.Options, made.secret), since)


def _from_form(made: "Installation", asked: Asked, taken: Set[str], now: datetime, ask: form.Ask) -> Wanted:
    """What was typed with the command is looked at before anything is asked; what is answered, at once."""
    assert asked.connector is not None
    connector = connector_of(made, asked.connector)
    name = _free(asked.name, taken) if asked.name else None
    since = _since(asked.since, now) if asked.since else None
    numbered = (f"{connector.name}-{number}" for number in range(2, len(taken) + 2))
    free = next(one for one in (connector.name, *numbered) if one not in taken)
    naming = form.Question("Name", "Permanent: lower-case letters, digits and hyphens", free)
    name = name or _until_fits(naming, lambda text: _free(text, taken), ask)
    title = ask(form.Question("Title", "What people call it", connector.title))
    options = form.fill_in(connector.Options, ask, tell, every=asked.every)
    if not asked.since:
        beginning = form.Question("Read from", f"A date, a length of time such as 90d, or {BEGINNING}", "90d")
        since = _until_fits(beginning, lambda text: _since(text, now), ask)
    return Wanted(name, title, connector, options, since)


def _until_fits(question: form.Question, read: Callable[[str], T], ask: form.Ask) -> T:
    """The answer as it is read; asked again, with what is wrong, until it can be."""
    while True:
        answer = ask(question).strip()
        try:
            return read(answer)
        except Misconfigured as error:
            tell(f"  {error.problem}. {error.mend}")
        except typer.BadParameter as error:
            tell(f"  {error.message[:1].upper()}{error.message[1:]}")


def _free(name: str, taken: Set[str]) -> str:
    """A name that no connection has. Raises Misconfigured."""
    connections.must_be_name(name)
    if name in taken:
        mend = f"`throughline connections change {name}` changes it; for another tool give another name"
        raise Misconfigured(f"There is a connection {name} already", mend, "name")
    return name


def _since(text: str, now: datetime) -> datetime | None:
    return None if text.strip() == BEGINNING else read_start(text, now, "--since")


def _agreed(wanted: Wanted, now: datetime, ask: form.Ask) -> bool:
    begin = f"from {moment(wanted.since, now)} on" if wanted.since else "from the beginning"
    help_line = f"It is then read {begin}; nothing is ever written to it"
    return ask(form.Question("Save it", help_line, "yes", ("yes", "no"))) == "yes"
