"""`throughline values`: what very many artifacts carry, and whether it joins them."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.references import parse
from pipelines.store import configuration, values
from pipelines.store.configuration import ALL
from pipelines.store.configuration import Installation as Choices
from pipelines.store.engine import reading
from pipelines.store.values import Common
from schemas.artifacts import Evidence, Reference
from schemas.errors import Misconfigured
from services.cli.choosing import Chooser, choose
from services.cli.terminal import opened, write_line
from services.cli.words import counted

if TYPE_CHECKING:
    from services.cli.installation import Installation

MOST = 50
"""Values that are listed."""


@dataclass(frozen=True, slots=True)
class Told:
    """A value as it is shown."""

    common: Common
    state: str
    """`generic`, `generic by choice`, `specific by choice`, or `joins`."""

    @property
    def words(self) -> str:
        """One line: what it is, how common, and the question to ask."""
        return f"{written(self.common.value)} {asked(self.common)}"


def written(value: str) -> str:
    """A value as a person would type it."""
    return value.partition("|")[2] or value


def asked(one: Common) -> str:
    """How common it is, as a question for who knows what it stands for."""
    on = f"is on {counted(one.artifacts, 'artifact')}"
    if not one.holds:
        return on
    those = "that hang together by it" if one.holds == one.artifacts else f"and holds {one.holds:,} together"
    return f"{on} {those}: is it a catch-all or a shared mailbox?"


async def found(connection: AsyncConnection) -> list[Told]:
    """The values that join too much or would, and those that somebody spoke of."""
    snapshot = await configuration.load(connection)
    rules = snapshot.rules
    common = await values.common(connection, rules.generic, MOST)
    known = {one.value for one in common}
    chosen = [Common(value, 0) for value in sorted((rules.called_generic | rules.called_specific) - known)]
    every = [*common, *await values.counted(connection, chosen)]
    return [Told(one, _state(one, rules)) for one in every]


def _state(one: Common, rules: Any) -> str:
    if one.value in rules.called_generic:
        return "generic by choice"
    if one.value in rules.called_specific:
        return "specific by choice"
    return "joins" if one.holds and one.named_by <= rules.generic else "generic"


async def show(made: "Installation", screen: Console, *, for_programs: bool) -> None:
    """Print them, those of most artifacts first."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        listed = await found(connection)
    for one in listed:
        if for_programs:
            write_line(orjson.dumps(asdict(one.common) | {"state": one.state}).decode())
        else:
            screen.print(Text(one.words).append(f"\n    {one.state}", style="dim"))
    if not listed and not for_programs:
        screen.print("No value is on so many artifacts that it would be generic.")


async def call(made: "Installation", reference: str, meaning: str, chooser: Chooser) -> None:
    """Say that a value is `generic` (it joins nothing), `specific` (it joins all that name it), or `found` (as the
    data say). Tells first what would change."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            value = await _meant(connection, reference)
            before = await configuration.installation(connection)
            carried = (await values.carried(connection, [value]))[value]
            names = await values.names_of(connection, value)
        chooser.screen.print(Text(f"{written(value)} is on {counted(carried, 'artifact')}."))
        await choose(engine, ALL, before, _chosen(before, value, names, meaning), chooser)


async def _meant(connection: AsyncConnection, reference: str) -> str:
    """The value that a person means: one that some artifact carries."""
    meant = [Reference(kind, "", value, Evidence.IDENTITY).key for kind, value in parse(reference)]
    meant.append(reference)
    carried = await values.carried(connection, meant)
    for value in meant:
        if value in carried:
            return value
    raise Misconfigured(
        "No artifact carries this value", "Give it as `throughline values list` shows it: a key, an address, an id"
    )


def _chosen(before: Choices, value: str, names: set[str], meaning: str) -> Choices:
    generic, specific = before.called_generic - names, before.called_specific - names
    if meaning == "generic":
        generic |= names
    if meaning == "specific":
        specific |= {value}
    return replace(before, called_generic=generic, called_specific=specific)
