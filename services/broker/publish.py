"""Publishing a page of records, and knowing for each whether all in-sync replicas have it."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from faststream.kafka import KafkaBroker

logger = logging.getLogger("throughline.broker")

MAX_RECORD_BYTES = 900_000
"""Key, value and headers of one record. Kafka's topics take 1,048,588 bytes with batch and framing by default."""


class Outgoing(NamedTuple):
    """One record to publish; a value of None is a tombstone."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Placed(NamedTuple):
    """Where Kafka keeps a record, said by all in-sync replicas."""

    partition: int
    offset: int


class RecordTooLarge(ValueError):
    """A record over MAX_RECORD_BYTES: it was not sent, and sending it again cannot help."""


class Unconfirmed(RuntimeError):
    """No acknowledgement: the record may be in the topic, or come there later, or not. Send it again."""


async def publish_page(
    broker: KafkaBroker, records: Sequence[Outgoing], *, seconds: float = 30
) -> list[Placed | Exception]:
    """Publish all at once and wait for every acknowledgement, for at most `seconds`; one result per record, in order.

    An exception as a result means "not acknowledged", never "not sent"; the exceptions are RecordTooLarge, and those
    after which the page is to be published again: Unconfirmed or a KafkaError. After the first record that the
    producer does not take (its buffer is full because Kafka is away), the rest is not tried.
    """
    pending: list[asyncio.Future[Any] | Exception] = []
    try:
        async with asyncio.timeout(seconds):
            for record in records:
                pending.append(await _send(broker, record))
                if isinstance(pending[-1], KafkaError) and not isinstance(pending[-1], MessageSizeTooLargeError):
                    break
            waiting = [item for item in pending if not isinstance(item, Exception)]
            await asyncio.gather(*waiting, return_exceptions=True)
    except TimeoutError:
        logger.warning("Kafka did not acknowledge a page of %d records within %g s", len(records), seconds)
    missing = len(records) - len(pending)
    return [*map(_outcome, pending), *[Unconfirmed("not sent: an earlier record was not taken")] * missing]


async def _send(broker: KafkaBroker, record: Outgoing) -> "asyncio.Future[Any] | Exception":
    size = len(record.key) + len(record.value or b"") + sum(len(n) + len(v) for n, v in record.headers)
    if size > MAX_RECORD_BYTES:
        return RecordTooLarge(f"a record of {size} bytes for {record.topic}; at most {MAX_RECORD_BYTES}")
    headers = {name: value.decode() for name, value in record.headers}
    try:
        future: asyncio.Future[Any] = await broker.publish(
            record.value,
            record.topic,
            key=record.key,
            headers=headers,
            # Else FastStream would add a random one to each record.
            correlation_id=headers.get("ce_id"),
            no_confirm=True,
        )
    except KafkaError as error:
        refused: Exception = error
        return refused
    return future


def _outcome(item: "asyncio.Future[Any] | Exception") -> Placed | Exception:
    if isinstance(item, Exception):
        return item
    if not item.done() or item.cancelled():
        return Unconfirmed("no acknowledgement in time")
    error = item.exception()
    if error is None:
        return Placed(item.result().partition, item.result().offset)
    return error if isinstance(error, Exception) else Unconfirmed(type(error).__name__)
