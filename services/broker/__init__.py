"""Kafka as the hub uses it, so that nothing is lost on the way.

FastStream's defaults lose data in several ways; the options here were chosen against a real broker under kill -9:

- the position is committed only after the handler's success (NACK_ON_ERROR), starting at "earliest";
- parser and decoder cannot fail: whatever lies in a topic (no value, no UTF-8, no JSON) reaches the handler;
- a CancelledError that leaks out of a handler would end the reading for good, silently: it becomes a repetition;
- `acks=all` without the idempotent producer (after one refusal that locks a partition up): readers drop what they know;
- topics are never created by the way, with one partition and no settings.
"""

from services.broker.batches import Batch, BatchFailed, Handler, Health, Subscription, batch_subscriber
from services.broker.connect import close, connect, open_broker
from services.broker.embedded import EmbeddedBroker, EmbeddedBrokerError
from services.broker.publish import MAX_RECORD_BYTES, Outgoing, Placed, RecordTooLarge, Unconfirmed, publish_page
from services.broker.reach import Reach
from services.broker.settings import BrokerSettings
from services.broker.told import told_up_to
from services.broker.topics import (
    LIFECYCLES,
    Ready,
    Right,
    Topic,
    compare_topics,
    ensure_topics,
    rights,
    source_topic,
    topics,
)

__all__ = [
    "LIFECYCLES", "MAX_RECORD_BYTES",
    "Batch", "BatchFailed", "BrokerSettings", "EmbeddedBroker", "EmbeddedBrokerError", "Handler", "Health", "Outgoing",
    "Placed", "Reach", "Ready", "RecordTooLarge", "Right", "Subscription", "Topic", "Unconfirmed",
    "batch_subscriber", "close", "compare_topics", "connect", "ensure_topics", "open_broker", "publish_page", "rights",
    "source_topic", "told_up_to", "topics",
]  # fmt: skip
