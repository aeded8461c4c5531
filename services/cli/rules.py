"""`throughline rules`: how a connection's types, statuses and links are understood, and a person's choices over it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.lifecycle.stages import ANY_VALUE
from pipelines.store import configuration, relations
from pipelines.store.choices import Choice, current
from pipelines.store.configuration import ALL, NO_CHOICE, NOTHING, Chosen, ConnectionConfiguration
from pipelines.store.configuration import Installation as Choices
from pipelines.store.engine import reading
from pipelines.why import version_of
from schemas.stages import StageRule
from services.admin import rules_links
from services.admin.rules_form import state_words, told_again, told_row
from services.cli import chosen as files
from services.cli import limits, linking
from services.cli.choosing import Chooser, choose
from services.cli.narrow import by_width
from services.cli.terminal import NotFound, opened, write_line
from services.cli.words import counted, short
from services.query.mapping import Unmapped, unmapped

if TYPE_CHECKING:
    from services.cli.installation import Installation


@dataclass(frozen=True, slots=True)
class _Known:
    """One connection's rules among all."""

    name: str
    every: dict[str, ConnectionConfiguration]

    @property
    def own(self) -> ConnectionConfiguration:
        return self.every[self.name]


async def _known(connection: AsyncConnection, name: str) -> _Known:
    """Raises NotFound."""
    every = await configuration.every(connection)
    if name not in every:
        there = f"There are {', '.join(every)}" if every else "Add one with `throughline connections add`"
        raise NotFound(f"There is no connection {short(name)}", there, "name")
    return _Known(name, every)


async def show(made: "Installation", name: str, screen: Console, *, for_programs: bool) -> None:
    """Print a connection's rules: what was chosen, what its connector says, what neither knows."""
    async with opened(made) as (engine, database):
        async with reading(engine) as connection:
            own = (await _known(connection, name)).own
        async with database.reading() as connection:
            missing = (await unmapped(connection, name)).get(name, Unmapped())
            seen = await relations.stated(connection, name)
    if for_programs:
        write_line(orjson.dumps(_told(name, own, missing) | {"links": rules_links.told(own, seen)}).decode())
        return
    _heading(screen, "Chosen for this connection, asked first")
    if own.chosen == NOTHING:
        screen.print("  Nothing: everything is as its connector and its options say.")
    _print_chosen(screen, own.chosen)
    _heading(screen, f"By default ({own.connector})")
    screen.print(by_width(_rows(own.stages)))
    screen.print(_links(own.link_kinds))
    _heading(screen, "Links that were read")
    screen.print(linking.table(own, seen))
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
        "connection": name, "connector": own.connector, "chosen": told_again(own.chosen),
        "defaults": {
            "stages": [told_row(rule) for rule in own.stages], "link_kinds": own.link_kinds,
            "openers": sorted(own.openers) if own.openers else None, "projects": sorted(own.projects),
            "scopes": sorted(own.scopes),
        },
        "unmapped": {"artifacts": missing.artifacts, "of": missing.of, "share": missing.share, "statuses": statuses},
    }  # fmt: skip


def _print_chosen(screen: Console, chosen: Chosen) -> None:
    if chosen.stages:
        screen.print(by_width(_rows(chosen.stages)))
    if chosen.link_kinds:
        screen.print(_links(chosen.link_kinds))
    for words, names in (
        ("Types that open a request", chosen.openers),
        ("Further projects", chosen.projects),
        ("Further scopes", chosen.scopes),
        ("Fields that name", [f"{name} ({kind})" for name, kind in chosen.reference_fields.items()]),
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
    return Text(state_words(rule))


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


async def apply(made: "Installation", name: str, path: Path, chooser: Chooser) -> None:
    """Say what the file would change, ask, and let it hold in place of what was chosen before. name: or ALL."""
    async with opened(made) as (engine, database):
        async with reading(engine) as connection:
            own = None if name == ALL else (await _known(connection, name)).own
            before: Choice = await current(connection, name)
        if own is None:
            await choose(engine, name, before, limits.read(path), chooser)
            return
        wanted = files.read(path, own.connector, {rule.kind for rule in own.stages})
        if wanted.link_kinds:
            connector = made.catalogue.get(own.connector)
            wanted, lines = await rules_links.named(database, connector, name, own, wanted)
            for line in lines if wanted != before else ():
                chooser.screen.print(Text(line))
        await choose(engine, name, before, wanted, chooser)


async def reset(made: "Installation", name: str, chooser: Chooser) -> None:
    """The same with nothing chosen."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            if name != ALL:
                await _known(connection, name)
            before = await current(connection, name)
        await choose(engine, name, before, NO_CHOICE if name == ALL else NOTHING, chooser)


async def show_all(made: "Installation", screen: Console, *, for_programs: bool) -> None:
    """Print what holds for all connections together: the limits, and what was chosen over them."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        own, holds = await configuration.installation(connection), (await configuration.load(connection)).rules
    told = told_again(Choices(**{name: getattr(holds, name) for name in limits.KEYS}))
    if for_programs:
        write_line(orjson.dumps({"chosen": told_again(own), "holds": told, "version": version_of(holds)}).decode())
        return
    _heading(screen, "For all connections together")
    for name, value in told.items():
        words = ", ".join(value) if isinstance(value, list) else f"{value:,}"
        mark = "chosen" if name in told_again(own) else "by default"
        screen.print(Text(f"  {name}: {words}").append(f"  {mark}", style="dim"))
    screen.print(Text(f"Version {version_of(holds)}, with what each connection adds; `throughline why` tells it, too."))
