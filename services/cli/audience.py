"""`throughline connections audience`: who may read what a connection brought."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.store import audiences
from pipelines.store.engine import reading, writing
from schemas.access import EVERYBODY, Audience
from services.admin.audience import set_audience
from services.cli.stored import stored_one
from services.cli.terminal import WrongUse
from services.cli.typist import typist

if TYPE_CHECKING:
    from services.cli.installation import Installation


def wish(people: Sequence[str], groups: Sequence[str], *, participants: bool, everybody: bool) -> Audience | None:
    """What was asked for; None: only to see it. Raises WrongUse for two things at once."""
    if (bool(people or groups)) + participants + everybody > 1:
        raise WrongUse("Choose one: people and groups by name, --participants, or --everybody")
    if people or groups:
        return Audience("named", frozenset(one.strip().lower() for one in people), frozenset(groups))
    if participants:
        return Audience("participants")
    return EVERYBODY if everybody else None


async def audience(
    made: "Installation", name: str, wanted: Audience | None, now: datetime, screen: Console
) -> None:  # fmt: skip
    """Show it, or let another one hold. Raises NotFound where there is no such connection."""
    async with stored_one(made, name) as (engine, one):
        if wanted is not None:
            async with writing(engine) as connection:
                await set_audience(connection, name, wanted, typist(), now, None)
        async with reading(engine) as connection:
            held = await audiences.of(connection, name)
    screen.print(f"What {one.title} brought may be read by {in_words(held)}.", highlight=False, markup=False)


def in_words(audience: Audience) -> str:
    """Who that is."""
    if audience.kind == "everybody":
        return "everybody who is signed in"
    if audience.kind == "participants":
        return "the people of the request that it is in"
    named = [*sorted(audience.people), *(f"the group {one}" for one in sorted(audience.groups))]
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
