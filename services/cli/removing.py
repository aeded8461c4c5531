"""`throughline connections remove`: what it means is said first; with what it brought, or without."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.store.engine import reading, writing
from pipelines.store.leases import LeaseLost
from schemas.errors import RetryLater
from services.admin import removal, unregistering
from services.admin.conditions import Acting
from services.admin.equipment import Equipment
from services.admin.removal import Loss, Removal, Removing
from services.admin.removing import forgotten
from services.admin.saving import Who
from services.cli.dead_letters import Ask
from services.cli.equipping import equipment
from services.cli.stored import stored_one
from services.cli.terminal import errors
from services.cli.typist import typist
from services.cli.words import counted, listed
from services.feed.connections import StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation

_SAY_EVERY = 5.0
LATER = "Something else computes everything anew: the running hub ends this as soon as that is done."


async def remove(
    made: "Installation", name: str, now: Callable[[], datetime], screen: Console, ask: Ask, *, unregister: bool = False
) -> None:
    """Forget the connection; what it brought stays. unregister: the webhook that the hub entered in the tool goes."""
    async with stored_one(made, name) as (engine, one):
        screen.print(
            f"Removing {one.title} ({name}) forgets its credentials, and how far it was read. "
            "What it brought stays in the requests, and is never brought up to date again, "
            "unless you add it again under this name.",
            markup=False,
        )
        acting = Acting(equipment(made, engine, now=now), typist(), None)
        if stays := await left(made, acting.parts, one, unregister=unregister):
            screen.print(stays, markup=False)
        if not ask(f"Remove {name}?"):
            screen.print("Nothing is removed.")
            return
        if unregister:
            await unregistered(made, acting.parts, one, screen)
        async with writing(engine) as connection:
            await forgotten(acting, connection, name, None)
    screen.print(f"{name} is removed.")


async def remove_all(
    made: "Installation", name: str, now: Callable[[], datetime], screen: Console, ask: Ask, *, unregister: bool = False
) -> None:
    """Forget the connection with all that it brought. What is begun is ended by the running hub, if not here."""
    async with stored_one(made, name) as (engine, one):
        async with reading(engine) as connection:
            loss = await removal.loss(connection, name)
        acting = Acting(equipment(made, engine, now=now), typist(), None)
        screen.print(f"Removing {one.title} ({name}) with what it brought. {said(loss)}", markup=False)
        if stays := await left(made, acting.parts, one, unregister=unregister):
            screen.print(stays, markup=False)
        if not ask(f"Remove {name} with all this?"):
            screen.print("Nothing is removed.")
            return
        if unregister:
            await unregistered(made, acting.parts, one, screen)
        ended = await with_what_it_brought(made, engine, name, loss, now)
    screen.print(f"{name} and what it brought are removed." if ended else LATER)


async def with_what_it_brought(
    made: "Installation", engine: AsyncEngine, name: str, loss: Loss, now: Callable[[], datetime]
) -> bool:
    """Remove it with all that it brought. False: it is begun, and the running hub ends it."""
    acting = Acting(equipment(made, engine, now=now), typist(), None)
    async with writing(engine) as connection:
        await forgotten(acting, connection, name, loss.told())
    mappings = {each: kind.map for each, kind in made.catalogue.items()}
    telling = Ingest(engine, mappings, now, "removal").telling
    work = Removal(engine, telling, now, made.holder, progress=_told(time.monotonic))
    try:
        await work.until_finished(name)
    except (LeaseLost, RetryLater):
        return False
    return True


async def left(made: "Installation", parts: Equipment, one: StoredConnection, *, unregister: bool) -> str:
    """What becomes of the webhook that the hub entered in the tool; "" where it entered none."""
    stays = await unregistering.left(parts, made.catalogue.get(one.connector), one)
    if stays and unregister:
        return f"The webhook that the hub entered in {one.title} is removed there, too."
    return f"{stays} Or say --unregister." if stays else ""


async def unregistered(made: "Installation", parts: Equipment, one: StoredConnection, screen: Console) -> None:
    """Remove that webhook, and say what could not be."""
    kind = made.catalogue.get(one.connector)
    if stays := await unregistering.removed_or_left(parts, kind, one, Who(typist())):
        screen.print(stays, markup=False)


def said(loss: Loss) -> str:
    """What goes, in words."""
    if not loss.events:
        return "It brought nothing yet."
    things = listed([counted(number, kind) for kind, number in sorted(loss.things.items())], 8) or "no thing of its own"
    shorter = loss.requests - loss.end
    parts = [
        f"{counted(loss.end, 'request')} {'ends' if loss.end == 1 else 'end'}, holding nothing else",
        f"{counted(shorter, 'request')} {'goes' if shorter == 1 else 'go'} on without"
        + (f", {loss.other_id:,} of them under another id" if loss.other_id else ""),
    ]
    return f"It brought {things}. {'; '.join(parts)}. What people decided stays. This cannot be undone."


def _told(clock: Callable[[], float]) -> Callable[[Removing], None]:
    """A line now and then."""
    last = clock()

    def tell(one: Removing) -> None:
        nonlocal last
        if clock() - last >= _SAY_EVERY:
            last = clock()
            step = "are removed" if one.step == removal.EVENTS else "are computed anew"
            errors.print(f"{one.done:,} of about {one.total:,} source events {step}", markup=False)

    return tell
