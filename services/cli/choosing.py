"""How a person's choice over the rules comes to hold: what it changes is told first, asked, kept, and can be undone."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import choices, configuration, tables, values
from pipelines.store.choices import Change, Choice
from pipelines.store.configuration import Chosen, Configuration, ConnectionConfiguration, Installation
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from pipelines.trying import Difference, difference, difference_among
from schemas.errors import Misconfigured
from services.cli import chosen as files
from services.cli.dead_letters import Ask
from services.cli.limits import told_again
from services.cli.terminal import opened, write_line
from services.cli.words import counted, moment

if TYPE_CHECKING:
    from services.cli.installation import Installation as Made

_SHOWN = 12
"""Rows of a change that are printed."""
_CARRIED = 50
"""Groups of things that a change of what one value means is tried on."""
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
        now, then = await _snapshots(connection, name, after)
        found = await _tried(connection, name, before, after, now, then)
    screen.print(Text(said(found)))
    if not chooser.ask(f"Let these rules hold for {name or 'all connections'}?"):
        screen.print("Nothing is changed.")
        return False
    async with writing(engine) as connection:
        number = await choices.make(connection, name, before, after, chooser.by, chooser.now())
        await values.look_again(connection, now.rules, then.rules)
        if replace(now.rules, called_generic=frozenset(), called_specific=frozenset()) != replace(
            then.rules, called_generic=frozenset(), called_specific=frozenset()
        ) or (now.stage_map != then.stage_map):
            await ask_everything(connection, f"change {number} of the rules", chooser.now())
    screen.print(
        f"They hold, as change {number}; `throughline rules undo {number}` takes it back.\n"
        "The running hub computes everything again, or does when it runs next."
    )
    if chooser.errors is not None:
        await _until_computed(engine, chooser.errors)
    return True


async def _snapshots(connection: AsyncConnection, name: str, after: Choice) -> tuple[Configuration, Configuration]:
    every, for_all = await configuration.every(connection), await configuration.installation(connection)
    now = configuration.combine(every, for_all)
    if isinstance(after, Installation):
        return now, configuration.combine(every, after)
    return now, configuration.combine(_with(every, name, after), for_all)


def _with(
    every: Mapping[str, ConnectionConfiguration], name: str, chosen: Chosen
) -> dict[str, ConnectionConfiguration]:
    if name not in every:
        raise Misconfigured(f"There is no connection {name}", "Look at `throughline connections list`", "name")
    return {**every, name: replace(every[name], chosen=chosen)}


async def _tried(
    connection: AsyncConnection, name: str, before: Choice, after: Choice, now: Configuration, then: Configuration
) -> Difference:
    if isinstance(before, Chosen) and isinstance(after, Chosen):
        # A project or a scope gives what others name a new meaning; everything else concerns its own things.
        everywhere = (after.projects, after.scopes) != (before.projects, before.scopes)
        return await difference(connection, now, then, None if everywhere else name)
    changed = (now.rules.called_generic ^ then.rules.called_generic) | (
        now.rules.called_specific ^ then.rules.called_specific
    )
    if not changed:
        return await difference(connection, now, then, None)
    names = [one for value in sorted(changed) for one in await values.components_with(connection, value, _CARRIED + 1)]
    return await difference_among(connection, now, then, sorted(set(names)), _CARRIED)


def _print_change(screen: Console, before: Choice, after: Choice) -> None:
    """What is taken out and put in, line by line."""
    old, new = _lines(before), _lines(after)
    lines = [Text(f"- {one}", style="red") for one in old if one not in new]
    lines += [Text(f"+ {one}", style="green") for one in new if one not in old]
    for line in lines[:_SHOWN] or [Text("The same rows in another order")]:
        screen.print(line)
    if len(lines) > _SHOWN:
        screen.print(f"  and {len(lines) - _SHOWN:,} more")


def _lines(choice: Choice) -> list[str]:
    if isinstance(choice, Installation):
        told = {name: one for name, one in told_again(choice).items() if one}
        return [f"{name}: {', '.join(one) if isinstance(one, list) else one}" for name, one in told.items()]
    rows = [f"{one.kind}, {one.type}, {one.status}: {one.stage}, {files.state_words(one)}" for one in choice.stages]
    rows += [f"link {relation}: {does}" for relation, does in sorted(choice.link_kinds.items())]
    rows += [f"opens a request: {name}" for name in sorted(choice.openers or ())]
    rows += [f"project {name}" for name in sorted(choice.projects)]
    rows += [f"scope {name}" for name in sorted(choice.scopes)]
    return rows + [f"field {name}: {kind}" for name, kind in sorted(choice.reference_fields.items())]


def said(found: Difference) -> str:
    """What other rules would change, in one sentence or two."""
    of = (
        f"the first {found.components:,} groups of things that it may concern" if found.sample else "all it may concern"
    )
    looked = f"Tried on {of} ({counted(found.requests, 'request')}):"
    if not found.any:
        return f"{looked} no request would change its stage, its state or its parts."
    parts: Iterable[tuple[int, str]] = (
        (found.other_stage, "in another stage"),
        (found.other_state, "in the same stage with another state"),
        (found.merged, "one with another"),
        (found.split, "split"),
        (found.begun, "new"),
        (found.ended, "no request any more"),
    )
    told = "; ".join(f"{number:,} would be {words}" for number, words in parts if number)
    return f"{looked} {told}. Such as {', '.join(found.examples)}" if found.examples else f"{looked} {told}."


async def history(made: "Made", name: str | None, now: datetime, screen: Console, *, for_programs: bool) -> None:
    """Print the changes of what was chosen, the newest first; name: of one connection, None: of every."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        changes = await choices.made(connection, name, 100)
    for one in changes:
        if for_programs:
            write_line(orjson.dumps(_told(one)).decode())
            continue
        head = Text(f"{one.number}", style="bold").append(
            f"  {one.connection or 'all connections'}, by {one.by}, {moment(one.at, now)}", style="default"
        )
        screen.print(head)
        _print_change(screen, one.before, one.after)
    if not changes and not for_programs:
        screen.print("Nothing was chosen yet: everything is as the connectors and their options say.")


def _told(one: Change) -> dict[str, object]:
    return {
        "number": one.number, "connection": one.connection or None, "by": one.by, "at": one.at.isoformat(),
        "before": _form(one.before), "after": _form(one.after),
    }  # fmt: skip


def _form(choice: Choice) -> dict[str, object]:
    return told_again(choice) if isinstance(choice, Installation) else files.told_again(choice)


async def undo(made: "Made", number: int, chooser: Chooser) -> None:
    """Let what held before a change hold again; tried and asked like any choice, and a change of its own.

    Raises Misconfigured where there is no such change, or a later one stands on it.
    """
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            change = await choices.get(connection, number)
            if change is None:
                raise Misconfigured(f"There is no change {number}", "Look at `throughline rules history`", "number")
            if await choices.current(connection, change.connection) != change.after:
                later = await choices.made(connection, change.connection, 1)
                raise Misconfigured(
                    f"Change {later[0].number} came after change {number}", "Undo that one first", "number"
                )
        await choose(engine, change.connection, change.after, change.before, chooser)


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
        waiting = await connection.execute(select(func.count(tables.pending.c.component.distinct())))
        return int(waiting.scalar_one())
