"""The hub's topics: what they shall be like, made where the right exists, otherwise compared and told."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from faststream.kafka.security import parse_security

from schemas.errors import Misconfigured
from services.broker.connect import Tell, logger, patiently
from services.broker.embedded import EmbeddedBroker
from services.broker.publish import MAX_RECORD_BYTES
from services.broker.settings import BrokerSettings

LIFECYCLES = "lifecycles"
DAY_MS = 86_400_000

_UNKNOWN_TOPIC, _NO_RIGHT, _NO_CLUSTER_RIGHT, _EXISTS, _REPLICATION = 3, 29, 31, 36, 38

Role: TypeAlias = Literal["feed", "ingest", "publish", "setup"]


def source_topic(connector: str) -> str:
    """The topic, without prefix, of a connector's source events."""
    return f"source.{connector}"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic shall be like. replication None: 3, or as many as there are brokers."""

    name: str
    partitions: int
    replication: int | None
    configs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One allowed operation in Kafka's words: kind "topic", "group" or "cluster"."""

    kind: str
    name: str
    operation: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The topics are there."""

    incarnation: str
    """Changes when offsets known from before mean nothing any more: the embedded broker's start, Kafka's cluster id."""
    notes: Sequence[str] = ()
    """One line for each topic created, or that could not be looked at whole."""


def topics(settings: BrokerSettings, connectors: Iterable[str]) -> list[Topic]:
    """Every topic the hub uses, with its full name.

    Lifecycles has one partition: readers see changes in the order of their numbers.
    """
    sources = [
        Topic(
            settings.topic(source_topic(name)),
            settings.partitions,
            settings.replication,
            {"cleanup.policy": "delete", "retention.ms": str(settings.retention_days * DAY_MS)},
        )
        for name in sorted(connectors)
    ]
    return [*sources, Topic(settings.topic(LIFECYCLES), 1, settings.replication, {"cleanup.policy": "compact"})]


def rights(settings: BrokerSettings, role: Role, connectors: Iterable[str], group: str = "ingest") -> list[Right]:
    """The ACLs a role's user needs, none more. "setup" creates topics and compares their settings."""
    sources = [settings.topic(source_topic(name)) for name in sorted(connectors)]
    lifecycles = settings.topic(LIFECYCLES)
    if role == "feed":
        return [Right("topic", name, operation) for name in sources for operation in ("DESCRIBE", "WRITE")]
    if role == "publish":
        return [Right("topic", lifecycles, operation) for operation in ("DESCRIBE", "READ", "WRITE")]
    if role == "ingest":
        read = [Right("topic", name, operation) for name in sources for operation in ("DESCRIBE", "READ")]
        return [*read, Right("group", settings.topic(group), "READ")]
    every = ("CREATE", "DESCRIBE", "DESCRIBE_CONFIGS")
    return [Right("topic", name, operation) for name in (*sources, lifecycles) for operation in every]


async def ensure_topics(
    settings: BrokerSettings,
    connectors: Iterable[str],
    embedded: EmbeddedBroker | None = None,
    *,
    wait: float | None = None,
    tell: Tell = logger.warning,
) -> Ready:
    """Make every topic that is missing, compare those that are there; waits for Kafka as `patiently` does.

    In the embedded broker each has one partition. Misconfigured lists all that is wrong, each with its mend.
    """
    wanted = topics(settings, connectors)
    if embedded is not None:
        # One process reads all of them: more partitions would only have the broker keep more of what was read.
        made = [f"created {topic.name}" for topic in wanted if embedded.create_topic(topic.name, 1)]
        return Ready(embedded.incarnation, made)
    found: list[Ready] = []

    async def attempt() -> None:
        async with _admin(settings) as admin:
            found.append(await _ensure(admin, wanted))

    await patiently(attempt, settings, wait=wait, tell=tell)
    return found[-1]


async def compare_topics(settings: BrokerSettings, connectors: Iterable[str], *, wait: float) -> list[str]:
    """What is not as it shall be, each with its mend; changes nothing. Waits for Kafka for that many seconds."""
    wanted = topics(settings, connectors)
    wrong: list[str] = []

    async def attempt() -> None:
        async with _admin(settings) as admin:
            there = {each["topic"]: each for each in await admin.describe_topics([topic.name for topic in wanted])}
            found = [topic for topic in wanted if there[topic.name]["error_code"] == 0]
            wrong[:] = [_absent(topic, there[topic.name]["error_code"]) for topic in wanted if topic not in found]
            wrong.extend(line for topic in found for line in _layout(topic, there[topic.name]))
            wrong.extend((await _settings(admin, found))[1])

    await patiently(attempt, settings, wait=wait, tell=logger.debug)
    return wrong


def _absent(topic: Topic, code: int) -> str:
    if code == _NO_RIGHT:  # Kafka tells nobody who may not know whether it is there
        return f"{topic.name} is hidden from this user, or missing: grant DESCRIBE, and CREATE if it is to be made"
    return f"{topic.name} is not there yet: the next start makes it, where its user may"


