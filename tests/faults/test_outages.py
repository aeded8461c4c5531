"""Brokers and databases that go away, workers that die, backups that come back: nothing is lost or counted twice."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from sqlalchemy import select
from sqlalchemy.engine import make_url

from pipelines.store import tables
from pipelines.store.engine import reading
from services.broker import Outgoing, Placed, close, connect, open_broker, publish_page, source_topic
from tests.conftest import Bus, Pair
from tests.faults.company import Office, office
from tests.faults.world import World, consuming, end, ends_of, installed, left_alone, on_topic
from tests.parts.forking import Forked
from tests.parts.kafka import Kafka
from tests.parts.postgres import Postgres

REQUESTS = 12
"""The three tools tell some three hundred events of so many."""
ON_KAFKA = pytest.mark.parametrize(
    "pair", [pytest.param("kafka+postgresql", marks=[pytest.mark.kafka, pytest.mark.postgres])], indirect=True
)
ON_EMBEDDED = pytest.mark.parametrize("pair", ["embedded+sqlite"], indirect=True)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def company() -> Iterator[Office]:
    with office(REQUESTS) as made:
        yield made


@pytest.fixture(scope="module")
def calm() -> dict[str, str]:
    """The records of an undisturbed run; the same for both pairs."""
    return {}


@pytest.fixture
async def hub(company: Office, pair: Pair, tmp_path: Path, calm: dict[str, str]) -> AsyncIterator[World]:
    async with installed(company.joined, company.things, pair.bus, pair.database_url, tmp_path / "hub") as made:
        if not calm:
            calm |= await left_alone(made, tmp_path)
        yield made


async def some_read(hub: World, least: int = 30) -> None:
    """Wait until a part is read, so that what comes next comes in the middle."""
    async with asyncio.timeout(60):
        while (read := (await hub.standing())["artifacts"]) < least:
            await asyncio.sleep(0.02)
    assert read < hub.things(), "all was read before anything could happen"


async def finish(hub: World, *processes: Forked, calm: dict[str, str]) -> None:
    try:
        await hub.settled(90, process=processes[0])
    finally:
        codes = [end(process) for process in processes]
    assert codes == [0] * len(codes), hub.log()
    assert await hub.records() == calm
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))


@ON_KAFKA
async def test_kafka_is_killed_and_comes_back(hub: World, kafka: Kafka, calm: dict[str, str]) -> None:
    process = hub.start()
    await some_read(hub)
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(3)
    await asyncio.to_thread(kafka.start)
    await finish(hub, process, calm=calm)


@ON_KAFKA
async def test_postgresql_is_killed_and_comes_back(hub: World, postgres: Postgres, calm: dict[str, str]) -> None:
    process = hub.start()
    await some_read(hub)
    await hub.engine.dispose()
    await asyncio.to_thread(postgres.kill)
    await asyncio.sleep(3)
    await asyncio.to_thread(postgres.start)
    await finish(hub, process, calm=calm)


@ON_EMBEDDED
async def test_an_embedded_broker_is_killed_and_the_hub_started_again(hub: World, calm: dict[str, str]) -> None:
    process = hub.start()
    await some_read(hub)
    _, broker = (hub.folder / "broker").read_text().split()
    os.kill(int(broker), signal.SIGKILL)
    assert await asyncio.to_thread(process.wait, 60) > 0, hub.log()
    assert "the embedded broker ended; start the hub again" in hub.log()
    await finish(hub, hub.start(), calm=calm)


@ON_KAFKA
async def test_two_ingest_workers_of_which_one_is_killed(hub: World, calm: dict[str, str]) -> None:
    reading = hub.start("-", 1, ["feed", "publish"])
    one, other = hub.start("-", 1, ["ingest"]), hub.start("-", 1, ["ingest"])
    await some_read(hub)
    end(one, signal.SIGKILL)
    await finish(hub, reading, other, calm=calm)


async def test_a_fifth_of_all_records_comes_twice_and_out_of_order(hub: World, calm: dict[str, str]) -> None:
    """While more is read, and once more when all is."""
    chance = random.Random(3)
    process = hub.start()
    await some_read(hub)
    topics = [source_topic(one.connector) for one in hub.joined]
    assert sum([await _repeat(hub.reached, topic, chance) for topic in topics]) > 0
    await hub.settled(process=process)
    for topic in topics:
        assert await _repeat(hub.reached, topic, chance) > 0
    offsets = await _ends(hub.reached, topics)
    async with asyncio.timeout(60):
        while not await _applied(hub, offsets):
            await asyncio.sleep(0.1)
    await finish(hub, process, calm=calm)


async def _repeat(bus: Bus, name: str, chance: random.Random) -> int:
    """Publish a fifth of what is on a topic now once more. Returns how many records."""
    taken = await on_topic(bus, name)
    again = chance.sample(taken, len(taken) // 5)
    topic = bus.settings.topic(name)
    broker = open_broker(bus.settings)
    await connect(broker, bus.settings, wait=60)
    records = [Outgoing(topic, record.key, record.value, record.headers) for record in again]
    placed = await publish_page(broker, records)
    await close(broker)
    assert all(isinstance(one, Placed) for one in placed), placed
    return len(again)


async def _ends(bus: Bus, names: list[str]) -> dict[TopicPartition, int]:
    """Where each partition of these topics ends now."""
    async with consuming(bus) as consumer:
        return {place: end for name in names for place, end in (await ends_of(consumer, bus, name)).items()}


async def _applied(hub: World, ends: dict[TopicPartition, int]) -> bool:
    """Whether ingest has taken all of it in."""
    of = tables.applied_offsets.c
    async with reading(hub.engine) as connection:
        rows = (await connection.execute(select(of.topic, of.partition, of.next))).all()
    applied = {(row.topic, row.partition): row.next for row in rows}
    return all(applied.get((one.topic, one.partition), 0) >= end for one, end in ends.items())


@ON_KAFKA
async def test_a_database_restored_from_before_while_kafka_went_on(
    hub: World, postgres: Postgres, calm: dict[str, str], tmp_path: Path
) -> None:
    process = hub.start("page published, not noted", 3)  # more is to come: it shows that offsets jumped
    assert await asyncio.to_thread(process.wait, 90) == -signal.SIGKILL, hub.log()
    backup = await asyncio.to_thread(_dump, hub, tmp_path / "backup.sql")
    process = hub.start()
    await hub.settled(process=process)
    assert end(process) == 0
    await asyncio.to_thread(_restore, hub, postgres, backup)
    process = hub.start()
    await hub.settled(90, process=process)
    assert end(process) == 0, hub.log()
    assert await hub.records() == calm
    assert "gap.group.set_back" in (hub.folder / "hub.log").read_text()


def _dump(hub: World, path: Path) -> Path:
    url = make_url(hub.database_url)
    with path.open("wb") as file:
        subprocess.run(["pg_dump", "--clean", "--if-exists", _libpq(hub.database_url)], stdout=file, check=True)
    assert url.database
    return path


def _restore(hub: World, postgres: Postgres, path: Path) -> None:
    del postgres  # it runs; psql reaches it by the address
    command = ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(path), _libpq(hub.database_url)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _libpq(url: str) -> str:
    return url.replace("postgresql+asyncpg", "postgresql")


@ON_EMBEDDED
async def test_an_embedded_hub_on_a_restored_file_reads_on(hub: World, tmp_path: Path, calm: dict[str, str]) -> None:
    process = hub.start()
    await some_read(hub)
    end(process, signal.SIGKILL)
    _copy(tmp_path / "hub.sqlite3", tmp_path / "backup.sqlite3")
    process = hub.start()
    await hub.settled(process=process)
    assert end(process) == 0
    assert await hub.records() == calm
    await hub.engine.dispose()
    for one in tmp_path.glob("hub.sqlite3*"):  # a file of its own: what still holds the old one has nothing of it
        one.unlink()
    shutil.copy(tmp_path / "backup.sqlite3", tmp_path / "hub.sqlite3")
    await finish(hub, hub.start(), calm=calm)


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as one, sqlite3.connect(target) as other:
        one.backup(other)


@ON_EMBEDDED
async def test_a_second_hub_on_the_same_data_is_refused(hub: World) -> None:
    process = hub.start()
    await some_read(hub, 1)
    second = hub.start()
    code = await asyncio.to_thread(second.wait, 60)
    assert end(process) == 0
    assert code != 0
    assert "Another hub runs on" in hub.log()
    assert os.environ.get("HOME", "/nowhere") + "/.local" not in hub.log()
