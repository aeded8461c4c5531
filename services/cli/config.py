"""`throughline config`: connections, rules and stage maps as one file. What a file leaves out is left alone, unless
somebody says that it goes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import choices, configuration
from pipelines.store.configuration import ALL, NOTHING, Installation
from pipelines.store.engine import reading
from schemas.canonical import instant
from services.admin.rules_form import LimitsForm, RulesForm, told_again
from services.admin.saving import STOPPED
from services.cli import chosen, filing, limits, withdrawing
from services.cli.adding import connector_of, prepared
from services.cli.applying import Applier, Step, adding, changing, choosing, reading_from, steering
from services.cli.dead_letters import Ask
from services.cli.filing import Filed
from services.cli.terminal import opened, write_line
from services.cli.words import BEGINNING, is_length
from services.feed import connections
from services.feed.connections import PAUSED, READING, StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation as Made

EXIT_DIFFERS = 7
"""A file says something else than what is set up."""

KEYS = ("connections", "rules")
OF_CONNECTION = ("connector", "title", "since", "state", "options", "rules", withdrawing.KEY)
STATES = (READING, PAUSED, STOPPED)


@dataclass(slots=True)
class Plan:
    """What a file would change."""

    steps: list[Step] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Connections that it does not name."""


async def export(made: "Made") -> None:
    """Print the set-up."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        stored = await connections.every(connection)
        rules = await configuration.every(connection)
        for_all = await configuration.installation(connection)
    document: dict[str, Any] = {"connections": {one.id: _entry(one, rules) for one in stored}}
    if told := _filled(told_again(for_all)):
        document["rules"] = told
    for line in _about_secrets(stored):
        write_line(line)
    write_line(yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip())


def _entry(one: StoredConnection, rules: Mapping[str, configuration.ConnectionConfiguration]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "connector": one.connector, "title": one.title, "since": instant(one.since) if one.since else BEGINNING,
        "state": one.state, "options": _filled(one.options),
    }  # fmt: skip
    own = rules[one.id].chosen if one.id in rules else NOTHING
    return entry | ({"rules": _filled(told_again(own))} if own != NOTHING else {})


def _filled(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    inner = {name: _filled(one) if isinstance(one, dict) else one for name, one in told.items()}
    return {name: one for name, one in inner.items() if one not in (None, "", [], {})}


def _about_secrets(stored: list[StoredConnection]) -> list[str]:
    sealed = [f"#   {one.id}: {', '.join(sorted(one.secrets))}" for one in stored if one.secrets]
    head = [
        "# Secrets are not in this file. Those that are stored stay when it is applied. To give one, write its",
        "# option as env:NAME or file:PATH. Stored are:",
    ]
    return [*head, *sealed] if sealed else []


async def diff(
    made: "Made", path: Path, now: Callable[[], datetime], screen: Console, remove: str | None = None,
    *, unregister: bool = False,
) -> int:  # fmt: skip
    """Tell what applying it would change; EXIT_DIFFERS where it would change anything. remove, unregister: as apply."""
    async with opened(made) as (engine, _):
        plan = await _planned(Applier(made, engine, now, screen, unchecked=True, unregister=unregister), path, remove)
    _show(plan, screen)
    return EXIT_DIFFERS if plan.steps else 0


async def apply(
    made: "Made", path: Path, now: Callable[[], datetime], screen: Console, ask: Ask, *, unchecked: bool,
    remove: str | None = None, unregister: bool = False,
) -> int:  # fmt: skip
    """Show, ask, and carry it out step by step; the first step that fails ends it, and what was done stays. remove:
    connections that the file does not name go, and what they brought stays (keep) or goes, too (drop). unregister:
    of those that go, the webhooks that the hub entered in their tools go, too."""
    await prepared(made)
    async with opened(made) as (engine, _):
        applier = Applier(made, engine, now, screen, unchecked=unchecked, unregister=unregister)
        plan = await _planned(applier, path, remove)
        _show(plan, screen)
        if not plan.steps:
            return 0
        if not ask("Apply this?"):
            screen.print("Nothing is changed.")
            return 0
        for step in plan.steps:
            await step.carry_out()
    screen.print("Applied. The running hub begins with it within seconds, or when it runs next.")
    return 0


def _show(plan: Plan, screen: Console) -> None:
    for step in plan.steps:
        screen.print(Text(step.what, style="bold"))
        for line in step.lines:
            screen.print(Text(f"  {line}"))
    if not plan.steps:
        screen.print("Nothing differs: everything is as the file says.")
    if plan.others:
        screen.print(f"Not in the file, and left alone: {', '.join(plan.others)}", markup=False)
        screen.print("(`config apply --remove keep` or `--remove drop` removes what the file does not name.)")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is set up."""

    stored: Mapping[str, StoredConnection]
    rules: Mapping[str, configuration.ConnectionConfiguration]
    for_all: Installation


