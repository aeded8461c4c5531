"""What a file changes, as steps that can be told before they are carried out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from pipelines.store import configuration
from pipelines.store.choices import Choice
from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured, RetryLater
from services.admin import audit, sameness, sampling, saving, setting_up
from services.admin.equipment import Equipment
from services.admin.given import with_kept
from services.admin.rules_form import changes, told_again
from services.admin.rules_trying import hold, trial
from services.admin.saving import STOPPED, Who, described, worded
from services.admin.setting_up import Wanted
from services.admin.trial import Opened
from services.cli.equipping import equipment
from services.cli.filing import Filed
from services.cli.terminal import EXIT_UNAVAILABLE
from services.cli.trial import fails
from services.cli.typist import typist
from services.feed import connections
from services.feed.connections import PAUSED, StoredConnection, split_secrets

if TYPE_CHECKING:
    from services.cli.installation import Installation as Made


@dataclass(frozen=True, slots=True)
class Applier:
    """With what a file is applied."""

    made: "Made"
    engine: AsyncEngine
    now: Callable[[], datetime]
    screen: Console
    unchecked: bool = False
    """Tools are not tested before."""
    unregister: bool = False
    """The webhooks that the hub entered in the tools of connections that go are removed there, too."""

    @property
    def parts(self) -> Equipment:
        """What connections are set up with."""
        return equipment(self.made, self.engine, now=self.now)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that changes."""

    what: str
    lines: list[str]
    carry_out: Callable[[], Awaitable[None]]


def adding(applier: Applier, entry: Filed, connector: Connector, name: str, since: datetime | None) -> Step:
    """A connection that is not there yet. Raises Misconfigured by line and column."""
    options = entry.options(connector.Options, applier.made.secret)
    wanted = Wanted(name, entry.text("title") or connector.title, connector, options, since)

    async def carry_out() -> None:
        parts = applier.parts
        await setting_up.refuse_another(parts, wanted, untried=not applier.unchecked)
        seen, held = frozenset[str](), wanted
        if not applier.unchecked:
            async with _tested(applier, wanted) as tool:
                seen = await setting_up.seen_by(tool, await sampling.sample(tool.source, connector, since))
            held = wanted.with_replaced(tool)
        await setting_up.refuse_another(parts, held, seen)
        await saving.add(parts, held, setting_up.adds(held, seen), Who(typist()))

    plain, secrets = split_secrets(options)
    lines = [f"{option}: {worded(value)}" for option, value in described(plain) if worded(value)]
    return Step(
        f"{name}: to be added ({connector.title})", [*lines, *(f"{one}: a secret" for one in secrets)], carry_out
    )


def changing(applier: Applier, entry: Filed, connector: Connector, stored: StoredConnection) -> Iterator[Step]:
    """Title, options and secrets of a connection that is there. Raises Misconfigured by line and column."""
    keys = applier.made.keys
    if "options" not in entry.told and entry.text("title") in (None, stored.title):
        return

    def complete(raw: dict[str, Any]) -> None:
        with_kept(connector.Options, raw, stored, keys)

    options = entry.options(connector.Options, applier.made.secret, complete)
    wanted = Wanted(stored.id, entry.text("title") or stored.title, connector, options, stored.since, stored)
    found = saving.differs(keys, stored, wanted)
    if not found:
        return

    async def carry_out() -> None:
        async with reading(applier.engine) as connection:
            seen = sameness.scopes_of(await configuration.every(connection), stored.id)
        await setting_up.refuse_another(applier.parts, wanted, seen)
        held = wanted
        if not applier.unchecked:
            async with _tested(applier, wanted) as tool:
                held, seen = wanted.with_replaced(tool), seen | await setting_up.seen_by(tool)
        await saving.change(applier.parts, stored, held, seen, Who(typist()))

    yield Step(f"{stored.id}: to be changed", found.lines, carry_out)


def reading_from(applier: Applier, stored: StoredConnection, since: datetime | None) -> Step:
    """From when a connection is read."""

    async def carry_out() -> None:
        await saving.read_again(applier.parts, await _now(applier, stored.id), since, Who(typist()))

    words = f"{since:%Y-%m-%d %H:%M}" if since else "the beginning"
    return Step(f"{stored.id}: to be read again from {words}", [], carry_out)


def steering(applier: Applier, name: str, state: str) -> Step:
    """Whether it is read."""
    act = {PAUSED: saving.pause, STOPPED: saving.stop}.get(state, saving.resume)

    async def carry_out() -> None:
        await act(applier.parts, await _now(applier, name), Who(typist()))

    return Step(f"{name}: to be {state}", [], carry_out)


def choosing(applier: Applier, name: str, before: Choice, after: Choice) -> list[Step]:
    """Rules and stage map. name: of a connection, or ALL."""
    if before == after:
        return []

    async def carry_out() -> None:
        async with writing(applier.engine) as connection:
            one = await trial(connection, name, before, after)
            number = await hold(connection, one, typist().name, applier.now())
            became = {"chosen": told_again(after), "change": number}
            await audit.note(connection, typist(), "rules.changed", f"rules of {name or 'all connections'}",
                             {"chosen": told_again(before)}, became, applier.now(), None)  # fmt: skip

    out, put = changes(before, after)
    lines = [f"- {one}" for one in out] + [f"+ {one}" for one in put]
    return [Step(f"{name or 'all connections'}: other rules", lines or ["the same rows in another order"], carry_out)]


async def _now(applier: Applier, name: str) -> StoredConnection:
    async with reading(applier.engine) as connection:
        stored = await connections.get(connection, name)
    if stored is None:
        raise Misconfigured(f"{name} was removed meanwhile", "Look at it, and apply the file again")
    return stored


@asynccontextmanager
async def _tested(applier: Applier, wanted: Wanted) -> AsyncIterator[Opened]:
    """The tool of a connection, after its check. Raises Misconfigured where that fails, RetryLater where it is away."""
    applier.screen.print(Text(f"Testing {wanted.title}", style="bold"))
    async with setting_up.opened(applier.parts, wanted) as tool:
        failed = await fails(tool, applier.screen)
        if failed == EXIT_UNAVAILABLE:
            raise RetryLater(f"{wanted.name} does not answer; apply the file again, what is done stays done")
        if failed:
            raise Misconfigured(f"{wanted.name} cannot be read so", "Mend it, and apply the file again", "name")
        yield tool
