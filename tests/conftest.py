"""Real parts for every test: Kafka, PostgreSQL, the embedded broker; started when first asked for, ended at the end."""

import gc
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.broker import BrokerSettings, EmbeddedBroker
from tests.parts.kafka import Kafka
from tests.parts.postgres import Postgres
from tests.parts.presence import PartMissing, missing

gc.set_threshold(50_000, 20, 100)  # as in a hub; a third of the time in which tests are collected went into circles

LONGEST = ("faults", "browser", "journeys", "services/generated", "services/sandbox", "benchmarks")
"""Folders whose files take longest. They come first, so that whoever works at the end has small files left."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first. A folder's tests stay together, and with them what they share."""
    ranks = {f"tests/{folder}/": rank for rank, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: next((ranks[one] for one in ranks if item.nodeid.startswith(one)), len(ranks)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests were not run, by what is missing for them; pytest's own list has a line for each place."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.write_sep("=", "not run here")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:4}  {reason}")


@dataclass(frozen=True)
class Bus:
    """A Kafka-protocol broker to test on. `settings` has a topic prefix of this test's own; no topic exists yet."""

    kind: str
    """"embedded" or "kafka"."""
    settings: BrokerSettings
    embedded: EmbeddedBroker | None = None
    kafka: Kafka | None = None

    def __str__(self) -> str:
        return self.settings.bootstrap


@dataclass(frozen=True)
class Pair:
    """A broker and an empty database that are meant to be used together."""

    kind: str
    """"kafka+postgresql" or "embedded+sqlite"."""
    bus: Bus
    database_url: str
    postgres: Postgres | None = None


@pytest.fixture(scope="session")
def _kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    yield from _running_kafka(tmp_path_factory.mktemp("kafka"), secure=False)


@pytest.fixture(scope="session")
def _secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    yield from _running_kafka(tmp_path_factory.mktemp("secure-kafka"), secure=True)


def _running_kafka(folder: Path, *, secure: bool) -> Iterator[Kafka]:
    try:
        broker = Kafka(folder, secure=secure)
    except PartMissing as part:
        missing(str(part))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def _postgres() -> Iterator[Postgres]:
    try:
        server = Postgres(settings={"autovacuum": "off"})  # it would gather other statistics at moments of its own
    except PartMissing as part:
        missing(str(part))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def kafka(_kafka: Kafka) -> Kafka:
    """The shared Kafka, running. A test may stop, kill and start it; whoever comes next finds it running again."""
    _kafka.start()
    return _kafka


@pytest.fixture
def secure_kafka(_secure_kafka: Kafka) -> Kafka:
    """The shared Kafka with TLS, SCRAM-SHA-512 and ACLs, running."""
    _secure_kafka.start()
    return _secure_kafka


@pytest.fixture
def postgres(_postgres: Postgres) -> Postgres:
    """The shared PostgreSQL, running. A test may stop, kill and start it; whoever comes next finds it running again."""
    _postgres.start()
    return _postgres


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """An embedded broker of this test's own."""
    with EmbeddedBroker.start() as broker:
        yield broker


def _embedded_bus(broker: EmbeddedBroker) -> Bus:
    return Bus("embedded", BrokerSettings(bootstrap=broker.bootstrap, embedded=True, prefix=_prefix()), embedded=broker)


def _kafka_bus(broker: Kafka) -> Bus:
    settings = BrokerSettings(bootstrap=broker.bootstrap, prefix=_prefix(), replication=1)
    return Bus("kafka", settings, kafka=broker)


def _prefix() -> str:
    return f"t{uuid.uuid4().hex[:8]}."


@pytest.fixture
def kafka_bus(kafka: Kafka) -> Bus:
    """The shared Kafka with a topic prefix of this test's own."""
    return _kafka_bus(kafka)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def bootstrap(request: pytest.FixtureRequest) -> Bus:
    """Once with the embedded broker, once with a real Kafka."""
    return _bus(request, request.param)


def _bus(request: pytest.FixtureRequest, kind: str) -> Bus:
    if kind == "kafka":
        return _kafka_bus(request.getfixturevalue("kafka"))
    return _embedded_bus(request.getfixturevalue("embedded"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """SQLAlchemy URL of a new SQLite file."""
    return f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite3'}"


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """SQLAlchemy URL of a new, empty PostgreSQL database."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.start()
    postgres.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLAlchemy URL of a new, empty database: once SQLite, once PostgreSQL."""
    return _database(request, request.param)


def _database(request: pytest.FixtureRequest, kind: str) -> str:
    url: str = request.getfixturevalue("postgres_url" if kind == "postgresql" else "sqlite_url")
    return url


@pytest.fixture(
    params=[
        "embedded+sqlite",
        pytest.param("kafka+postgresql", marks=[pytest.mark.kafka, pytest.mark.postgres]),
    ]
)
def pair(request: pytest.FixtureRequest) -> Pair:
    """Broker and database: once the embedded defaults, once a real Kafka with PostgreSQL."""
    broker, database = request.param.split("+")
    server = request.getfixturevalue("postgres") if database == "postgresql" else None
    return Pair(request.param, _bus(request, broker), _database(request, database), server)
