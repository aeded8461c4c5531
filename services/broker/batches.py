"""Reading a topic in batches with a consumer group: committed only after the handler's success, whatever goes wrong."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from schemas.errors import RetryLater
from services.broker.settings import BrokerSettings

logger = logging.getLogger("throughline.broker")

Batch: TypeAlias = tuple[ConsumerRecord, ...]
"""Records of one or more partitions, in order within each. A value or header value can be None, and any bytes."""
Handler: TypeAlias = Callable[[Batch], Awaitable[None]]
Assigned: TypeAlias = Callable[[Iterable[tuple[str, int]]], Awaitable[None]]
"""Told the (topic, partition) of each new assignment before anything of it is read; may seek."""

LONGEST_PAUSE = 30.0
"""Seconds between repetitions of a failed batch; doubled each time. Far below Kafka's max.poll.interval of 300 s."""
SETTLING = 0.2
"""Seconds within which an ended reading task is replaced by FastStream, if it is."""
REVIVING = 60.0
"""Seconds that reading anew may take to begin."""
SILENT_AFTER = 10.0
"""Seconds without an answer from Kafka after which reading counts as unwell (an idle topic answers every 0.5 s)."""


class _Timing(NamedTuple):
    """Milliseconds, in Kafka's words."""

    fetch_max_wait: int
    session_timeout: int
    heartbeat_interval: int


_KAFKA_TIMING = _Timing(500, 10_000, 3_000)
# The embedded broker holds an empty fetch for the whole wait, even when records arrive meanwhile; and a member that
# comes after another has left waits there for the session time-out less 1 s.
_EMBEDDED_TIMING = _Timing(30, 3_000, 800)


class BatchFailed(RuntimeError):
    """The handler failed; the same records come again. Says the kind of error and the place, never its text."""


def _said_once(record: logging.LogRecord) -> bool:
    """FastStream logs each repetition of a batch as an error; why it is repeated is said once, by `handle`."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else record.exc_info
    return not isinstance(error, BatchFailed)


logging.getLogger("throughline.broker.faststream").addFilter(_said_once)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a subscription reads; `reason` is one line for an admin, empty when well."""

    well: bool
    reason: str
    partitions: int


class Subscription:
    """One member of a consumer group, reading batches; made by `batch_subscriber`."""

    def __init__(self, handler: Handler, label: str, first_pause: float) -> None:
        self._handler = handler
        self._first_pause = first_pause
        self._label = label
        self._failures = 0
        self._busy_since: float | None = None
        self.subscriber: BatchSubscriber
        """FastStream's own object."""
        self.failing = ""
        """Why the current batch is being repeated; empty when it is not."""

    async def handle(self, batch: Batch) -> None:
        """Hand the batch on; after a failure wait, then raise, so that the very same batch comes again."""
        self._busy_since = asyncio.get_running_loop().time()
        try:
            await self._handler(batch)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # a stop: nothing is committed, the next start reads it again
            await self._failed("an inner task was cancelled")
        except Exception as error:  # noqa: BLE001 - the worker's boundary: it waits, says so, and repeats
            await self._failed(_safe_text(error))
        else:
            self._failures, self.failing = 0, ""
        finally:
            self._busy_since = None

    async def _failed(self, reason: str) -> None:
        pause = min(self._first_pause * 2**self._failures, LONGEST_PAUSE)
        self._failures += 1
        if reason != self.failing:
            logger.warning("%s: the batch will be repeated: %s", self._label, reason)
        self.failing = reason
        await asyncio.sleep(pause)
        raise BatchFailed(reason) from None

    def health(self, now: float) -> Health:
        """Look at the reading task, the assignment and Kafka's last answer; now is Unix time in seconds.

        A ping of the broker does not tell: reading can have ended while Kafka answers.
        """
        consumer = self.subscriber.consumer
        assigned = consumer.assignment() if consumer is not None else set()
        if standing := self._standing():
            reason = standing
        elif self.failing:
            reason = f"repeating a batch: {self.failing}"
        elif not assigned:
            reason = "no partition is assigned (more readers than partitions, or the group is settling)"
        else:
            reason = self._silence(assigned, now)
        return Health(not reason, f"{self._label}: {reason}" if reason else "", len(assigned))

    def _standing(self) -> str:
        """Why nothing is read any more, or yet, until somebody begins anew; empty while it is read."""
        if not self.subscriber.running or self.subscriber.consumer is None:
            return "not started"
        return "" if any(not task.done() for task in self.subscriber.tasks) else "the reading task has ended"

    def _silence(self, assigned: "set[TopicPartition]", now: float) -> str:
        """Nothing heard from Kafka for long, although no handler holds the reading up."""
        consumer = self.subscriber.consumer
        assert consumer is not None
        if self._busy_since is not None:
            return ""
        polled = [consumer.last_poll_timestamp(each) for each in assigned]
        oldest = min((at for at in polled if at is not None), default=None)
        silent = 0.0 if oldest is None else now - oldest / 1000
        return f"no answer from Kafka for {silent:.0f} s" if silent > SILENT_AFTER else ""

    async def lag(self, *, seconds: float = 2.0) -> dict[tuple[str, int], int]:
        """Records not yet handed on, per (topic, partition) assigned and known by now."""
        found: dict[tuple[str, int], int] = {}
        consumer = self.subscriber.consumer
        if consumer is None:
            return found
        for each in consumer.assignment():
            end = consumer.highwater(each)
            if end is None:
                continue
            try:
                async with asyncio.timeout(seconds):
                    found[each.topic, each.partition] = max(0, end - await consumer.position(each))
            except TimeoutError:
                continue
        return found

    async def beginning(self, topic: str, partition: int) -> int:
        """The first offset of an assigned partition that is still there."""
        consumer = self.subscriber.consumer
        assert consumer is not None
        place = TopicPartition(topic, partition)
        return int((await consumer.beginning_offsets([place]))[place])

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next record of an assigned partition gets."""
        consumer = self.subscriber.consumer
        assert consumer is not None
        place = TopicPartition(topic, partition)
        return int((await consumer.end_offsets([place]))[place])

    async def committed(self, topic: str, partition: int) -> int | None:
        """The offset that the group goes on from, as Kafka has it; None: it has none."""
        consumer = self.subscriber.consumer
        assert consumer is not None
        offset = await consumer.committed(TopicPartition(topic, partition))
        return None if offset is None else int(offset)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on from there. Called by a handler that then returns, the group's position is set there, too."""
        consumer = self.subscriber.consumer
        assert consumer is not None
        consumer.seek(TopicPartition(topic, partition), offset)

    async def revive(self) -> None:
        """Stop and start reading anew, from what is committed."""
        await self.subscriber.stop()
        await self.subscriber.start()

    async def watch(self, revived: Callable[[], None], every: float = 5.0) -> None:
        """Look for ever, from when the broker is connected, and begin anew where reading has ended.

        FastStream replaces a reading task that fails, but not one that was cancelled from within (a cancellation that
        some library leaks): then Kafka answers, the partitions stay assigned, and nothing is read.
        """
        while True:
            await asyncio.sleep(every)
            if self._standing():
                await asyncio.sleep(SETTLING)
            if not (reason := self._standing()):
                continue
            logger.error("%s: %s; it is begun anew", self._label, reason)
            try:
                async with asyncio.timeout(REVIVING):
                    await self.revive()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.warning("%s: cannot begin yet: %s", self._label, type(error).__name__)
            else:
                revived()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Hands each assignment on."""

    def __init__(self, assigned: Assigned, label: str) -> None:
        self._assigned = assigned
        self._label = label

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing is held for a partition."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Before anything of it is read."""
        try:
            await self._assigned(sorted((one.topic, one.partition) for one in assigned))
        except KafkaError as error:  # the reading itself tells that Kafka is away
            logger.warning("%s: the assignment was not looked at: %s", self._label, type(error).__name__)


