"""How far `lifecycles` was told: read from its end when a publisher begins."""

import asyncio
import logging

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faststream.kafka.security import parse_security

from schemas.errors import RetryLater
from services.broker.reach import client_unheard
from services.broker.settings import BrokerSettings
from services.broker.topics import LIFECYCLES

logger = logging.getLogger("throughline.broker")

LAST = 100
"""Records that are looked at: a batch of which some were not acknowledged ends with lower numbers than it has."""


async def told_up_to(settings: BrokerSettings, *, seconds: float = 8) -> int | None:
    """The highest change number among the last records; 0: there is none; None: this user may not read the topic.

    Raises RetryLater where Kafka does not answer within `seconds`.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap.split(","), client_id=settings.client_id, request_timeout_ms=5_000,
        **parse_security(settings.security()),
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            with client_unheard():
                await consumer.start()
            return max(map(_number, await _end(consumer, settings.topic(LIFECYCLES))), default=0)
    except TopicAuthorizationFailedError:
        logger.warning("publish.end.unread", extra={"mend": "grant READ on lifecycles, see `throughline topics`"})
        return None
    except (KafkaError, TimeoutError) as error:
        raise RetryLater(f"Kafka: the end of lifecycles cannot be read ({type(error).__name__})") from error
    finally:
        await consumer.stop()


async def _end(consumer: AIOKafkaConsumer, topic: str) -> "list[ConsumerRecord[bytes, bytes]]":
    here = TopicPartition(topic, 0)
    consumer.assign([here])
    end = (await consumer.end_offsets([here]))[here]
    first = (await consumer.beginning_offsets([here]))[here]
    consumer.seek(here, max(first, end - LAST))
    found: list[ConsumerRecord[bytes, bytes]] = []
    while await consumer.position(here) < end:
        found += (await consumer.getmany(here, timeout_ms=200)).get(here, ())
    return found


def _number(record: "ConsumerRecord[bytes, bytes]") -> int:
    text = dict(record.headers).get("ce_sequence", b"")
    return int(text) if text.isdigit() else 0
