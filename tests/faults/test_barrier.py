"""Two workers, one storing a mention while the other stores the thing mentioned: they are always joined."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from pipelines.store.metadata import metadata
from schemas.artifacts import request_id
from schemas.errors import RetryLater
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import ingest_of

ROUNDS, PAIRS = 1000, 1
"""Each pair is a component of its own."""


async def worker(engine: AsyncEngine, batch: Sequence[SourceEvent], partition: int, place: int, late: float) -> int:
    """Store a batch as Kafka makes one do: again and again until it is stored. Gives how often it was refused."""
    await asyncio.sleep(late)
    ingest, refused = ingest_of(engine), 0
    while True:
        try:
            await ingest(records(list(batch), first=place, partition=partition))
        except RetryLater:
            refused += 1
            await asyncio.sleep(0.01 * refused)
        else:
            return refused


@pytest.mark.timeout(400)
@pytest.mark.postgres
async def test_a_mention_and_what_it_names_are_joined_whoever_comes_first(postgres_url: str) -> None:
    one, other = open_engine(postgres_url), open_engine(postgres_url)
    async with one.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with writing(one) as connection:
        await write(connection, "memos", ConnectionConfiguration("jira", frozenset({"MEMO"})))
    chance = random.Random(4)
    refused = 0
    try:
        for turn in range(ROUNDS):
            pairs = range(turn * PAIRS * 2 + 1, (turn + 1) * PAIRS * 2 + 1, 2)
            told = [(memo(first), memo(first + 1, text=f"about MEMO-{first}")) for first in pairs]
            # Either may hold the mentions; what a worker stores comes in any order.
            sides = [list(side) for side in zip(*(chance.sample(pair, 2) for pair in told), strict=True)]
            for side in sides:
                chance.shuffle(side)
            refused += sum(
                await asyncio.gather(
                    worker(one, sides[0], 0, turn * PAIRS, chance.choice((0, 0, 0.001, 0.004))),
                    worker(other, sides[1], 1, turn * PAIRS, chance.choice((0, 0, 0.001, 0.004))),
                )
            )
        async with one.connect() as connection:
            rows = (await connection.execute(select(tables.members.c.artifact, tables.members.c.request))).all()
    finally:
        await one.dispose()
        await other.dispose()
    joined = {row.artifact.rpartition("/")[2]: row.request for row in rows}
    assert len(joined) == ROUNDS * PAIRS * 2
    apart = [first for first in range(1, len(joined), 2) if joined[str(first)] != joined[str(first + 1)]]
    assert apart == []
    assert all(joined[str(first)] == request_id(f"memos/memo/{first}") for first in range(1, len(joined), 2))
    assert refused < ROUNDS  # they wait for each other; they do not live on retries
