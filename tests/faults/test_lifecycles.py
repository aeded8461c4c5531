"""Readers of `lifecycles` after a restored database, or a topic that was lost: they end with what is true, as they are
told to read it (the highest number that was handled is kept)."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.broker import LIFECYCLES
from services.sandbox.jira import FakeJira
from tests.conftest import Pair
from tests.faults.test_changes import work_goes_on
from tests.faults.test_outages import ON_KAFKA, _dump, _restore
from tests.faults.world import World, end, fill, on_topic, world
from tests.parts.postgres import Postgres
from tests.parts.presence import free_port

pytestmark = [pytest.mark.timeout(240), ON_KAFKA]


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, 20)
        yield fake
    assert fake.writes == []


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings = {"API_PORT": str(free_port())}
        yield made


async def run(hub: World, *, merging: tuple[str, str] | None = None, again: bool = False) -> None:
    """Until all is read and published. merging: somebody decides that these requests are one. again: more is told."""
    numbers = await hub.numbers()
    process = hub.start()
    try:
        await hub.settled(process=process)
        if merging:
            await merge(hub, *merging)
            await hub.settled(process=process)
        async with asyncio.timeout(30):
            while again and await hub.numbers() == numbers:
                await asyncio.sleep(0.1)
        await hub.settled(process=process)
    finally:
        assert await asyncio.to_thread(end, process) == 0, hub.log()


async def merge(hub: World, one: str, other: str) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.settings['API_PORT']}", timeout=20) as http:
        body = {"kind": "merge", "requests": [one, other], "by": "Anna Berg"}
        answer = await http.post("/v1/decisions", json=body, headers={"If-Match": "*"})
        assert answer.status_code == 201, answer.text


async def kept(hub: World, seen: int = 0) -> tuple[int, dict[str, str]]:
    """The highest number, and the last value of each request, of who reads on after the number `seen`."""
    values: dict[str, str] = {}
    for record in await on_topic(hub.bus, LIFECYCLES):
        number = int(dict(record.headers)["ce_sequence"])
        if number > seen:
            seen = number
            values[record.key.decode()] = record.value.decode()
    return seen, values


async def expect_told(hub: World, seen: int = 0, before: dict[str, str] | None = None) -> None:
    """Who has seen so far what is given, and reads on, ends with the records as they are."""
    _, values = await kept(hub, seen)
    records = await hub.records()
    assert {name: ((before or {}) | values).get(name) for name in records} == records


async def test_after_a_restored_database_readers_of_the_topic_miss_nothing(
    jira: FakeJira, hub: World, postgres: Postgres, tmp_path: Path
) -> None:
    await run(hub)
    backup = await asyncio.to_thread(_dump, hub, tmp_path / "backup.sql")
    one, other, *_ = sorted(await hub.records())
    work_goes_on(jira, 1)
    await run(hub, merging=(one, other))
    seen, values = await kept(hub)
    await asyncio.to_thread(_restore, hub, postgres, backup)
    work_goes_on(jira, 2)
    await run(hub, again=True)
    assert {one, other} <= (await hub.records()).keys(), "the decision was made after the backup"
    await expect_told(hub)
    await expect_told(hub, seen, values)
    assert min(number for number in await hub.numbers() if number > seen) == seen + 1 + 200  # perhaps shown, not sent


async def test_a_topic_that_was_lost_is_filled_again(jira: FakeJira, hub: World) -> None:
    await run(hub)
    one, other, *_ = sorted(await hub.records())
    await run(hub, merging=(one, other))
    await _lose_the_topic(hub)
    await run(hub, again=True)
    await expect_told(hub)
    (gone,) = {one, other} - (await hub.records()).keys()
    assert "merged_into" in (await kept(hub))[1][gone]
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))


async def _lose_the_topic(hub: World) -> None:
    """Until the broker has forgotten it."""
    admin, name = AIOKafkaAdminClient(bootstrap_servers=hub.bus.settings.bootstrap), hub.bus.settings.topic(LIFECYCLES)
    await admin.start()
    try:
        await admin.delete_topics([name])
        while name in await admin.list_topics():
            await asyncio.sleep(0.1)
    finally:
        await admin.close()