@asynccontextmanager
async def _admin(settings: BrokerSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(
        bootstrap_servers=settings.bootstrap.split(","),
        client_id=settings.client_id,
        request_timeout_ms=10_000,
        **parse_security(settings.security()),
    )
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def _ensure(admin: AIOKafkaAdminClient, wanted: Sequence[Topic]) -> Ready:
    cluster = await admin.describe_cluster()
    there = {each["topic"]: each for each in await admin.describe_topics([topic.name for topic in wanted])}
    missing = [topic for topic in wanted if there[topic.name]["error_code"] in (_UNKNOWN_TOPIC, _NO_RIGHT)]
    notes, wrong, created = await _create(admin, missing, min(3, len(cluster["brokers"])))
    compared = [topic for topic in wanted if topic not in missing]
    if len(created) < len(missing) - len(wrong):  # another process was quicker
        late = [topic for topic in missing if topic.name not in created]
        there |= {each["topic"]: each for each in await admin.describe_topics([topic.name for topic in late])}
        compared += [topic for topic in late if there[topic.name]["error_code"] == 0]
    wrong += [line for topic in compared for line in _layout(topic, there[topic.name])]
    more_notes, more_wrong = await _settings(admin, compared)
    if wrong or more_wrong:
        raise Misconfigured("Kafka's topics are not as needed: " + "; ".join(wrong + more_wrong), "Mend each", "prefix")
    return Ready(str(cluster["cluster_id"]), [*notes, *more_notes])


async def _create(
    admin: AIOKafkaAdminClient, missing: Sequence[Topic], brokers: int
) -> tuple[list[str], list[str], set[str]]:
    """Notes, what went wrong, and the names created. The answer tells refusals by code; the call does not raise."""
    notes: list[str] = []
    wrong: list[str] = []
    created: set[str] = set()
    if not missing:
        return notes, wrong, created
    new = [NewTopic(t.name, t.partitions, t.replication or brokers, topic_configs=t.configs) for t in missing]
    for name, code, message in (await admin.create_topics(new)).topic_errors:
        if code == 0:
            created.add(name)
            notes.append(f"created {name}")
        elif code in (_NO_RIGHT, _NO_CLUSTER_RIGHT):
            wrong.append(f"{name} is missing, or hidden from this user: create it and grant DESCRIBE, or grant CREATE")
        elif code == _REPLICATION:
            wrong.append(f"{name} cannot have its replication: set it to at most the number of brokers ({message})")
        elif code != _EXISTS:
            wrong.append(f"{name} cannot be created: {message or f'Kafka error code {code}'}")
    return notes, wrong, created


def _layout(topic: Topic, there: dict[str, Any]) -> list[str]:
    """What is wrong with the partitions of a topic that exists."""
    partitions, wrong = there["partitions"], []
    if len(partitions) != topic.partitions:
        wrong.append(
            f"{topic.name} has {len(partitions)} partitions, {topic.partitions} are set: "
            "change the topic, or THROUGHLINE_PARTITIONS"
        )
    fewest = min((len(each["replicas"]) for each in partitions), default=0)
    if topic.replication is not None and fewest < topic.replication:
        wrong.append(
            f"{topic.name} has {fewest} replicas, {topic.replication} are set: "
            "change the topic, or THROUGHLINE_REPLICATION"
        )
    return wrong


async def _settings(admin: AIOKafkaAdminClient, compared: Sequence[Topic]) -> tuple[list[str], list[str]]:
    """Notes, and what is wrong with the configs of topics that exist."""
    notes: list[str] = []
    wrong: list[str] = []
    wanted = {topic.name: topic for topic in compared}
    if not wanted:
        return notes, wrong
    for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]):
        for code, _message, _kind, name, entries in answer.resources:
            if code:
                notes.append(f"{name}: its settings cannot be compared: grant DESCRIBE_CONFIGS, or compare by hand")
            else:
                wrong += _differences(wanted[name], {entry[0]: entry[1] for entry in entries})
    return notes, wrong


def _differences(topic: Topic, actual: dict[str, str]) -> list[str]:
    wrong = []
    policy = topic.configs["cleanup.policy"]
    if actual["cleanup.policy"] != policy:
        wrong.append(f"{topic.name} has cleanup.policy={actual['cleanup.policy']}: set it to {policy}")
    elif policy == "delete" and 0 <= int(actual["retention.ms"]) < int(topic.configs["retention.ms"]):
        wrong.append(
            f"{topic.name} keeps events for {int(actual['retention.ms']) / DAY_MS:.3g} days: "
            f"set retention.ms={topic.configs['retention.ms']}, or THROUGHLINE_RETENTION_DAYS"
        )
    size = int(actual["max.message.bytes"])
    if size < MAX_RECORD_BYTES + 50_000:
        wrong.append(f"{topic.name} takes records of {size} bytes: set max.message.bytes=1048588")
    return wrong
