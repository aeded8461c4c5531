"""A connection that is to be: tried, looked through, and kept from reading what another one reads. Stores nothing."""

from collections.abc import AsyncIterator, Iterable, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from connectors.contract import Connector, HubError, NamesFields, Remarks, Scoped, Source, Step
from pipelines.store.configuration import Configuration, ConnectionConfiguration
from services.admin import previewing, sameness, sampling, trial
from services.admin.equipment import Equipment
from services.admin.previewing import Verdict
from services.admin.sampling import Sample
from services.admin.trial import Opened
from services.feed import looking
from services.feed.connections import StoredConnection, with_others
from services.feed.rules import configuration_of, scopes_in


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be added, or how a connection is to be."""

    name: str
    title: str
    connector: Connector
    options: BaseModel
    since: datetime | None
    """Read from when; None: from the beginning."""
    stored: StoredConnection | None = None
    """The connection as it is; None: it is to be added."""

    def with_replaced(self, tool: Opened) -> "Wanted":
        """With the secrets that the tool gave, while it was tried, in place of new ones."""
        return replace(self, options=with_others(self.options, tool.replaced)) if tool.replaced else self


@dataclass(frozen=True, slots=True)
class Preview:
    """A few real things, and what would become of them."""

    found: Sample
    judged: list[Verdict]
    by: Configuration
    """Everything that is configured, with the connection as it would be."""
    remarks: Sequence[str] = ()
    """What in the options leads nowhere."""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        counts = {kind: sum(one.becomes == kind for one in self.judged)
                  for kind in ("opens", "joins", "outside", "programme")}  # fmt: skip
        return {
            "things": previewing.told(self.judged, self.by),
            "counts": counts,
            "unmapped": previewing.unknown_statuses(self.found.things, self.by),
            "unusable": self.found.unusable,
            "cut": self.found.cut,
            "remarks": list(self.remarks),
        }


async def refuse_another(
    parts: Equipment, wanted: Wanted, seen: Iterable[str] = (), *, anyway: bool = False, untried: bool = False
) -> None:
    """Raises sameness.Taken where another connection reads this tool. seen: scopes by which its tool names it; untried:
    it is not tried yet, so that more may be seen."""
    new = sameness.tool_of(wanted.name, wanted.connector, wanted.options, seen)
    if wanted.stored is not None and sameness.is_as(wanted.stored, new, wanted.connector, parts.keys):
        return
    async with parts.database.reading() as connection:
        others = await sameness.known(connection, parts.catalogue, parts.keys)
    sameness.refuse_another(new, others, anyway=anyway, untried=untried)


def opened(
    parts: Equipment, wanted: Wanted, *, seen: frozenset[str] = frozenset()
) -> AbstractAsyncContextManager[Opened]:
    """Its tool, to be tried. seen: the account's number, as far as it is known."""
    options = of_account(wanted.options, seen)
    return trial.opened_tool(parts, wanted.connector, wanted.name, options, stored=wanted.stored)


async def checked(parts: Equipment, wanted: Wanted) -> AsyncIterator[Step]:
    """Each step of the check; ends at the first that fails."""
    async with opened(parts, wanted) as tool:
        async for step in tool.steps():
            yield step


async def previewed(parts: Equipment, wanted: Wanted, seconds: float, outside: Set[str] = frozenset()) -> Preview:
    """The last things that changed in the tool, judged. outside: connections of which nothing stored may be told.
    Raises HubError as reading does."""
    async with opened(parts, wanted) as tool:
        found = await sampling.newest(tool.source, wanted.connector, wanted.since, parts.now(), seconds)
        lines = await remarks(tool.source)
    return replace(await judged(parts, wanted, found, sampling.NEWEST, outside), remarks=lines)


async def remarks(source: Source) -> Sequence[str]:
    """What in the options leads nowhere, though the rest is read: in words, with the mend. Raises RetryLater,
    Misconfigured."""
    if isinstance(source, Remarks):
        return await source.remarks()
    return looking.missed(await source.fields()) if isinstance(source, NamesFields) else ()


async def judged(
    parts: Equipment, wanted: Wanted, found: Sample, most: int, outside: Set[str] = frozenset()
) -> Preview:  # fmt: skip
    """What would become of these things."""
    own = adds(wanted, seen_in(found))
    async with parts.database.reading() as connection:
        by = await previewing.configured_with(connection, wanted.name, own)
    matches = await previewing.stored_matches(parts.database, found, outside)
    return Preview(found, previewing.verdicts(found, by.rules, matches, most), by)


def adds(wanted: Wanted, seen: Iterable[str]) -> ConnectionConfiguration:
    """What the connection would add to the rules."""
    return configuration_of(wanted.connector, wanted.options, seen)


def seen_in(found: Sample) -> frozenset[str]:
    """The scopes by which the tool's own addresses name it."""
    return scopes_in(one.fields.get("url") for one in found.things)


async def seen_by(tool: Opened, found: Sample | None = None) -> frozenset[str]:
    """The scopes by which the tool names itself, and its things' addresses do. Raises RetryLater, Misconfigured."""
    own = await tool.source.scopes() if isinstance(tool.source, Scoped) else frozenset[str]()
    return own | seen_in(found) if found else own


async def estimated(parts: Equipment, wanted: Wanted) -> int | None:
    """About how many things would be read from `since` on, where the tool can say; None: it cannot."""
    async with opened(parts, wanted) as tool:
        count = getattr(tool.source, "count", None)
        if count is None:
            return None
        try:
            number: int | None = await count(wanted.since)
        except HubError:
            return None
    return number


def of_account(options: BaseModel, seen: frozenset[str]) -> BaseModel:
    """With the account's number where it is known, so that the check refuses a token of another account."""
    numbers = [one.partition(":")[2] for one in seen]
    if len(numbers) != 1 or not numbers[0].isdecimal() or "portal" not in type(options).model_fields:
        return options
    return options.model_copy(update={"portal": int(numbers[0])})
