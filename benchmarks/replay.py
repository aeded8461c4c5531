"""The pipeline without Kafka: batches of source events straight into `Ingest`, on any database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.story import Told
from connectors.catalogue import catalogue
from pipelines.ingest import Ingest
from pipelines.recompute import Recompute
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from services import migrations

BATCH = 500


@dataclass(slots=True)
class Record:
    """A Kafka record."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


async def prepare(engine: AsyncEngine, rules: Mapping[str, ConnectionConfiguration]) -> None:
    """Tables, and the connections' rules."""
    await migrations.upgrade(engine)
    async with writing(engine) as connection:
        for name, configuration in rules.items():
            await write(connection, name, configuration)


def ingest(engine: AsyncEngine, full: int = BATCH) -> Ingest:
    """The handler with all connectors' mappings; behind a batch of `full` records more is waiting."""
    return Ingest(engine, {name: one.map for name, one in catalogue().items()}, now, "replay", full=full)


async def replay(engine: AsyncEngine, told: Sequence[Told], size: int = BATCH) -> None:
    """Take everything in, as a worker that has fallen behind does, and understand what full batches left."""
    handler, late = ingest(engine, size), Recompute(engine, now, "replay")
    for batch in batches(told, size):
        await handler(batch)
    await late.late()


def records(told: Sequence[Told], start: int = 0) -> list[Record]:
    """As if they were one partition, from an offset on."""
    return [
        Record(f"source.{connector}", 0, start + place, value, list(headers))
        for place, (connector, _, value, headers) in enumerate(told)
    ]


def batches(told: Sequence[Told], size: int = BATCH) -> Iterator[list[Record]]:
    """Batches as the subscriber hands them on."""
    found = records(told)
    for start in range(0, len(found), size):
        yield found[start : start + size]
