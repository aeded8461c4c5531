"""A generated company through the real connectors and mappings: any order, batching, repetition and number of workers
ends in equal records, through the database."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from typing import Self
from zlib import crc32

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from benchmarks.story import Story, Told, tell
from pipelines.recompute import Recompute
from pipelines.store.engine import open_engine
from schemas.errors import RetryLater
from tests.pipelines.test_ingest import outcome
from tests.pipelines.test_order import empty

REQUESTS, READINGS = 6, 30


@pytest.fixture(scope="module")
def story() -> Story:
    """The company read thirty times while it lived, so that most things are told more than once."""
    return asyncio.run(tell(REQUESTS, READINGS))


@pytest.fixture
async def engine(database_url: str, story: Story) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url)
    await replay.prepare(engine, story.rules)
    yield engine
    await engine.dispose()


async def work(engine: AsyncEngine, lane: list[Told], chance: random.Random, partition: int) -> None:
    """One worker: batches of random sizes, some of them full, given again after a RetryLater as Kafka does."""
    ingest = replay.ingest(engine, chance.choice([7, 23, 1000]))
    place = 0
    while place < len(lane):
        batch = replay.records(lane[place : place + chance.randint(1, 40)], place)
        for record in batch:
            record.partition = partition
        while True:
            try:
                await ingest(batch)
                break
            except RetryLater:
                await asyncio.sleep(chance.random() * 0.05)
        place += len(batch)


class Overlap:
    """Counts the transactions that were open at one time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine.sync_engine
        self._open = self.most = 0

    def __enter__(self) -> Self:
        self._heard = {"begin": self._begun, "commit": self._ended, "rollback": self._ended}
        for name, hear in self._heard.items():
            event.listen(self._engine, name, hear)
        return self

    def __exit__(self, *_: object) -> None:
        for name, hear in self._heard.items():
            event.remove(self._engine, name, hear)

    def _begun(self, _: object) -> None:
        self._open += 1
        self.most = max(self.most, self._open)

    def _ended(self, _: object) -> None:
        self._open -= 1


def lane_of(told: Told, workers: int) -> int:
    """One artifact's events stay with one worker, by key, as Kafka's partitions do."""
    return crc32(told[1]) % workers


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(int(os.environ.get("COMPANY_SEEDS", "3"))))
async def test_a_company_told_in_any_order_is_one_company(engine: AsyncEngine, story: Story, seed: int) -> None:
    await replay.replay(engine, story.told)
    expected = await outcome(engine)
    assert len(expected["requests"]) >= REQUESTS
    assert all(row[3] for row in expected["requests"])
    await empty(engine)
    chance = random.Random(seed)
    told = [*story.told, *chance.sample(story.told, len(story.told) // 5)]
    chance.shuffle(told)
    workers = 1 + seed % 3
    lanes = [[one for one in told if lane_of(one, workers) == lane] for lane in range(workers)]
    with Overlap(engine) as overlap:
        await asyncio.gather(*(work(engine, lane, chance, number) for number, lane in enumerate(lanes)))
    # SQLite writes one transaction after the other; on PostgreSQL the workers truly race.
    assert overlap.most >= workers if engine.dialect.name == "postgresql" else overlap.most
    await Recompute(engine, replay.now, "late").late()
    assert await outcome(engine) == expected


def test_the_story_tells_of_every_tool(story: Story) -> None:
    assert {connector for connector, *_ in story.told} == {"hubspot", "jira", "mailbox"}
    kinds = {json.loads(value)["kind"] for _, _, value, _ in story.told}
    assert {"issue", "changelog", "comment", "deal", "associations", "mail"} <= kinds