def _safe_text(error: Exception) -> str:
    """RetryLater's text is made for admins. Any other's may hold content, so its kind and place must do."""
    if isinstance(error, RetryLater):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def batch_subscriber(
    broker: KafkaBroker,
    settings: BrokerSettings,
    topics: Sequence[str],
    group: str,
    handler: Handler,
    *,
    assigned: Assigned | None = None,
    instance: str | None = None,
    max_records: int = 500,
    batch_timeout_ms: int = 200,
    first_pause: float = 0.5,
) -> Subscription:
    """Subscribe before `connect`: `handler` gets every record of `topics` at least once, oldest first.

    topics and group are names without the prefix. The batch is committed when the handler returns. When it raises,
    the same records come again after first_pause seconds, then twice that and so on, for ever: raise only when the
    store is away, and put a record aside that can never be handled. assigned: see Assigned. instance is a name unique
    among the group's living members; with it, a restart after kill -9 goes on at once, where Kafka would first wait
    10 s for the dead.
    """
    label = f"group {group}"
    subscription = Subscription(handler, label, first_pause)
    timing = _EMBEDDED_TIMING if settings.embedded else _KAFKA_TIMING
    subscriber = broker.subscriber(
        *map(settings.topic, topics),
        batch=True,
        max_records=max_records,
        batch_timeout_ms=batch_timeout_ms,
        fetch_max_wait_ms=timing.fetch_max_wait,
        session_timeout_ms=timing.session_timeout,
        heartbeat_interval_ms=timing.heartbeat_interval,
        group_id=settings.topic(group),
        group_instance_id=instance,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        listener=_Listener(assigned, label) if assigned else None,
    )
    subscription.subscriber = subscriber

    _raw(subscriber)(subscription.handle)
    return subscription


def _raw(subscriber: BatchSubscriber) -> Callable[[Handler], object]:
    """Take handlers with a parser and decoder that hand the records on as they are: nothing in them can fail."""

    async def parser(message: Batch, _original: Any) -> KafkaAckableMessage:
        return KafkaAckableMessage(
            body=b"",
            raw_message=message,
            headers={},
            correlation_id="",
            message_id="",
            consumer=subscriber.consumer,
        )

    async def decoder(message: KafkaAckableMessage, _original: Any) -> Batch:
        records: Batch = message.raw_message
        return records

    return lambda handler: subscriber(handler, parser=parser, decoder=decoder)
