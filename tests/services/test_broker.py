"""Publishing, reading, waiting and topics, on the embedded broker and on a real Kafka."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from faststream.kafka import KafkaBroker

from services.broker import (
    MAX_RECORD_BYTES,
    Batch,
    BrokerSettings,
    Outgoing,
    Placed,
    RecordTooLarge,
    Subscription,
    batch_subscriber,
    close,
    connect,
    ensure_topics,
    open_broker,
    publish_page,
    source_topic,
)
from services.feed.pages import EMBEDDED
from tests.conftest import Bus
from tests.parts.kafka import Kafka

TOPIC = source_topic("jira")


@contextlib.asynccontextmanager
async def connected(settings: BrokerSettings, *subscribers: Callable[[KafkaBroker], Subscription]) -> AsyncIterator[
    tuple[KafkaBroker, list[Subscription]]
]:  # fmt: skip
    broker = open_broker(settings, stop_seconds=3)
    reading = [make(broker) for make in subscribers]
    await connect(broker, settings, wait=60)
    try:
        yield broker, reading
    finally:
        await close(broker)


def reader(settings: BrokerSettings, handler: Callable[[Batch], object], group: str = "ingest") -> Callable[
    [KafkaBroker], Subscription
]:  # fmt: skip
    async def take(batch: Batch) -> None:
        found = handler(batch)
        if asyncio.iscoroutine(found):
            await found

    return lambda broker: batch_subscriber(broker, settings, [TOPIC], group, take, first_pause=0.05)


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.02)


def page(settings: BrokerSettings, count: int, start: int = 0) -> list[Outgoing]:
    numbers = range(start, start + count)
    return [
        Outgoing(settings.topic(TOPIC), f"k{n % 7}".encode(), str(n).encode(), [("ce_id", str(n).encode())])
        for n in numbers
    ]


async def test_a_published_page_arrives_whole_and_in_order_per_key(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    got: list[tuple[bytes, int]] = []
    places: list[tuple[int, int]] = []

    def take(batch: Batch) -> None:
        got.extend((record.key, int(record.value)) for record in batch)
        places.extend((record.partition, record.offset) for record in batch)

    async with connected(bootstrap.settings, reader(bootstrap.settings, take)) as (broker, (subscription,)):
        placed = await publish_page(broker, page(bootstrap.settings, 1000))
        await until(lambda: len(got) >= 1000)
        health = subscription.health(time.time())
        silent = subscription.health(time.time() + 12)
        lag = await subscription.lag()
    assert sorted(number for _, number in got) == list(range(1000))
    for key in {key for key, _ in got}:
        numbers = [number for each, number in got if each == key]
        assert numbers == sorted(numbers)
    assert sorted(one for one in placed if isinstance(one, Placed)) == sorted(places)
    assert (health.well, health.reason, health.partitions) == (True, "", 1 if bootstrap.embedded else 4)
    assert silent.reason.startswith("group ingest: no answer from Kafka for 1")
    assert sum(lag.values()) == 0


async def test_a_page_is_read_as_it_was_published(bootstrap: Bus) -> None:
    settings = bootstrap.settings.model_copy(update={"partitions": 1})
    await ensure_topics(settings, ["jira"], bootstrap.embedded)
    got: list[Batch] = []
    large = [one._replace(value=b"x" * 4_000) for one in page(settings, 100)]
    async with connected(settings, reader(settings, got.append)) as (broker, _):
        for _ in range(3):  # a busy machine may have stopped in the middle of what is published
            got.clear()
            await publish_page(broker, large)
            await until(lambda: sum(map(len, got)) >= 100)
            if len(got) == 1:
                break
    assert [len(batch) for batch in got] == [100]


async def test_headers_are_what_was_given_and_nothing_random(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    got: list[Batch] = []
    wanted = [("ce_id", b"7"), ("content-type", b"application/json"), ("ce_type", "änderung".encode())]
    async with connected(bootstrap.settings, reader(bootstrap.settings, got.append)) as (broker, _):
        await publish_page(broker, [Outgoing(bootstrap.settings.topic(TOPIC), b"k", b"{}", wanted)])
        await until(lambda: bool(got))
    assert dict(got[0][0].headers) == dict(wanted) | {"correlation_id": b"7"}


async def test_whatever_lies_in_a_topic_reaches_the_handler(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    topic = bootstrap.settings.topic(TOPIC)
    strange = [
        (b"good", b"1", []),
        (b"not json", b"{", [("content-type", b"application/json")]),
        (b"not utf-8", b"\xff\xfe", [("ce_id", b"\xff")]),
        (b"null header", b"2", [("ce_id", None)]),
        (b"tombstone", None, []),
        (None, b"no key", [("a", b"1"), ("a", b"2")]),
    ]
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap.settings.bootstrap, acks="all")
    await producer.start()
    for key, value, headers in strange:
        await producer.send_and_wait(topic, value, key=key, partition=0, headers=headers)
    await producer.stop()
    got: list[tuple[object, object, list[object]]] = []

    def take(batch: Batch) -> None:
        got.extend((record.key, record.value, list(record.headers)) for record in batch)

    async with connected(bootstrap.settings, reader(bootstrap.settings, take)):
        await until(lambda: len(got) >= len(strange))
    assert got == strange


async def test_a_failing_batch_comes_again_until_it_succeeds(bootstrap: Bus, caplog: pytest.LogCaptureFixture) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    got: list[int] = []
    calls = 0

    async def take(batch: Batch) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("subject: a private matter")
        if calls == 2:
            inner = asyncio.ensure_future(asyncio.sleep(60))
            inner.cancel()
            await inner  # a leaked cancellation
        got.extend(int(record.value) for record in batch)

    async with connected(bootstrap.settings, reader(bootstrap.settings, take)) as (broker, (subscription,)):
        await publish_page(broker, page(bootstrap.settings, 50))
        await until(lambda: "ValueError" in subscription.health(time.time()).reason)
        await until(lambda: len(set(got)) >= 50)
        assert subscription.health(time.time()).well
    assert calls >= 3
    assert set(got) == set(range(50))
    assert "private matter" not in caplog.text


async def test_what_a_stop_interrupts_is_read_again(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    begun = asyncio.Event()

    async def hang(batch: Batch) -> None:
        begun.set()
        await asyncio.sleep(60)

    async with connected(bootstrap.settings, reader(bootstrap.settings, hang)) as (broker, _):
        await publish_page(broker, page(bootstrap.settings, 20))
        await asyncio.wait_for(begun.wait(), 20)
    got: list[int] = []
    again = reader(bootstrap.settings, lambda batch: got.extend(int(record.value) for record in batch))
    async with connected(bootstrap.settings, again):
        await until(lambda: len(got) >= 20)
    assert sorted(got) == list(range(20))


async def test_health_sees_that_the_reading_task_has_ended_and_revive_mends_it(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    got: list[int] = []
    make = reader(bootstrap.settings, lambda batch: got.extend(int(record.value) for record in batch))
    async with connected(bootstrap.settings, make) as (broker, (subscription,)):
        await publish_page(broker, page(bootstrap.settings, 5))
        await until(lambda: len(got) >= 5)
        for task in subscription.subscriber.tasks:
            task.cancel()
        await until(lambda: not subscription.health(time.time()).well)
        assert subscription.health(time.time()).reason == "group ingest: the reading task has ended"
        await subscription.revive()
        await publish_page(broker, page(bootstrap.settings, 5, start=5))
        await until(lambda: len(set(got)) >= 10)
        assert subscription.health(time.time()).well


async def test_a_record_too_large_is_refused_alone(bootstrap: Bus) -> None:
    await ensure_topics(bootstrap.settings, ["jira"], bootstrap.embedded)
    topic = bootstrap.settings.topic(TOPIC)
    records = [
        Outgoing(topic, b"a", b"x"),
        Outgoing(topic, b"b", b"x" * (MAX_RECORD_BYTES + 1)),
        Outgoing(topic, b"c", b"x" * (MAX_RECORD_BYTES - 1)),
        Outgoing(topic, b"d", None),
    ]
    async with connected(bootstrap.settings) as (broker, _):
        results = await publish_page(broker, records)
    assert isinstance(results[1], RecordTooLarge)
    assert all(isinstance(results[each], Placed) for each in (0, 2, 3))


@pytest.mark.kafka
async def test_kill_of_the_broker_loses_nothing_acknowledged(
    kafka_bus: Bus, kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "aiokafka")
    settings = kafka_bus.settings
    await ensure_topics(settings, ["jira"])
    acknowledged: set[int] = set()
    got: set[int] = set()
    refused = 0
    make = reader(settings, lambda batch: got.update(int(record.value) for record in batch))
    async with connected(settings, make) as (broker, (subscription,)):
        killing = asyncio.create_task(_killed_after(kafka, lambda: len(acknowledged) >= 200))
        start = 0
        while not refused or start < 1000:
            numbers = page(settings, 100, start)
            results = await publish_page(broker, numbers, seconds=2)
            acknowledged |= {start + n for n, result in enumerate(results) if isinstance(result, Placed)}
            refused += sum(not isinstance(result, Placed) for result in results)
            start += 100
            await asyncio.sleep(0.02)
        await killing
        await asyncio.to_thread(kafka.start)
        results = await publish_page(broker, page(settings, 100, start))
        assert all(isinstance(result, Placed) for result in results)
        acknowledged |= set(range(start, start + 100))
        await until(lambda: acknowledged <= got)
        await until(lambda: subscription.health(time.time()).well)
    assert len(acknowledged) >= 300


async def _killed_after(kafka: Kafka, holds: Callable[[], bool]) -> None:
    await until(holds)
    await asyncio.sleep(0.2)
    await asyncio.to_thread(kafka.kill)


def _extended(mine: list[int], batch: Batch) -> None:
    mine.extend(int(record.value) for record in batch)


@pytest.mark.kafka
async def test_two_readers_share_the_partitions(kafka_bus: Bus) -> None:
    settings = kafka_bus.settings
    await ensure_topics(settings, ["jira"])
    got: tuple[list[int], list[int]] = ([], [])
    makers = [reader(settings, partial(_extended, mine)) for mine in got]
    async with connected(settings, makers[0]) as (broker, (one,)), connected(settings, makers[1]) as (_, (other,)):
        await until(lambda: [each.health(time.time()).partitions for each in (one, other)] == [2, 2])
        await publish_page(broker, page(settings, 200))
        await until(lambda: len(got[0]) + len(got[1]) >= 200)
    assert sorted(got[0] + got[1]) == list(range(200))
    assert got[0]
    assert got[1]


async def test_what_is_committed_is_not_read_again_and_the_rest_is(bootstrap: Bus) -> None:
    settings = bootstrap.settings
    await ensure_topics(settings, ["jira"], bootstrap.embedded)
    first: list[int] = []
    async with connected(settings, reader(settings, lambda b: first.extend(int(r.value) for r in b))) as (broker, _):
        await publish_page(broker, page(settings, 30))
        await until(lambda: len(first) >= 30)
    async with connected(settings) as (broker, _):
        await publish_page(broker, page(settings, 10, start=30))
    second: list[int] = []
    async with connected(settings, reader(settings, lambda b: second.extend(int(r.value) for r in b))):
        await until(lambda: len(second) >= 10)
    assert sorted(second) == list(range(30, 40))


async def test_who_is_told_of_an_assignment_may_set_the_group_back(bootstrap: Bus) -> None:
    """Nothing new is published: what was committed is read again nevertheless."""
    settings = bootstrap.settings.model_copy(update={"partitions": 1})
    await ensure_topics(settings, ["jira"], bootstrap.embedded)
    got: list[int] = []
    async with connected(settings, reader(settings, lambda b: got.extend(int(r.value) for r in b))) as (broker, _):
        await publish_page(broker, page(settings, 30))
        await until(lambda: len(got) >= 30)
    got.clear()
    committed: list[int | None] = []
    subscription: Subscription

    async def take(batch: Batch) -> None:
        got.extend(int(record.value or b"") for record in batch)

    async def assigned(places: Iterable[tuple[str, int]]) -> None:
        for place in places:
            committed.append(await subscription.committed(*place))
            subscription.seek(*place, 20)

    def make(broker: KafkaBroker) -> Subscription:
        nonlocal subscription
        subscription = batch_subscriber(broker, settings, [TOPIC], "ingest", take, assigned=assigned)
        return subscription

    async with connected(settings, make):
        await until(lambda: len(got) >= 10)
    assert (committed[0], got[:10]) == (30, list(range(20, 30)))


async def test_topics_are_made_as_set(bootstrap: Bus) -> None:
    settings = bootstrap.settings.model_copy(update={"partitions": 3})
    ready = await ensure_topics(settings, ["jira", "mailbox"], bootstrap.embedded)
    again = await ensure_topics(settings, ["jira", "mailbox"], bootstrap.embedded)
    assert sorted(ready.notes) == sorted(
        f"created {settings.topic(name)}" for name in ("lifecycles", "source.jira", "source.mailbox")
    )
    assert again.notes == []
    assert ready.incarnation == again.incarnation != ""
    assert bool(EMBEDDED.fullmatch(ready.incarnation)) is (bootstrap.embedded is not None)
    consumer = AIOKafkaConsumer(settings.topic("source.mailbox"), bootstrap_servers=settings.bootstrap)
    await consumer.start()
    numbers = range(1 if bootstrap.embedded else 3)  # one process reads the embedded broker, and more would keep more
    wanted = {TopicPartition(settings.topic("source.mailbox"), number) for number in numbers}
    await until(lambda: consumer.assignment() == wanted)
    await consumer.stop()
