"""`throughline connections`: what is read, and the wishes of who runs it (rows that the hub carries out)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.store.engine import reading
from schemas.canonical import instant
from services.admin import saving, setting_up
from services.admin.saving import Who, described
from services.admin.trial import opened_tool
from services.cli import hooking, trial, watched
from services.cli.adding import connector_of
from services.cli.equipping import equipment
from services.cli.narrow import ByWidth, stacked
from services.cli.stored import stored_one
from services.cli.terminal import opened, write_line
from services.cli.typist import typist
from services.cli.words import BEGINNING, moment, read_start, true_up_to
from services.feed import connections, watching
from services.feed.connections import READING, StoredConnection, parse_options, with_secrets

if TYPE_CHECKING:
    from services.cli.installation import Installation


def as_json(one: StoredConnection) -> dict[str, Any]:
    """A connection for programs: the options without secrets."""
    told = {"since": one.since, "true_up_to": one.true_up_to, "alive_at": one.alive_at, "retry_at": one.retry_at}
    return {
        "id": one.id, "connector": one.connector, "title": one.title, "state": one.state,
        **{name: instant(at) if at else None for name, at in told.items()},
        "first_read_done": bool(one.first_read_done),
        "progress": {"done": one.progress_done, "total": one.progress_total}, "problem": one.problem,
        "attention": bool(one.attention), "options": one.options, "secrets": sorted(one.secrets),
    }  # fmt: skip


async def list_all(made: "Installation", now: datetime, screen: Console, *, for_programs: bool) -> None:
    """All connections."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        every = await connections.every(connection)
        told = {one.id: one for one in await watching.every(connection, now)}
    if for_programs:
        for one in every:
            write_line(orjson.dumps(as_json(one) | {"watched": watched.as_json(told[one.id])}).decode())
    elif not every:
        screen.print("There is no connection yet: `throughline connections add jira`.", markup=False)
    else:
        screen.print(overview(every, now, warnings={name: one.warnings for name, one in told.items()}))


def overview(
    every: list[StoredConnection],
    now: datetime,
    pace: Mapping[str, str] | None = None,
    warnings: Mapping[str, Sequence[str]] | None = None,
) -> ByWidth:
    """Connections with state, freshness and problem. By connection: pace, what else is known of a first read; warnings,
    what to look at though reading goes on."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("connection", no_wrap=True)
    table.add_column("connector", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("how fresh", ratio=1)
    narrow: list[Sequence[Text]] = []
    for one in every:
        waits = one.problem is not None and one.state == READING
        state = Text("needs you", style="bold red") if one.attention else Text("waiting" if waits else one.state)
        fresh = Text(", ".join(filter(None, (true_up_to(one, now), (pace or {}).get(one.id)))))
        if one.problem:
            again = f"; tried again at {moment(one.retry_at, now)}" if one.retry_at else ""
            fresh.append(f"\n{one.problem}{again}", style="red" if one.attention else "yellow")
        for warning in (warnings or {}).get(one.id, ()):
            fresh.append(f"\n{warning}", style="yellow")
        table.add_row(one.id, one.connector, state, fresh)
        narrow.append((Text.assemble(f"{one.id} ({one.connector}) ", state), fresh))
    return ByWidth(table, stacked(narrow))


async def show(made: "Installation", name: str, now: datetime, screen: Console, *, for_programs: bool) -> None:
    """One connection with its options; of secrets only that they are stored."""
    async with stored_one(made, name) as (_, one):
        told, differences = await watched.told_of(made, name, now)
        if for_programs:
            noticed = {"watched": watched.as_json(told)} if told else {}
            write_line(orjson.dumps(as_json(one) | noticed).decode())
            return
    screen.print(overview([one], now, warnings={name: told.warnings} if told else None))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("\nTitle", f"\n{one.title}")
    table.add_row("Read from", moment(one.since, now) if one.since else f"the {BEGINNING}")
    table.add_row("Last answer", moment(one.alive_at, now) if one.alive_at else "none yet")
    for option, value in described(one.options):
        table.add_row(option, Text(saving.worded(value)))
    for secret in sorted(one.secrets):
        table.add_row(secret, "stored, sealed")
    screen.print(table)
    if told:
        screen.print(watched.table_of(watched.rows(told, differences, now)))


async def test(made: "Installation", name: str, now: Callable[[], datetime], screen: Console) -> int:
    """Check a stored connection step by step; the exit code of the step that fails (see trial.fails)."""
    async with stored_one(made, name) as (engine, one):
        connector = connector_of(made, one.connector)
        options = parse_options(connector.Options, with_secrets(one, made.keys))
        parts = equipment(made, engine, now=now)
        async with opened_tool(parts, connector, name, options, stored=one) as tool:
            if failed := await trial.fails(tool, screen):
                return failed
            trial.remarked(await setting_up.remarks(tool.source), screen)
        await hooking.look(parts, connector, one, screen)
        return 0


async def pause(made: "Installation", name: str, screen: Console) -> None:
    """Stop reading; what was read stays."""
    async with stored_one(made, name) as (engine, one):
        await saving.pause(equipment(made, engine), one, Who(typist()))
    screen.print(f"{name} is paused. What it brought stays, and grows older.")


async def resume(made: "Installation", name: str, screen: Console) -> None:
    """Read on from where it was, at once."""
    async with stored_one(made, name) as (engine, one):
        await saving.resume(equipment(made, engine), one, Who(typist()))
    screen.print(f"{name} is read on from where it was.")


async def reread(made: "Installation", name: str, since: str | None, now: datetime, screen: Console) -> None:
    """Read again from a moment on; what is known falls out as a duplicate."""
    async with stored_one(made, name) as (engine, one):
        begin = one.since if since is None else None if since == BEGINNING else read_start(since, now, "--since")
        await saving.read_again(equipment(made, engine, now=lambda: now), one, begin, Who(typist()))
    words = f"{moment(begin, now)} on" if begin else f"the {BEGINNING}"
    screen.print(f"{name} is read again from {words}. What is known already changes nothing.")
    if begin and (one.since is None or one.since < begin):
        back = one.since.date().isoformat() if one.since else BEGINNING
        screen.print(
            f"What it brought from before stays, though it is told as read since {moment(begin, now)} from now on, "
            f"also by `config export`; `throughline connections reread {name} --since {back}` sets that back.",
            markup=False,
        )
