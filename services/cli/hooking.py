"""`throughline connections webhook`: what to enter in the tool, what it has, and to have it entered or removed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.contract import Connector
from schemas.errors import Misconfigured
from services.admin import forms, hooking, reach, registering, unregistering
from services.admin.equipment import Equipment
from services.admin.given import stored_whole
from services.admin.saving import Who
from services.admin.setting_up import Wanted
from services.cli.adding import connector_of
from services.cli.dead_letters import Ask
from services.cli.equipping import equipment
from services.cli.stored import stored_one
from services.cli.typist import typist
from services.feed.connections import StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation


@dataclass(frozen=True, slots=True)
class _Found:
    """One connection, and what its webhook is set with."""

    engine: AsyncEngine
    parts: Equipment
    kind: Connector
    stored: StoredConnection


@asynccontextmanager
async def _found(made: "Installation", name: str, now: Callable[[], datetime]) -> AsyncIterator[_Found]:
    async with stored_one(made, name) as (engine, stored):
        yield _Found(engine, equipment(made, engine, now=now), connector_of(made, stored.connector), stored)


async def show(made: "Installation", name: str, now: Callable[[], datetime], screen: Console) -> None:
    """What to enter where, and what the tool says of it. Raises Misconfigured where the tool sends none."""
    async with _found(made, name, now) as found:
        told = forms.extra_of(found.kind.Options).get("webhooks")
        if not told:
            raise Misconfigured(f"{found.kind.title} sends no webhooks", "Nothing is needed: it is asked", "name")
        screen.print(Text(f"Enter in {told['where']}:", style="bold"))
        screen.print(Text(f"  address  {hooking.address_of(found.parts, name)}"))
        screen.print(Text(f"  events   {'; '.join(told['events'])}"))
        screen.print(Text(f"  secret   {'stored' if told['secret'] in found.stored.secrets else 'none yet'}"))
        screen.print(Text(str(told["registered"])))
        if objection := await _unreached(found):
            screen.print(Text("  look  ", style="yellow").append(objection, style="default"))
        await look(found.parts, found.kind, found.stored, screen)


async def _unreached(found: _Found) -> str:
    """Why the tool does not reach the address, with the mend, as far as that can be told from here."""
    options = stored_whole(found.kind.Options, found.stored, found.parts.keys)
    try:
        return await reach.judged(found.parts, found.kind.title, options)
    except Misconfigured as error:
        return str(error)


async def look(parts: Equipment, kind: Connector, stored: StoredConnection, screen: Console) -> None:
    """Whether our listener is reached, and what the tool says of the webhook; nothing where no secret is stored."""
    options = stored_whole(kind.Options, stored, parts.keys)
    wanted = Wanted(stored.id, stored.title, kind, options, stored.since)
    for asks in (hooking.reachable, registering.seen):
        step = await asks(parts, wanted)
        if step is not None:
            mark = Text("  ok    ", style="green") if step.ok else Text("  look  ", style="yellow")
            screen.print(mark.append(f"{step.name}: ", style="bold").append(step.says, style="default"))


async def register(
    made: "Installation", name: str, now: Callable[[], datetime], screen: Console, ask: Ask, *, renew: bool
) -> None:
    """Say what is written in the tool, ask, and write it. Raises Misconfigured, RetryLater."""
    async with _found(made, name, now) as found:
        plan = await registering.preview(found.parts, found.kind, found.stored, renew=renew)
        screen.print(Text(plan.says))
        if plan.warning:
            screen.print(Text(plan.warning, style="yellow"))
        if plan.does == "keep":
            return
        if not ask(f"Write this in {found.kind.title}?"):
            screen.print("Nothing is written.")
            return
        done = await registering.register(found.parts, found.kind, found.stored, Who(typist()), renew=renew)
    screen.print(f"Done: “{done.manner.name}” stands in {done.manner.where}, and its secret here.", markup=False)


async def unregister(
    made: "Installation", name: str, now: Callable[[], datetime], screen: Console, ask: Ask
) -> None:  # fmt: skip
    """Say what is removed in the tool, ask, and remove it. Raises Misconfigured, RetryLater."""
    async with _found(made, name, now) as found:
        who = Who(typist())
        there = await unregistering.unregister(found.parts, found.kind, found.stored, who, only_look=True)
        screen.print(Text(there.says))
        if there.number and not ask(f"Remove it in {found.kind.title}?"):
            screen.print("Nothing is removed.")
            return
        gone = await unregistering.unregister(found.parts, found.kind, found.stored, who)
        if there.number:
            screen.print(Text(gone.says))
