"""What cannot be used is told apart in one line; what will come is waited for."""

import asyncio
import gc
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from faststream.kafka import KafkaBroker
from pydantic import SecretStr, ValidationError

from schemas.errors import HubError, Misconfigured, RetryLater
from services.broker import (
    Batch,
    BrokerSettings,
    EmbeddedBroker,
    Outgoing,
    Placed,
    Right,
    batch_subscriber,
    close,
    compare_topics,
    connect,
    ensure_topics,
    open_broker,
    publish_page,
    rights,
    topics,
)
from tests.conftest import Bus
from tests.parts.kafka import ADMIN, ADMIN_PASSWORD, PASSWORD, USER, Kafka
from tests.parts.presence import free_port

Done = TypeVar("Done")


def secure(kafka: Kafka, user: str = USER, password: str = PASSWORD, **other: Any) -> BrokerSettings:
    values: dict[str, Any] = {"mechanism": "scram-sha-512", "username": user, "password": password, "tls": True} | other
    return BrokerSettings(**{"bootstrap": kafka.bootstrap, "ca_file": kafka.ca_file, **values})


async def refusal(settings: BrokerSettings) -> HubError:
    """What both ways in say: they must agree."""
    broker = open_broker(settings)
    with pytest.raises(HubError) as said:
        await connect(broker, settings, wait=0)
    with pytest.raises(HubError) as also:
        await ensure_topics(settings, ["jira"], wait=0)
    assert (type(also.value), str(also.value)) == (type(said.value), str(said.value))
    return said.value


async def test_nobody_listens() -> None:
    port = free_port()
    error = await refusal(BrokerSettings(bootstrap=f"127.0.0.1:{port}"))
    assert isinstance(error, RetryLater)
    assert str(error) == f"Kafka at 127.0.0.1:{port}: nobody listens there"


async def test_a_start_that_ends_early_leaves_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    gc.collect()  # what other tests left
    caplog.clear()
    settings = BrokerSettings(bootstrap=f"127.0.0.1:{free_port()}")
    starting = asyncio.create_task(connect(open_broker(settings), settings, pause=0.1, tell=lambda _: None))
    await asyncio.sleep(0.5)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    del starting
    gc.collect()
    await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


async def test_unknown_host() -> None:
    error = await refusal(BrokerSettings(bootstrap="no-such-host.invalid:9092"))
    assert isinstance(error, RetryLater)
    assert "host name" in str(error)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"password": "wrong-word"}, "password", "refuses the user name or password"),
        ({"username": "nobody"}, "password", "refuses the user name or password"),
        ({"mechanism": "plain"}, "mechanism", "does not offer this sign-in mechanism"),
        ({"ca_file": None}, "ca_file", "shows a certificate of an unknown CA"),
    ],
)
async def test_what_a_person_must_mend(secure_kafka: Kafka, change: dict[str, Any], field: str, text: str) -> None:
    error = await refusal(secure(secure_kafka, **change))
    assert isinstance(error, Misconfigured)
    assert error.field == field
    assert str(error).startswith(f"Kafka at {secure_kafka.bootstrap} {text}")
    assert f"THROUGHLINE_KAFKA_{field.upper()}" in error.mend
    assert "wrong-word" not in str(error)


@pytest.mark.kafka
async def test_a_plain_client_on_a_tls_port_is_told_from_nobody_there(secure_kafka: Kafka) -> None:
    error = await refusal(BrokerSettings(bootstrap=secure_kafka.bootstrap))
    assert isinstance(error, RetryLater)
    assert "it hangs up; perhaps this port wants TLS" in str(error)


async def test_a_tls_client_on_a_port_without_tls(embedded: EmbeddedBroker) -> None:
    error = await refusal(BrokerSettings(bootstrap=embedded.bootstrap, tls=True))
    assert isinstance(error, RetryLater)
    assert "it hangs up; perhaps this port wants TLS or a sign-in, or neither" in str(error)


