"""One worker stores a mention while another stores what it mentions: whoever comes first, they end in one request."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.recompute import Recompute
from schemas.errors import RetryLater
from schemas.events import SourceEvent
from tests.pipelines.memos import Record, map_memo, memo, records
from tests.pipelines.test_company_order import Overlap
from tests.pipelines.test_ingest import NOW

ROUNDS = {"postgresql": 1_000, "sqlite": 60}
"""SQLite writes one transaction after the other: there is no race to lose."""


@pytest.mark.timeout(600)
async def test_two_workers_that_bring_two_ends_of_a_value_always_join_them(engine: AsyncEngine) -> None:
    rounds, barrier = ROUNDS[engine.dialect.name], asyncio.Barrier(2)

    async def work(partition: int, tell: Callable[[int], SourceEvent]) -> None:
        ingest = Ingest(engine, {"memo": map_memo}, lambda: NOW, "one", holder=f"worker {partition}")
        for number in range(rounds):
            await barrier.wait()
            await _until_stored(ingest, records([tell(number)], first=number + 1, partition=partition))

    with Overlap(engine) as overlap:
        await asyncio.gather(
            work(0, lambda number: memo(2 * number + 1)),
            work(1, lambda number: memo(2 * number + 2, text=f"MEMO-{2 * number + 1}")),
        )
    assert overlap.most > 1 or engine.dialect.name == "sqlite"
    await Recompute(engine, lambda: NOW, "late").late()
    async with engine.connect() as connection:
        counted = await connection.execute(text("SELECT count(*), count(DISTINCT request) FROM members"))
        assert tuple(counted.one()) == (2 * rounds, rounds)


async def _until_stored(ingest: Ingest, batch: list[Record]) -> None:
    for _ in range(20):
        try:
            await ingest(batch)
        except RetryLater:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("twenty attempts did not store the batch")