async def _known(engine: AsyncEngine) -> _Known:
    async with reading(engine) as connection:
        stored = {one.id: one for one in await connections.every(connection)}
        for_all = await choices.current(connection, ALL)
        assert isinstance(for_all, Installation)
        return _Known(stored, await configuration.every(connection), for_all)


async def _planned(applier: Applier, path: Path, remove: str | None) -> Plan:
    """Raises Misconfigured by line and column."""
    filed = filing.document(path, KEYS, "a set-up")
    withdrawing.told(filed, remove)
    known, plan = await _known(applier.engine), Plan()
    every = filed.part("connections", keys=(), of="the connections")
    gone: dict[str, str] = {}
    for name in every.told:
        entry = every.part(name, keys=OF_CONNECTION, of="a connection")
        if way := withdrawing.way(entry):
            gone[name] = way
        else:
            plan.steps += _of_connection(applier, entry, known, name)
    if "rules" in filed.told:
        wanted = limits.checked(filed.part("rules", keys=tuple(LimitsForm.model_fields), of="the rules of all"))
        plan.steps += choosing(applier, ALL, known.for_all, wanted)
    others = [name for name in known.stored if name not in every.told]
    plan.others = [] if remove else others
    gone |= dict.fromkeys(others, remove) if remove else {}
    # First: the tool of one that goes may be read by another that comes.
    plan.steps[:0] = await withdrawing.withdrawing(applier, known.stored, gone)
    return plan


def _of_connection(applier: Applier, entry: Filed, known: _Known, name: str) -> list[Step]:
    stored, text = known.stored.get(name), entry.text("connector")
    if text is None:
        raise entry.wrong((), f"{name} does not say which connector it is", "Add it, such as connector: jira")
    connector = connector_of(applier.made, text)
    if stored is not None and stored.connector != connector.name:
        raise entry.wrong(("connector",), f"{name} is of {stored.connector}", "Give another name to another tool")
    since = entry.since(applier.now())
    if stored is None:
        steps = [adding(applier, entry, connector, name, since)]
    else:
        steps = [*changing(applier, entry, connector, stored)]
        if _fixed(entry.text("since")) and since != stored.since:
            steps.append(reading_from(applier, stored, since))
    state = entry.text("state") or (stored.state if stored else READING)
    if state not in STATES:
        raise entry.wrong(("state",), f"{state} is no state", f"Use one of {', '.join(STATES)}")
    if state != (stored.state if stored else READING):
        steps.append(steering(applier, name, state))
    if "rules" not in entry.told:
        return steps
    part = entry.part("rules", keys=tuple(RulesForm.model_fields), of="a connection's rules")
    wanted = chosen.checked(part, connector.name, {rule.kind for rule in connector.stages})
    before = known.rules[name].chosen if name in known.rules else NOTHING
    return steps + choosing(applier, name, before, wanted)


def _fixed(since: str | None) -> bool:
    """Whether it is one moment. A length of time is another one at each look: it counts when a connection is added."""
    return since is not None and not is_length(since)
