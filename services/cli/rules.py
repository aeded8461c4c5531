"""`throughline rules`: how a connection's types, statuses and links are understood, and a person's choices over it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.lifecycle.stages import ANY_VALUE
from pipelines.store import configuration
from pipelines.store.configuration import NOTHING, Chosen, ConnectionConfiguration
from pipelines.store.engine import reading, writing
from pipelines.store.pending import ask_everything
from pipelines.trying import Difference, difference
from schemas.errors import Misconfigured
from schemas.stages import StageRule
from services.cli import chosen as choices
from services.cli.dead_letters import Ask
from services.cli.terminal import opened, write_line
from services.cli.words import counted
from services.query.mapping import Unmapped, unmapped

if TYPE_CHECKING:
    from services.cli.installation import Installation

_SHOWN = 12
"""Rows of a change that are printed."""


@dataclass(frozen=True, slots=True)
class _Known:
    """One connection's rules among all."""

    name: str
    every: dict[str, ConnectionConfiguration]

    @property
    def own(self) -> ConnectionConfiguration:
        return self.every[self.name]


async def _known(connection: AsyncConnection, name: str) -> _Known:
    every = await configuration.every(connection)
    if name not in every:
        there = f"There are {', '.join(every)}" if every else "Add one with `throughline connections add`"
        raise Misconfigured(f"There is no connection {name}", there, "name")
    return _Known(name, every)


async def show(made: "Installation", name: str, screen: Console, *, for_programs: bool) -> None:
    """Print a connection's rules: what was chosen, what its connector says, what neither knows."""
    async with opened(made) as (engine, database):
        async with reading(engine) as connection:
            own = (await _known(connection, name)).own
        async with database.reading() as connection:
            missing = (await unmapped(connection, name)).get(name, Unmapped())
    if for_programs:
        write_line(orjson.dumps(_told(name, own, missing)).decode())
        return
    _heading(screen, "Chosen for this connection, asked first")
    if own.chosen == NOTHING:
        screen.print("  Nothing: everything is as its connector and its options say.")
    _print_chosen(screen, own.chosen)
    _heading(screen, f"By default ({own.connector})")
    screen.print(_rows(own.stages))
    screen.print(_links(own.link_kinds))
    _heading(screen, "Not mapped")
    screen.print(not_mapped(missing))


def _heading(screen: Console, words: str) -> None:
    screen.print(Text(words, style="bold"))


def _told(name: str, own: ConnectionConfiguration, missing: Unmapped) -> dict[str, Any]:
    statuses = [
        {"kind": one.kind, "type": one.type or None, "status": one.status, "artifacts": one.artifacts}
        for one in missing.statuses
    ]
    return {
        "connection": name, "connector": own.connector, "chosen": choices.told_again(own.chosen),
        "defaults": {
            "stages": [choices.told_row(rule) for rule in own.stages], "link_kinds": own.link_kinds,
            "openers": sorted(own.openers) if own.openers else None, "projects": sorted(own.projects),
            "scopes": sorted(own.scopes),
        },
        "unmapped": {"artifacts": missing.artifacts, "of": missing.of, "share": missing.share, "statuses": statuses},
    }  # fmt: skip


def _print_chosen(screen: Console, chosen: Chosen) -> None:
    if chosen.stages:
        screen.print(_rows(chosen.stages))
    if chosen.link_kinds:
        screen.print(_links(chosen.link_kinds))
    for words, names in (
        ("Types that open a request", chosen.openers),
        ("Further projects", chosen.projects),
        ("Further scopes", chosen.scopes),
    ):
        if names:
            screen.print(Text(f"  {words}: {', '.join(sorted(names))}"))


def _rows(rules: Iterable[StageRule]) -> Table:
    """Rows in their order; those that differ only by their status, or for every status only by their type, are one."""
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for column in ("kind", "type", "status", "stage", "state"):
        table.add_column(column)
    for (kind, _, stage, *_), same in groupby(rules, _alike):
        those = list(same)
        types, statuses = _several(one.type for one in those), _several(one.status for one in those)
        table.add_row(Text(kind), types, statuses, stage, _state(those[0]))
    return table


def _alike(rule: StageRule) -> tuple[str, str | None, str, Any, Any, str]:
    type_ = None if rule.status == ANY_VALUE else rule.type
    return rule.kind, type_, rule.stage, rule.state, rule.waiting, rule.reason


def _several(values: Iterable[str]) -> Text:
    return Text(", ".join(dict.fromkeys(values)))


def _state(rule: StageRule) -> Text:
    if rule.state is None:
        return Text("as the tool says")
    return Text(f"{rule.state.value} ({rule.waiting})" if rule.waiting else rule.state.value)


