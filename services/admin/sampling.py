"""A few real things out of a tool, mapped as they would be if they were stored."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.contract import Connector, Page, Source
from pipelines.ingest import references_of
from schemas.artifacts import EVIDENCE_ORDER, Evidence, Mapped, Reference
from schemas.errors import BadRecord, HubError, RetryLater
from schemas.links import Node

THINGS = 10
NEWEST = 20
PAGES = 10
SECONDS = 60.0
_PAUSE = 2.0
_FEW = 200
_FIRST_LOOK = timedelta(days=2)
_EVER = timedelta(days=365 * 20)
_WIDER = 6
"""Each look for the newest things goes so many times further back than the one before."""


@dataclass(slots=True)
class Thing:
    """An artifact as a few pages tell it."""

    artifact: str
    connection: str
    connector: str
    kind: str
    fields: dict[str, Any]
    parts: dict[str, tuple[Reference, ...]]

    @property
    def references(self) -> tuple[Reference, ...]:
        """All of its parts."""
        return tuple(one for part in self.parts.values() for one in part)

    @property
    def names(self) -> list[str]:
        """The values by which it names others, strongest first, as people write them."""
        others = [one for one in self.references if one.evidence not in (Evidence.IDENTITY, Evidence.WITHDRAWN)]
        # Where a tool names a thing by its key too, its number tells a person nothing.
        keyed = {one.relation for one in others if one.kind.endswith(".key")}
        others = [one for one in others if one.relation not in keyed or not one.kind.endswith(".issue")]
        ordered = sorted(others, key=lambda one: EVIDENCE_ORDER[one.evidence])
        return list(dict.fromkeys(f"{one.value} ({one.relation}, {one.evidence.value})" for one in ordered))

    @property
    def called(self) -> str:
        """Its kind with its key, or with its title where it has none that people use."""
        key = self.fields.get("natural_key") or ""
        return f"{self.kind} {key}" if key and len(key) <= 30 else f"the {self.kind} “{self.fields.get('title') or ''}”"

    def node(self) -> Node:
        """As correlation sees it."""
        told = self.fields
        return Node(
            artifact=self.artifact, connection=self.connection, connector=self.connector, kind=self.kind,
            type=told.get("type"), type_level=told.get("type_level"), opens=told.get("opens"),
            created_at=told.get("created_at"), natural_key=told.get("natural_key"), title=told.get("title"),
            deleted=bool(told.get("deleted")), merged_into=told.get("merged_into"),
            updated_at=told.get("updated_at"), references=self.references,
        )  # fmt: skip


@dataclass(slots=True)
class Sample:
    """What a few pages hold."""

    things: list[Thing] = field(default_factory=list)
    unusable: int = 0
    """Records that could not be understood."""
    cut: bool = False
    """The tool was too slow to show more."""


async def sample(source: Source, connector: Connector, since: datetime | None, seconds: float = SECONDS) -> Sample:
    """The things of the first pages; where the tool says to wait, it waits. Raises Misconfigured as reading does."""
    found = Sample()
    try:
        async with asyncio.timeout(seconds):
            await _read(source, connector, since, found, THINGS, PAGES)
    except TimeoutError:
        found.cut = True
    return found


async def newest(
    source: Source, connector: Connector, since: datetime | None, now: datetime, seconds: float = SECONDS
) -> Sample:
    """The last things that changed, the newest first, at most NEWEST. Raises Misconfigured as reading does.

    A tool tells its oldest news first: it is asked for short whiles that end now, each longer than the one before.
    """
    best = Sample()
    try:
        async with asyncio.timeout(seconds):
            back = _EVER if await _few(source, since) else _FIRST_LOOK
            while True:
                found = Sample()
                begin = now - back if back < _EVER else None
                last = begin is None or (since is not None and begin <= since)
                try:
                    await _read(source, connector, since if last else begin, found, most=None, pages=PAGES * 2)
                finally:
                    best = max(found, best, key=lambda one: len(one.things))
                if last or len(found.things) >= NEWEST:
                    break
                back = min(back * _WIDER, _EVER)
    except TimeoutError:
        best.cut = True
    best.things = sorted(best.things, key=_changed, reverse=True)[:NEWEST]
    return best


async def _few(source: Source, since: datetime | None) -> bool:
    """Whether there is so little that all of it can be read."""
    count = getattr(source, "count", None)
    try:
        number = await count(since) if count is not None else None
    except HubError:
        return False
    return number is not None and number <= _FEW


def _changed(thing: Thing) -> str:
    return str(thing.fields.get("updated_at") or thing.fields.get("created_at") or "")


async def _read(
    source: Source, connector: Connector, since: datetime | None, found: Sample, most: int | None, pages: int
) -> None:
    things: dict[str, Thing] = {}
    async with aclosing(_patiently(source, since)) as told:
        seen = 0
        async for page in told:
            seen += 1
            _look(page, connector, things, found)
            found.things = list(things.values())
            if (most is not None and len(things) >= most) or seen >= pages:
                return


async def _patiently(source: Source, since: datetime | None) -> AsyncGenerator[Page, None]:
    """The pages of a first read; where the tool says to wait, it goes on after the last page."""
    cursor: dict[str, Any] | None = None
    while True:
        try:
            async for page in source.pages(cursor, since):
                cursor = page.cursor
                yield page
            return
        except RetryLater as error:
            await asyncio.sleep(error.after or _PAUSE)


def _look(page: Page, connector: Connector, things: dict[str, Thing], found: Sample) -> None:
    found.unusable += len(page.set_aside)
    for event in sorted(page.events, key=lambda one: (one.order, one.rank)):
        try:
            _merge(things, connector.map(event))
        except BadRecord:
            found.unusable += 1


def _merge(things: dict[str, Thing], mapped: Mapped) -> None:
    new = Thing(mapped.artifact, mapped.connection, mapped.connector, mapped.kind, {}, {})
    thing = things.setdefault(mapped.artifact, new)
    thing.kind = mapped.kind
    thing.fields |= mapped.fields
    thing.parts |= {name: references_of(part) for name, part in mapped.parts.items()}
