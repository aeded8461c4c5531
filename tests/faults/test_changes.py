"""Readers of the change feed while the hub is killed between commit and publish: every number once, in order."""

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from pipelines.store import tables
from pipelines.store.engine import reading
from services.sandbox.jira import FakeJira
from tests.conftest import Bus, Pair
from tests.faults.world import World, end, fill, on_topic, world
from tests.parts.presence import free_port

POINTS = ("changes numbered, not sent", "changes sent, not marked")


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, 40)
        yield fake
    assert fake.writes == []


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings = {"API_PORT": str(free_port())}
        yield made


@dataclass
class Reader:
    """Follows the feed over every end of the hub; `seen` is what it was told, in the order of telling."""

    http: httpx2.AsyncClient
    seen: list[dict[str, Any]] = field(default_factory=list)
    cuts: int = 0
    """How often the hub was gone."""

    @property
    def last(self) -> int:
        return int(self.seen[-1]["number"]) if self.seen else 0

    async def page(self) -> None:
        """Ask for pages for ever."""
        while True:
            try:
                answer = await self.http.get("/v1/changes", params={"since": self.last, "limit": 7})
                items = answer.json()["items"] if answer.is_success else []
            except httpx2.HTTPError:
                self.cuts += 1
                items = []
            self.seen += items
            await asyncio.sleep(0 if items else 0.05)

    async def stream(self) -> None:
        """Listen for ever, going on with Last-Event-ID as a browser does."""
        while True:
            headers = {"Last-Event-ID": str(self.last)}
            try:
                async with self.http.stream("GET", "/v1/changes/stream", headers=headers) as answer:
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            self.seen.append(json.loads(line.removeprefix("data:")))
            except httpx2.HTTPError:
                self.cuts += 1
            await asyncio.sleep(0.05)


@asynccontextmanager
async def following(hub: World) -> AsyncIterator[tuple[Reader, Reader]]:
    """Two readers at work, one of pages, one of the stream."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.settings['API_PORT']}", timeout=20) as http:
        paging, streaming = Reader(http), Reader(http)
        tasks = [asyncio.create_task(paging.page()), asyncio.create_task(streaming.stream())]
        try:
            yield paging, streaming
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


async def test_readers_miss_no_number_and_get_none_twice(jira: FakeJira, hub: World, pair: Pair) -> None:
    async with following(hub) as (paging, streaming):
        for turn, point in enumerate(itertools.islice(itertools.cycle(POINTS), 4)):
            work_goes_on(jira, turn)
            process = hub.start(point)
            assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, hub.log()
        process = hub.start()
        try:
            await hub.settled(process=process)
            numbers = await hub.numbers()
            async with asyncio.timeout(60):
                while min(paging.last, streaming.last) < numbers[-1]:
                    await asyncio.sleep(0.05)
        finally:
            assert end(process) == 0, hub.log()
    assert numbers == list(range(1, len(numbers) + 1))
    assert await hub.numbers() == numbers
    stored = await etags(hub)
    for reader in (paging, streaming):
        assert reader.cuts > 0
        assert [one["number"] for one in reader.seen] == numbers
        newest = {one["request"]: one for one in reader.seen}
        assert {name: one["etag"] for name, one in newest.items() if name in stored} == stored
        assert {one["merged_into"] for name, one in newest.items() if name not in stored} <= {None, *stored}
    if pair.bus.kind == "kafka":
        await expect_on_topic(pair.bus, numbers, await hub.records())


def work_goes_on(jira: FakeJira, turn: int) -> None:
    """Some issues are spoken of two minutes ago: the connection reads that again, because the index lags."""
    with jira.lock:
        issues = list(jira.state.issues.values())
        for place, issue in enumerate(issues[turn::7]):
            at = datetime.now(UTC) - timedelta(seconds=120 - place)
            jira.hands.comment(issue, f"Still {turn}", at=at, by=issue.creator)


async def etags(hub: World) -> dict[str, str]:
    async with reading(hub.engine) as connection:
        rows = await connection.execute(select(tables.requests.c.id, tables.requests.c.etag))
        return {row.id: row.etag for row in rows}


async def expect_on_topic(bus: Bus, numbers: list[int], records: dict[str, str]) -> None:
    """Who reads the topic may be told a change twice; none is missing, and the last of each request is the record."""
    told = await on_topic(bus, "lifecycles")
    places = [int(dict(record.headers)["ce_sequence"]) for record in told]
    assert list(dict.fromkeys(sorted(places))) == numbers
    for partition in {record.partition for record in told}:
        mine = [place for place, record in zip(places, told, strict=True) if record.partition == partition]
        assert list(dict.fromkeys(mine)) == sorted(set(mine))  # first tellings in order
    last = {record.key.decode(): record.value.decode() for record in told}
    assert {name: last[name] for name in records} == records
