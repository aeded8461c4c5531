"""What very many artifacts carry, whether it joins them, and what a person says of it."""

from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import Rules
from pipelines.references import parse
from pipelines.store import configuration, values
from pipelines.store.configuration import Installation
from pipelines.store.values import Common
from schemas.artifacts import Evidence, Reference
from schemas.errors import Misconfigured
from services.admin.words import counted

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
    rules = (await configuration.load(connection)).rules
    common = await values.common(connection, rules.generic, MOST)
    known = {one.value for one in common}
    chosen = [Common(value, 0) for value in sorted((rules.called_generic | rules.called_specific) - known)]
    every = [*common, *await values.counted(connection, chosen)]
    return [Told(one, _state(one, rules)) for one in every]


def _state(one: Common, rules: Rules) -> str:
    if one.value in rules.called_generic:
        return "generic by choice"
    if one.value in rules.called_specific:
        return "specific by choice"
    return "joins" if one.holds and one.named_by <= rules.generic else "generic"


@dataclass(frozen=True, slots=True)
class Meant:
    """A value that a person speaks of."""

    value: str
    carried: int
    """Artifacts that carry it."""
    names: frozenset[str]
    """It, and what else an artifact known by it is known as."""

    def called(self, before: Installation, meaning: str) -> Installation:
        """The choice with this value called `generic`, `specific`, or neither."""
        generic, specific = before.called_generic - self.names, before.called_specific - self.names
        if meaning == "generic":
            generic |= self.names
        if meaning == "specific":
            specific |= {self.value}
        return replace(before, called_generic=generic, called_specific=specific)


async def meant(connection: AsyncConnection, reference: str) -> Meant:
    """The value that a person means: one that some artifact carries. Raises Misconfigured where none does."""
    named = [Reference(kind, "", value, Evidence.IDENTITY).key for kind, value in parse(reference)]
    named.append(reference)
    carried = await values.carried(connection, named)
    for value in named:
        if value in carried:
            return Meant(value, carried[value], frozenset(await values.names_of(connection, value)))
    raise Misconfigured(
        "No artifact carries this value", "Give it as `throughline values list` shows it: a key, an address, an id",
        "value",
    )  # fmt: skip
