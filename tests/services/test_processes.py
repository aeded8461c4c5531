"""Long-running processes: reading that has ended is begun anew, each says only what it runs, probes without the API."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import generate_latest

from pipelines.store import stamps
from pipelines.store.engine import writing
from services.broker import Batch, batch_subscriber, ensure_topics, publish_page
from services.cli.watching import Observer
from services.sandbox.jira import FakeJira
from services.telemetry import Metrics, Tracing
from tests.conftest import Bus, Pair
from tests.faults.world import World, end, fill, world
from tests.parts.presence import free_port
from tests.services.test_broker import TOPIC, connected, page, until


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, 5)
        yield fake


@pytest.fixture
async def installed(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings |= {"HEALTH_PORT": str(free_port()), "API_PORT": str(free_port())}
        yield made


async def test_reading_that_a_leaked_cancellation_ended_is_begun_anew(
    bootstrap: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    got: list[int] = []
    calls = 0

    async def take(batch: Batch) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()  # as a library's timeout does that never takes its cancellation back
            await asyncio.sleep(60)
        got.extend(int(record.value or b"") for record in batch)

    observer = Observer(Metrics(), Tracing(None, "ingest"))
    async with connected(
        bootstrap.settings, lambda broker: batch_subscriber(broker, bootstrap.settings, [TOPIC], "ingest", take)
    ) as (broker, (subscription,)):
        await publish_page(broker, page(bootstrap.settings, 20))
        await until(lambda: subscription.health(time.time()).reason == "group ingest: the reading task has ended")
        assert await broker.ping(20)
        watching = asyncio.create_task(subscription.watch(observer.revived, every=0.1))
        await until(lambda: len(set(got)) == 20)
        await until(lambda: subscription.health(time.time()).well)
        watching.cancel()
    assert "group ingest: the reading task has ended; it is begun anew" in caplog.text
    assert b"throughline_reading_revived_total 1.0" in generate_latest(observer.metrics.registry)


async def test_why_a_batch_is_repeated_is_said_once(bootstrap: Bus, caplog: pytest.LogCaptureFixture) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    calls = 0

    async def take(_: Batch) -> None:
        nonlocal calls
        calls += 1
        if calls <= 4:
            raise ValueError("a full disk")

    async with connected(
        bootstrap.settings,
        lambda broker: batch_subscriber(broker, bootstrap.settings, [TOPIC], "ingest", take, first_pause=0.01),
    ) as (broker, _):
        await publish_page(broker, page(bootstrap.settings, 1))
        await until(lambda: calls >= 5)
    said = [one.getMessage() for one in caplog.records if one.name.startswith("throughline")]
    said = [line for line in said if "ValueError" in line or "BatchFailed" in line]
    assert len(said) == 1
    assert said[0].startswith("group ingest: the batch will be repeated: ValueError at test_processes.py")


async def parts_when(url: str, seconds: float = 60) -> dict[str, Any]:
    """The parts of /readyz, once all are well."""
    deadline = time.monotonic() + seconds
    async with httpx2.AsyncClient(timeout=20) as client:
        while True:
            try:
                answer = await client.get(f"{url}/readyz")
            except httpx2.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                return {part["name"]: part["says"] for part in answer.json()["parts"]}
            assert time.monotonic() < deadline, answer and answer.text
            await asyncio.sleep(0.1)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.parametrize("pair", ["kafka+postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("role", "parts", "measured"),
    [
        ("feed", {"feed", "connections"}, "throughline_rate_limit_wait_seconds_total"),
        ("ingest", {"ingest", "mapping", "understanding"}, "throughline_kafka_lag_records"),
        ("publish", {"publish"}, "throughline_records_published_total"),
        ("query", set(), "throughline_dead_letters"),
    ],
)
async def test_a_process_tells_of_its_own_roles_only(
    installed: World, role: str, parts: set[str], measured: str
) -> None:
    process = installed.start(roles=[role])
    url = f"http://127.0.0.1:{installed.settings['API_PORT' if role == 'query' else 'HEALTH_PORT']}"
    try:
        told = await parts_when(url)
        async with httpx2.AsyncClient(timeout=20) as client:
            assert (await client.get(f"{url}/livez")).json() == {"status": "alive"}
            assert ((await client.get(f"{url}/v1/requests")).status_code == 404) == (role != "query")
            deadline = time.monotonic() + 60
            while measured not in (text := (await client.get(f"{url}/metrics")).text):
                assert time.monotonic() < deadline, text
                await asyncio.sleep(0.2)
    finally:
        assert end(process) == 0, installed.log()
    assert set(told) == {"database", "schema", "broker"} | parts


async def test_an_upgrade_that_maps_otherwise_says_what_brings_facts_up_to_date(installed: World) -> None:
    async with writing(installed.engine) as connection:
        await stamps.renew(connection, stamps.MAPPING_VERSION - 1)
    process = installed.start()
    try:
        told = await parts_when(f"http://127.0.0.1:{installed.settings['API_PORT']}")
    finally:
        assert end(process) == 0, installed.log()
    assert "`throughline rebuild` brings them up to date" in told["mapping"]
    assert installed.log().count("mapping.version.differs") == 1
    with pytest.raises(httpx2.TransportError):  # a process with the API needs no second listener
        httpx2.get(f"http://127.0.0.1:{installed.settings['HEALTH_PORT']}/livez")