async def test_the_embedded_broker_is_waited_for_and_each_reason_is_told_once() -> None:
    """Kafka comes up late."""
    told: list[str] = []
    with EmbeddedBroker.start() as embedded:
        target = int(embedded.bootstrap.rpartition(":")[2])
        port = free_port()
        settings = BrokerSettings(bootstrap=f"127.0.0.1:{port}", embedded=True)
        broker = open_broker(settings)
        connecting = asyncio.create_task(connect(broker, settings, wait=60, pause=0.1, tell=told.append))
        await asyncio.sleep(0.6)
        assert not connecting.done()
        server = await asyncio.start_server(lambda r, w: _relay(r, w, target), "127.0.0.1", port)
        await connecting
        await close(broker)
        server.close()
    assert told == [f"waiting: Kafka at 127.0.0.1:{port}: nobody listens there"]


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)

    async def copy(source: asyncio.StreamReader, goal: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            goal.write(data)
        goal.close()

    await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)


async def test_wait_ends_with_the_reason() -> None:
    settings = BrokerSettings(bootstrap=f"127.0.0.1:{free_port()}")
    begun = time.monotonic()
    with pytest.raises(RetryLater, match="nobody listens"):
        await connect(open_broker(settings), settings, wait=0.5, pause=0.1)
    assert 0.4 < time.monotonic() - begun < 20


