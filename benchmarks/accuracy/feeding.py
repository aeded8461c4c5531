"""A company through the real mapping, ingest and correlation, into a fresh database; and what came out."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from benchmarks.accuracy.told import CRM, HUBSPOT, MAIL, MAILBOX, jira_options
from benchmarks.accuracy.truth import Truth
from benchmarks.accuracy.world import LATE, SITES
from connectors.catalogue import catalogue
from pipelines.recompute import Recompute
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from pipelines.store.pending import ask_everything
from schemas.events import SourceEvent, to_kafka
from services.feed.rules import configuration_of

Suggestion = tuple[str, str, float]
"""Two artifact identities that may belong together, with the probability that they do."""
Suggest = Callable[[AsyncEngine], Awaitable[Sequence[Suggestion]]]
"""What reads the waiting suggestions from a database."""


async def no_suggestions(engine: AsyncEngine) -> Sequence[Suggestion]:
    """For a hub that makes none."""
    return ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the hub made of a company."""

    request_of: Mapping[str, str | None]
    """Artifact to the request it is in; None: in no request."""
    suggestions: tuple[Suggestion, ...]
    events: int
    seconds: float
    unread: int
    """Source events that became dead letters."""
    missing: tuple[str, ...] = field(default=())

    def partition(self, truth: Truth) -> list[int]:
        """Thing to the group it was put in; what is in no request is a group of its own."""
        numbers: dict[str, int] = defaultdict(lambda: len(numbers))
        found = []
        for thing, artifact in enumerate(truth.artifact):
            request = self.request_of.get(artifact)
            found.append(-1 - thing if request is None else numbers[request])
        return found


async def feed(database: Path, events: Sequence[SourceEvent], suggest: Suggest = no_suggestions) -> Outcome:
    """Take everything in. The site that is connected late is configured and read after all others."""
    engine = open_engine(f"sqlite+aiosqlite:///{database}")
    try:
        began = time.monotonic()
        rules = _rules()
        late = {LATE.connection: rules.pop(LATE.connection)}
        await replay.prepare(engine, rules)
        first = [event for event in events if event.connection not in late]
        await _take(engine, first)
        async with writing(engine) as connection:
            for name, configuration in late.items():
                await write(connection, name, configuration)
            await ask_everything(connection, "a connection was added", replay.now())
        await _take(engine, [event for event in events if event.connection in late], len(first))
        seconds = time.monotonic() - began
        return await _outcome(engine, events, seconds, tuple(await suggest(engine)))
    finally:
        await engine.dispose()


async def _take(engine: AsyncEngine, events: Sequence[SourceEvent], offset: int = 0) -> None:
    """As a worker that has fallen behind takes them in, from an offset on; and compute what is left."""
    handler, late = replay.ingest(engine), Recompute(engine, replay.now, "accuracy")
    records = replay.records([(event.connector, *to_kafka(event)) for event in events], offset)
    for start in range(0, len(records), replay.BATCH):
        await handler(records[start : start + replay.BATCH])
    await late.late()
    await late.large()
    while await late.once():
        pass


def _rules() -> dict[str, ConnectionConfiguration]:
    """The connections' configuration, as their options give it."""
    known = catalogue()
    rules = {site.connection: configuration_of(known["jira"], jira_options(site)) for site in SITES}
    return rules | {
        CRM: configuration_of(known["hubspot"], HUBSPOT),
        MAILBOX: configuration_of(known["mailbox"], MAIL),
    }


async def _outcome(
    engine: AsyncEngine, events: Sequence[SourceEvent], seconds: float, suggestions: tuple[Suggestion, ...]
) -> Outcome:
    async with engine.connect() as connection:
        members = {row[0]: row[1] for row in await connection.execute(text("SELECT artifact, request FROM members"))}
        unread = (await connection.execute(text("SELECT count(*) FROM dead_letters"))).scalar_one()
    missing = tuple(sorted({event.artifact for event in events} - members.keys()))
    return Outcome(members, suggestions, len(events), seconds, unread, missing)
