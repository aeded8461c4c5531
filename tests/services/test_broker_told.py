"""How far `lifecycles` was told is read from its end, where that is allowed."""

import asyncio

import pytest

from schemas.errors import RetryLater
from services.broker import (
    LIFECYCLES,
    BrokerSettings,
    Outgoing,
    Placed,
    Right,
    close,
    connect,
    ensure_topics,
    open_broker,
    publish_page,
    rights,
    told_up_to,
)
from tests.conftest import Bus
from tests.parts.kafka import ADMIN, ADMIN_PASSWORD, Kafka
from tests.parts.presence import free_port
from tests.services.test_broker_connecting import _once_granted, grant, secure


async def tell(settings: BrokerSettings, numbers: list[int]) -> None:
    topic, broker = settings.topic(LIFECYCLES), open_broker(settings)
    await connect(broker, settings, wait=60)
    page = [Outgoing(topic, b"R", b"{}", [("ce_sequence", str(number).encode())]) for number in numbers]
    placed = await publish_page(broker, [*page, Outgoing(topic, b"no number", b"{}")])
    assert all(isinstance(one, Placed) for one in placed), placed
    await close(broker)


@pytest.mark.kafka
async def test_the_highest_number_is_found_also_behind_what_was_sent_once_more(kafka_bus: Bus) -> None:
    settings = kafka_bus.settings
    await ensure_topics(settings, ["jira"])
    assert await told_up_to(settings) == 0
    await tell(settings, [*range(1, 301), 260, 270])
    assert await told_up_to(settings) == 300


async def test_a_kafka_that_is_away_is_waited_for() -> None:
    with pytest.raises(RetryLater, match="lifecycles"):
        await told_up_to(BrokerSettings(bootstrap=f"127.0.0.1:{free_port()}"))


@pytest.mark.kafka
async def test_who_may_not_read_the_topic_does_not_know(secure_kafka: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    settings = secure(secure_kafka, prefix="told.", replication=1)
    await ensure_topics(secure(secure_kafka, ADMIN, ADMIN_PASSWORD, prefix="told.", replication=1), ["jira"])
    listed = rights(settings, "publish", ["jira"])
    grant(secure_kafka, [right for right in listed if right.operation != "READ"])
    await _once_granted(lambda: tell(settings, [7]))
    assert await told_up_to(settings) is None
    assert "grant READ" in caplog.records[-1].mend  # type: ignore[attr-defined]
    grant(secure_kafka, [Right("topic", settings.topic(LIFECYCLES), "READ")])
    async with asyncio.timeout(60):
        while await told_up_to(settings) != 7:
            await asyncio.sleep(0.1)
