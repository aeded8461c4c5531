"""Order does not matter: through the database, any order, batching, repetition and number of workers is one outcome."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.recompute import Recompute
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from pipelines.store.metadata import metadata
from schemas.errors import RetryLater
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, outcome

NUMBERS = st.integers(1, 9)
WRITERS = ("anna", "ben", "cara", "dora")
OLD = st.integers(8, 12)
"""Numbers of keys that memos had before they were moved; some of them are borne by another memo again."""


@st.composite
def histories(draw: st.DrawFn) -> list[SourceEvent]:
    """A small company: memos that point at each other, are moved, deleted and restored, take back what they said and
    the notes under them, and are told in versions. Writers share addresses, change them, and have names or none."""
    events = []
    for number in range(1, draw(st.integers(2, 9)) + 1):
        for version in range(1, draw(st.integers(1, 3)) + 1):
            named = draw(st.lists(NUMBERS | OLD, max_size=2))
            notes = draw(st.dictionaries(st.sampled_from(["1", "2"]), NUMBERS | OLD, max_size=2))
            events.append(
                memo(
                    number,
                    version=version,
                    text=" and ".join(f"MEMO-{other}" for other in named),
                    parent=draw(st.none() | NUMBERS),
                    status=draw(st.sampled_from(["open", "done"])),
                    by=draw(st.sampled_from(WRITERS)),
                    address=draw(st.sampled_from([None, "a@x.example", "b@x.example"])),
                    name=draw(st.sampled_from([None, "Anna", "Ben"])),
                    opens=draw(st.booleans()),
                    old=draw(st.none() | OLD),
                    notes={note: f"MEMO-{other}" for note, other in notes.items()},
                    deleted=draw(st.sampled_from([False, False, True])),
                )
            )
    return events


async def empty(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        for table in metadata.tables.values():
            if table is not tables.rules and table.name != "audit":  # which only grows, and is no part of this
                await connection.execute(text(f'DELETE FROM "{table.name}"'))


async def tell(engine: AsyncEngine, events: Sequence[SourceEvent], sizes: random.Random, workers: int) -> None:
    """Hand events to workers in batches of random sizes; one artifact's events stay with one worker, as on Kafka."""
    lanes: list[list[SourceEvent]] = [[] for _ in range(workers)]
    for event in events:
        lanes[int(event.native_id) % workers].append(event)
    await asyncio.gather(*(_work(engine, lane, sizes, number) for number, lane in enumerate(lanes)))
    await Recompute(engine, lambda: NOW, "here").late()


async def _work(engine: AsyncEngine, lane: list[SourceEvent], sizes: random.Random, partition: int) -> None:
    ingest = ingest_of(engine, full=sizes.choice([3, 5, 1000]))
    place = 0
    while place < len(lane):
        batch = lane[place : place + sizes.randint(1, 6)]
        while True:
            try:
                await ingest(records(batch, first=place, partition=partition))
                break
            except RetryLater:  # a deadlock between workers: Kafka gives the batch again
                await asyncio.sleep(sizes.random() * 0.02)
        place += len(batch)


@pytest.fixture
def engine_of(database_url: str) -> Any:
    async def make() -> AsyncEngine:
        engine = open_engine(database_url)
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await write(connection, "memos", ConnectionConfiguration("jira", frozenset({"MEMO"})))
        return engine

    return make


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=histories(), seed=st.integers(0, 2**16), workers=st.sampled_from([1, 2, 3]))
async def test_any_order_gives_equal_records(
    engine_of: Any, events: list[SourceEvent], seed: int, workers: int
) -> None:
    engine = await engine_of()
    try:
        await empty(engine)
        await tell(engine, events, random.Random(0), 1)
        expected = await outcome(engine)
        assert expected["members"]
        await empty(engine)
        chance = random.Random(seed)
        shuffled = [*events, *chance.sample(events, len(events) // 3)]
        chance.shuffle(shuffled)
        await tell(engine, shuffled, chance, workers)
        assert await outcome(engine) == expected
    finally:
        await engine.dispose()
