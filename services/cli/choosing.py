"""How a person's choice over the rules comes to hold: what it changes is told first, asked, kept, and can be undone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import choices, pending
from pipelines.store.choices import Change, Choice
from pipelines.store.engine import reading, writing
from schemas.access import THIS_MACHINE
from schemas.errors import Misconfigured
from services.admin import audit
from services.admin.rules_form import changes, told_again
from services.admin.rules_trying import hold, said, trial, tried
from services.cli.dead_letters import Ask
from services.cli.terminal import EXIT_NOT_FOUND, opened, tell, write_line
from services.cli.words import moment

if TYPE_CHECKING:
    from services.cli.installation import Installation as Made

_SHOWN = 12
"""Rows of a change that are printed."""
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Chooser:
    """Who chooses, where it is told, and when it is."""

    by: str
    now: Callable[[], datetime]
    screen: Console
    ask: Ask
    errors: Console | None = None
    """Where progress is shown until all is computed again; None: it is not waited for."""


async def choose(engine: AsyncEngine, name: str, before: Choice, after: Choice, chooser: Chooser) -> bool:
    """Tell what would change, ask, and let it hold. name: a connection, or ALL. False: nothing was changed."""
    screen = chooser.screen
    if before == after:
        screen.print("Nothing to change: these are the rules that hold.")
        return False
    _print_change(screen, before, after)
    async with reading(engine) as connection:
        one = await trial(connection, name, before, after)
        found = await tried(connection, one)
    screen.print(Text(said(found)))
    if not chooser.ask(f"Let these rules hold for {name or 'all connections'}?"):
        screen.print("Nothing is changed.")
        return False
    async with writing(engine) as connection:
        number = await hold(connection, one, chooser.by, chooser.now())
        caller = replace(THIS_MACHINE, name=chooser.by)
        was, on = {"chosen": told_again(before)}, f"rules of {name or 'all connections'}"
        became = {"chosen": told_again(after), "change": number}
        await audit.note(connection, caller, "rules.changed", on, was, became, chooser.now(), None)
    screen.print(
        f"They hold, as change {number}; `throughline rules undo {number}` takes it back.\n"
        "The running hub computes everything again, or does when it runs next."
    )
    if chooser.errors is not None:
        await _until_computed(engine, chooser.errors)
    return True


def _print_change(screen: Console, before: Choice, after: Choice) -> None:
    """What is taken out and put in, line by line."""
    out, put = changes(before, after)
    lines = [Text(f"- {one}", style="red") for one in out] + [Text(f"+ {one}", style="green") for one in put]
    for line in lines[:_SHOWN] or [Text("The same rows in another order")]:
        screen.print(line)
    if len(lines) > _SHOWN:
        screen.print(f"  and {len(lines) - _SHOWN:,} more")


async def history(made: "Made", name: str | None, now: datetime, screen: Console, *, for_programs: bool) -> None:
    """Print the changes of what was chosen, the newest first; name: of one connection, None: of every."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        made_so_far = await choices.made(connection, name, 100)
    for one in made_so_far:
        if for_programs:
            write_line(orjson.dumps(_told(one)).decode())
            continue
        head = Text(f"{one.number}", style="bold").append(
            f"  {one.connection or 'all connections'}, by {one.by}, {moment(one.at, now)}", style="default"
        )
        screen.print(head)
        _print_change(screen, one.before, one.after)
    if not made_so_far and not for_programs:
        screen.print("Nothing was chosen yet: everything is as the connectors and their options say.")


def _told(one: Change) -> dict[str, object]:
    return {
        "number": one.number, "connection": one.connection or None, "by": one.by, "at": one.at.isoformat(),
        "before": told_again(one.before), "after": told_again(one.after),
    }  # fmt: skip


async def undo(made: "Made", number: int, chooser: Chooser) -> int:
    """Let what held before a change hold again; tried and asked like any choice, and a change of its own.

    EXIT_NOT_FOUND where there is no such change. Raises Misconfigured where a later one stands on it.
    """
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            change = await choices.get(connection, number)
            if change is None:
                tell(f"There is no change {number}; see `throughline rules history`.")
                return EXIT_NOT_FOUND
            if await choices.current(connection, change.connection) != change.after:
                later = await choices.made(connection, change.connection, 1)
                raise Misconfigured(
                    f"Change {later[0].number} came after change {number}", "Undo that one first", "number"
                )
        await choose(engine, change.connection, change.after, change.before, chooser)
    return 0


async def _until_computed(engine: AsyncEngine, errors: Console) -> None:
    """Show how much is left to compute, until nothing is; Ctrl-C only ends the showing."""
    total = left = await _left(engine)
    if not errors.is_terminal or not total:
        return
    columns = BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=errors) as bars:
        bar = bars.add_task("", total=total)
        while left:
            bars.update(bar, completed=total - left, total=total, description=f"{left:,} groups of things to go")
            await asyncio.sleep(_LOOK_SECONDS)
            left = await _left(engine)
            total = max(total, left)


async def _left(engine: AsyncEngine) -> int:
    async with reading(engine) as connection:
        return await pending.left(connection)