@pytest.mark.kafka
async def test_a_missing_topic_is_told(kafka_bus: Bus) -> None:
    settings = kafka_bus.settings
    broker = open_broker(settings)

    async def take(batch: Batch) -> None: ...

    batch_subscriber(broker, settings, ["source.jira"], "ingest", take)
    with pytest.raises(Misconfigured, match="lacks a topic"):
        await connect(broker, settings, wait=0)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"username": "u"}, "need a mechanism"),
        ({"mechanism": "scram-sha-256"}, "needs a user name and a password"),
        ({"mechanism": "plain", "username": "u", "password": "p"}, "sends the password in clear"),
        ({"ca_file": "ca.pem"}, "turn tls on"),
        ({"prefix": "a b"}, "prefix"),
    ],
)
def test_settings_that_contradict_themselves(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        BrokerSettings(**{"bootstrap": "kafka.example.com:9092"} | values)


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    for name in ("ca.pem", "missing.pem"):
        settings = BrokerSettings(bootstrap="kafka.example.com:9093", tls=True, ca_file=tmp_path / name)
        with pytest.raises(Misconfigured) as said:
            open_broker(settings)
        assert said.value.field == "ca_file"


PLANTED = "planted-word"


def test_the_password_is_not_shown() -> None:
    settings = BrokerSettings(
        bootstrap="kafka.example.com:9093",
        tls=True,
        mechanism="plain",
        username="u",
        password=SecretStr(PLANTED),
    )
    assert PLANTED not in repr(settings) + str(settings) + settings.model_dump_json()


# --- topics ---


async def make(kafka: Kafka, *new: NewTopic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    answer = await admin.create_topics(list(new))
    await admin.close()
    assert [code for _, code, _ in answer.topic_errors] == [0] * len(new)


@pytest.mark.kafka
async def test_each_difference_of_a_topic_is_named_with_its_mend(kafka_bus: Bus, kafka: Kafka) -> None:
    name = kafka_bus.settings.topic
    await make(
        kafka,
        NewTopic(name("source.jira"), 1, 1, topic_configs={"retention.ms": "86400000", "max.message.bytes": "1000"}),
        NewTopic(name("source.mailbox"), 4, 1, topic_configs={"retention.ms": "-1"}),
        NewTopic(name("lifecycles"), 1, 1, topic_configs={"cleanup.policy": "delete"}),
    )
    settings = kafka_bus.settings.model_copy(update={"replication": None})
    with pytest.raises(Misconfigured) as said:
        await ensure_topics(settings, ["jira", "mailbox"])
    text = str(said.value)
    for part in (
        f"{name('source.jira')} has 1 partitions, 4 are set",
        f"{name('source.jira')} keeps events for 1 days: set retention.ms=2592000000",
        f"{name('source.jira')} takes records of 1000 bytes",
        f"{name('lifecycles')} has cleanup.policy=delete: set it to compact",
    ):
        assert part in text
    assert "mailbox" not in text


@pytest.mark.kafka
async def test_a_replication_that_cannot_be_is_told(kafka_bus: Bus) -> None:
    settings = kafka_bus.settings.model_copy(update={"replication": 3})
    with pytest.raises(Misconfigured, match="at most the number of brokers"):
        await ensure_topics(settings, ["jira"])


@pytest.mark.kafka
async def test_two_that_make_the_topics_at_once_agree(kafka_bus: Bus) -> None:
    both = await asyncio.gather(*[ensure_topics(kafka_bus.settings, ["jira", "hubspot"]) for _ in range(2)])
    assert sorted(note for ready in both for note in ready.notes) == sorted(
        f"created {topic.name}" for topic in topics(kafka_bus.settings, ["jira", "hubspot"])
    )


def grant(kafka: Kafka, needed: list[Right]) -> None:
    """Give `hub` exactly these rights."""
    admin = AdminClient({
        "bootstrap.servers": kafka.bootstrap, "security.protocol": "SASL_SSL", "ssl.ca.location": str(kafka.ca_file),
        "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": ADMIN, "sasl.password": ADMIN_PASSWORD,
    })  # fmt: skip
    bindings = [
        AclBinding(
            ResourceType[right.kind.upper()], right.name, ResourcePatternType.LITERAL, f"User:{USER}", "*",
            AclOperation[right.operation], AclPermissionType.ALLOW,
        )
        for right in sorted(set(needed))
    ]  # fmt: skip
    for future in admin.create_acls(bindings).values():
        future.result(20)


@pytest.fixture
def acl_settings(secure_kafka: Kafka) -> BrokerSettings:
    return secure(secure_kafka, prefix=f"t{time.monotonic_ns()}.", replication=1)


@pytest.mark.kafka
async def test_the_listed_rights_are_enough_and_without_them_it_is_told(
    secure_kafka: Kafka, acl_settings: BrokerSettings
) -> None:
    settings, got = acl_settings, asyncio.Event()

    async def take(batch: Batch) -> None:
        got.set()

    with pytest.raises(Misconfigured, match="grant CREATE"):
        await ensure_topics(settings, ["jira"])
    hidden = await compare_topics(settings, ["jira"], wait=60)
    assert len(hidden) == 2
    assert all("is hidden from this user, or missing: grant DESCRIBE" in line for line in hidden)

    async def connected(wait: float) -> KafkaBroker:
        broker = open_broker(settings)
        batch_subscriber(broker, settings, ["source.jira"], "ingest", take)
        await connect(broker, settings, wait=wait)
        return broker

    grant(secure_kafka, rights(settings, "setup", ["jira"]))
    await _once_granted(lambda: ensure_topics(settings, ["jira"]))
    with pytest.raises(Misconfigured, match="denies group"):
        await connected(0)
    grant(secure_kafka, [*rights(settings, "feed", ["jira"]), *rights(settings, "ingest", ["jira"])])
    reading = await _once_granted(lambda: connected(60))
    (placed,) = await publish_page(reading, [Outgoing(settings.topic("source.jira"), b"k", b"v")])
    await asyncio.wait_for(got.wait(), 20)
    await close(reading)
    assert isinstance(placed, Placed)


@pytest.mark.kafka
async def test_settings_that_may_not_be_read_are_noted(secure_kafka: Kafka, acl_settings: BrokerSettings) -> None:
    await ensure_topics(acl_settings.model_copy(update={"username": ADMIN, "password": _word()}), ["jira"])
    grant(secure_kafka, [right for right in rights(acl_settings, "setup", ["jira"]) if right.operation == "DESCRIBE"])
    ready = await _once_granted(lambda: ensure_topics(acl_settings, ["jira"]))
    assert len(ready.notes) == 2
    assert all("grant DESCRIBE_CONFIGS" in note for note in ready.notes)


async def _once_granted(done: Callable[[], Awaitable[Done]]) -> Done:
    """A right that was granted is known to every part of the broker a moment later."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await done()
            except Misconfigured:
                await asyncio.sleep(0.1)


def _word() -> Any:
    return BrokerSettings.model_validate(
        {"bootstrap": "x:1", "mechanism": "scram-sha-512", "username": ADMIN, "password": ADMIN_PASSWORD}
    ).password


def test_own_ca_is_the_only_one_trusted(secure_kafka: Kafka) -> None:
    context = secure(secure_kafka).security().ssl_context
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert [str(each["subject"]) for each in context.get_ca_certs()] == ["((('commonName', 'test-ca'),),)"]