def _links(kinds: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 2))
    for does in dict.fromkeys(kinds.values()):
        table.add_row(Text(does, style="dim"), _several(name for name, one in kinds.items() if one == does))
    return table


def not_mapped(missing: Unmapped) -> Text:
    """How much has no stage, and what would mend most."""
    if not missing.artifacts:
        return Text("  Nothing: every status of what is in a request has its row.")
    percent = max(1, round(100 * missing.share))
    told = Text(
        f"  {missing.artifacts:,} of {counted(missing.of, 'artifact')} ({percent} %) have no stage. Most of them:"
    )
    for one in missing.statuses:
        thing = f"{one.kind} {one.type}" if one.type else one.kind
        told.append(f"\n  {one.artifacts:>8,}  {thing}, {one.status}")
    return told


async def apply(
    made: "Installation", name: str, path: Path, now: Callable[[], datetime], screen: Console, ask: Ask
) -> None:
    """Say what the file would change, ask, and let it hold in place of what was chosen before."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            known = await _known(connection, name)
        wanted = choices.read(path, known.own.connector, {rule.kind for rule in known.own.stages})
        await _change(engine, known, wanted, now, screen, ask)


async def reset(made: "Installation", name: str, now: Callable[[], datetime], screen: Console, ask: Ask) -> None:
    """The same with nothing chosen."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            known = await _known(connection, name)
        await _change(engine, known, NOTHING, now, screen, ask)


async def _change(
    engine: AsyncEngine, known: _Known, wanted: Chosen, now: Callable[[], datetime], screen: Console, ask: Ask
) -> None:
    if wanted == known.own.chosen:
        screen.print("Nothing to change: these are the rules that hold.")
        return
    _print_change(screen, known.own.chosen, wanted)
    after = {**known.every, known.name: replace(known.own, chosen=wanted)}
    # A project or a scope gives what others name a new meaning; everything else concerns its own things.
    everywhere = (wanted.projects, wanted.scopes) != (known.own.chosen.projects, known.own.chosen.scopes)
    async with reading(engine) as connection:
        for_all = await configuration.installation(connection)
        found = await difference(
            connection, configuration.combine(known.every, for_all), configuration.combine(after, for_all),
            None if everywhere else known.name,
        )  # fmt: skip
    screen.print(Text(said(found)))
    if not ask(f"Let these rules hold for {known.name}?"):
        screen.print("Nothing is changed.")
        return
    async with writing(engine) as connection:
        if not await configuration.choose(connection, known.name, wanted):
            raise Misconfigured(
                f"There is no connection {known.name}", "Look at `throughline connections list`", "name"
            )
        await ask_everything(connection, f"rules of {known.name} changed", now())
    screen.print("They hold. The running hub computes everything again, or does when it runs next.")


def _print_change(screen: Console, before: Chosen, after: Chosen) -> None:
    """What is taken out and put in, line by line."""
    old, new = _lines(before), _lines(after)
    lines = [Text(f"- {one}", style="red") for one in old if one not in new]
    lines += [Text(f"+ {one}", style="green") for one in new if one not in old]
    for line in lines[:_SHOWN] or [Text("The same rows in another order")]:
        screen.print(line)
    if len(lines) > _SHOWN:
        screen.print(f"  and {len(lines) - _SHOWN:,} more")


def _lines(chosen: Chosen) -> list[str]:
    rows = [f"{one.kind}, {one.type}, {one.status}: {one.stage}, {_state(one)}" for one in chosen.stages]
    rows += [f"link {relation}: {does}" for relation, does in sorted(chosen.link_kinds.items())]
    rows += [f"opens a request: {name}" for name in sorted(chosen.openers or ())]
    rows += [f"project {name}" for name in sorted(chosen.projects)]
    return rows + [f"scope {name}" for name in sorted(chosen.scopes)]


def said(found: Difference) -> str:
    """What other rules would change, in one sentence or two."""
    of = (
        f"the first {found.components:,} groups of things that it may concern" if found.sample else "all it may concern"
    )
    looked = f"Tried on {of} ({counted(found.requests, 'request')}):"
    if not found.any:
        return f"{looked} no request would change its stage, its state or its parts."
    parts: Sequence[tuple[int, str]] = (
        (found.other_stage, "in another stage"),
        (found.other_state, "in the same stage with another state"),
        (found.merged, "one with another"),
        (found.split, "split"),
        (found.begun, "new"),
        (found.ended, "no request any more"),
    )
    told = "; ".join(f"{number:,} would be {words}" for number, words in parts if number)
    return f"{looked} {told}. Such as {', '.join(found.examples)}" if found.examples else f"{looked} {told}."
