"""Storage that is full, read-only or away: the hub waits, says so once and in /readyz, and goes on; nothing is lost."""

import asyncio
import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from pipelines.store.engine import open_engine, writing
from services.sandbox.jira import FakeJira
from tests.conftest import Bus, _kafka_bus
from tests.faults.world import World, end, fill, world
from tests.parts.forking import Forked
from tests.parts.kafka import Kafka
from tests.parts.postgres import Postgres
from tests.parts.presence import free_port, within_seconds

ISSUES = 40

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000, lag=timedelta(seconds=1)) as fake:
        fill(fake, ISSUES)
        yield fake
    assert fake.writes == []


@asynccontextmanager
async def installed(jira: FakeJira, bus: Bus, url: str, folder: Path) -> AsyncIterator[World]:
    async with world(jira, bus, url, folder) as made:
        made.settings = {"API_PORT": str(free_port())}
        yield made


@dataclass
class Health:
    """What /readyz says of a hub."""

    hub: World

    async def says(self) -> dict[str, str]:
        """Part to what is wrong with it; empty when all is well."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.hub.settings['API_PORT']}", timeout=15) as http:
            parts = (await http.get("/readyz")).json()["parts"]
        return {part["name"]: part["says"] for part in parts if not part["ok"]}

    async def until(self, holds: Callable[[dict[str, str]], bool], seconds: float = 60) -> dict[str, str]:
        """Wait until it says so; gives what it says."""
        said: dict[str, str] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with suppress(httpx2.HTTPError):
                        said = await self.says()
                        if holds(said):
                            return said
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"/readyz says {said}\n{self.hub.log()}") from None


async def goes_on(hub: World, process: Forked, said: str) -> None:
    """It reads everything, has said what it waited for in few lines, and is well again."""
    try:
        await hub.settled(90, process=process)
        await Health(hub).until(lambda said: not said)
    finally:
        code = end(process)
    assert code == 0, hub.log()
    assert len(await hub.records()) > 5
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    log = (hub.folder / "hub.log").read_text()
    assert said in log
    for event in ("feed.waits", "publish.waits", "the batch will be repeated"):
        assert log.count(event) <= 4, log[-3000:]


async def some_read(hub: World, least: int = 10) -> None:
    async with asyncio.timeout(60):
        while (await hub.standing())["artifacts"] < least:
            await asyncio.sleep(0.05)


@contextmanager
def _mounted(folder: Path, *words: str) -> Iterator[None]:
    """A file system of its own; needs root."""
    done = os.geteuid() == 0 and subprocess.run(["mount", *words, folder], check=False, capture_output=True)
    if not done or done.returncode:
        pytest.skip("a disk of its own cannot be mounted here (run the tests as root)")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """With little room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with _mounted(folder, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        yield folder


@pytest.fixture
def small_space(postgres: Postgres) -> Iterator[Path]:
    """A disk with little room, and on it PostgreSQL's tablespace `small`. The server's log is elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="throughline-disk-"))
    try:
        with _mounted(folder, "-t", "tmpfs", "-o", "size=28m", "tmpfs"):
            folder.chmod(0o755)
            (folder / "data").mkdir()
            shutil.chown(folder / "data", "postgres")
            postgres.sql(f"CREATE TABLESPACE small LOCATION '{folder / 'data'}'")
            yield folder
            postgres.sql("DROP TABLESPACE small")
    finally:
        folder.rmdir()


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """One that the system makes read-only as soon as it fails."""
    if shutil.which("mkfs.ext4") is None:  # nor is it on the path of anybody but root
        pytest.skip("a disk of its own cannot be made here (run the tests as root, with the package e2fsprogs)")
    folder, image = tmp_path / "disk", tmp_path / "image"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64_000_000)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    with _mounted(folder, "-o", "loop,errors=remount-ro", str(image)):
        yield folder


def _fail(disk: Path) -> None:
    """What was written in the last moments is gone then, as after a power cut."""
    subprocess.run(["sync", "-f", disk], check=True)
    device = subprocess.run(["findmnt", "-no", "SOURCE", disk], check=True, capture_output=True, text=True).stdout
    Path(f"/sys/fs/ext4/{Path(device.strip()).name}/trigger_fs_error").write_text("now\n", "ascii")


def _taken_off(disk: Path) -> bool:
    return not os.path.ismount(disk) or subprocess.run(["umount", disk], check=False).returncode == 0


def _mend(disk: Path, image: Path) -> None:
    assert within_seconds(lambda: _taken_off(disk))  # the last file of who has just ended is closed a moment later
    subprocess.run(["fsck.ext4", "-y", image], check=False, capture_output=True)
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", image, disk], check=True)


@pytest.fixture
def embedded_bus() -> Bus:
    from services.broker import BrokerSettings

    return Bus("embedded", BrokerSettings(bootstrap="127.0.0.1:1", embedded=True))


async def test_a_full_disk(jira: FakeJira, embedded_bus: Bus, small_disk: Path, tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{small_disk / 'hub.sqlite3'}"
    async with installed(jira, embedded_bus, url, tmp_path / "hub") as hub:
        process = hub.start()
        await some_read(hub)
        filler = small_disk / "somebody elses"
        _fill_up(filler)
        await Health(hub).until(lambda said: "its disk" in said.get("feed", "") + said.get("ingest", ""))
        await asyncio.sleep(2)
        assert process.poll() is None, hub.log()
        filler.unlink()
        await goes_on(hub, process, "full")


@pytest.mark.kafka
@pytest.mark.postgres
async def test_a_full_disk_of_the_server(
    jira: FakeJira, kafka: Kafka, postgres: Postgres, small_space: Path, postgres_url: str, tmp_path: Path
) -> None:
    async with installed(jira, _kafka_bus(kafka), postgres_url, tmp_path / "hub") as hub:
        await hub.engine.dispose()
        _set(postgres, postgres_url, "SET TABLESPACE small")
        process = hub.start()
        await some_read(hub)
        filler = small_space / "somebody elses"
        _fill_up(filler)
        with jira.lock:
            for number in range(20):
                text_ = f"Told meanwhile. {number} " * 1_000
                jira.hands.create("PAY", "No room", at=datetime.now(UTC), by=jira.account, description=text_)
        await Health(hub).until(lambda said: "its disk is full" in " ".join(said.values()))
        assert process.poll() is None, hub.log()
        filler.unlink()
        await goes_on(hub, process, "its disk is full")


async def test_a_disk_that_fails_can_only_be_read(
    jira: FakeJira, embedded_bus: Bus, failing_disk: Path, tmp_path: Path
) -> None:
    url = f"sqlite+aiosqlite:///{failing_disk / 'hub.sqlite3'}"
    async with installed(jira, embedded_bus, url, tmp_path / "hub") as hub:
        process = hub.start()
        await some_read(hub)
        _fail(failing_disk)
        says = ("its disk fails or is full", "it can only be read", "its file cannot be opened")
        await Health(hub).until(lambda said: said.get("feed", "").endswith(says))
        assert process.poll() is None, hub.log()
        assert end(process) == 0, hub.log()
        await hub.engine.dispose()
        _mend(failing_disk, tmp_path / "image")
        await goes_on(hub, hub.start(), "reading waits for the database")


def _fill_up(path: Path) -> None:
    """Take all the room there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@pytest.mark.kafka
@pytest.mark.postgres
async def test_a_database_that_can_only_be_read(
    jira: FakeJira, kafka: Kafka, postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    async with installed(jira, _kafka_bus(kafka), postgres_url, tmp_path / "hub") as hub:
        process = hub.start()
        await some_read(hub)
        _set(postgres, postgres_url, "SET default_transaction_read_only = on")
        waits = "reading waits for the database: it can only be read"  # at first it is cut off, as all are
        await Health(hub).until(lambda said: said.get("feed") == waits and "database" not in said)  # look-ups go on
        _set(postgres, postgres_url, "SET default_transaction_read_only = off")
        await goes_on(hub, process, "it can only be read")


@pytest.mark.kafka
@pytest.mark.postgres
async def test_a_database_that_lets_nobody_in(
    jira: FakeJira, kafka: Kafka, postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    async with installed(jira, _kafka_bus(kafka), postgres_url, tmp_path / "hub") as hub:
        process = hub.start()
        await some_read(hub)
        await hub.engine.dispose()
        _set(postgres, postgres_url, "ALLOW_CONNECTIONS false")
        waits = "reading waits for the database: it "
        await Health(hub).until(lambda said: "database" in said and said.get("feed", "").startswith(waits))
        await asyncio.sleep(3)
        assert process.poll() is None, hub.log()
        _set(postgres, postgres_url, "ALLOW_CONNECTIONS true")
        await goes_on(hub, process, "reading waits for the database")


def _set(postgres: Postgres, url: str, what: str) -> None:
    """Alter the database, and cut off who is connected."""
    name = make_url(url).database
    postgres.sql(f'ALTER DATABASE "{name}" {what}')
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@pytest.mark.kafka
async def test_a_broker_that_is_away(jira: FakeJira, kafka: Kafka, postgres_url: str, tmp_path: Path) -> None:
    async with installed(jira, _kafka_bus(kafka), postgres_url, tmp_path / "hub") as hub:
        process = hub.start()
        await some_read(hub)
        await asyncio.to_thread(kafka.kill)
        waits = "does not answer; reading waits for it"
        await Health(hub).until(lambda said: said.get("broker", "").endswith(waits))
        await _in_log(hub, "broker.waits")
        with jira.lock:
            jira.hands.create("PAY", "Told meanwhile", at=datetime.now(UTC), by=jira.account)
        assert process.poll() is None, hub.log()
        await asyncio.to_thread(kafka.start)
        await _in_log(hub, "broker.goes.on")
        await goes_on(hub, process, waits)
    lines = [json.loads(line) for line in (hub.folder / "hub.log").read_text().splitlines() if line.startswith("{")]
    away = False
    for line in lines:
        away = line["event"] == "broker.waits" or (away and line["event"] != "broker.goes.on")
        assert not away or not line["logger"].startswith("aiokafka")
    stopped = [line["problem"] for line in lines if line["event"] == "connection.read.stopped"]
    assert not any(one == other for one, other in itertools.pairwise(stopped))


async def _in_log(hub: World, word: str) -> None:
    async with asyncio.timeout(60):
        while word not in (hub.folder / "hub.log").read_text():
            await asyncio.sleep(0.1)


async def test_a_task_that_is_cut_off_leaves_the_file_to_the_next(sqlite_url: str) -> None:
    engine, chance = open_engine(sqlite_url), random.Random(1)
    async with writing(engine) as connection:
        await connection.execute(text("CREATE TABLE t (a TEXT)"))
        await connection.execute(text("INSERT INTO t SELECT value FROM json_each('[1,2,3,4,5,6,7,8,9]')"))

    async def work() -> None:
        async with writing(engine) as connection:
            while True:
                await connection.execute(text("UPDATE t SET a = a + 1 RETURNING a"))

    kept: list[BaseException | None] = []
    for _ in range(60):
        task = asyncio.create_task(work())
        await asyncio.sleep(chance.random() * 0.02)
        task.cancel()
        kept += await asyncio.gather(task, return_exceptions=True)  # its frames may hold the statement
        async with asyncio.timeout(20), writing(engine) as connection:  # the file itself waits for 5 s, and raises
            await connection.execute(text("DELETE FROM t WHERE a = 'nothing'"))
    assert all(isinstance(one, asyncio.CancelledError) for one in kept)
    await engine.dispose()
