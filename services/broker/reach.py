"""Whether Kafka answers while the hub runs: said once when it does not, and once when it does again."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from faststream.kafka import KafkaBroker

from services.broker.settings import BrokerSettings

logger = logging.getLogger("throughline.broker")

PATIENCE = 2.0
"""Seconds that Kafka may take for an answer."""


class Reach:
    """Looks whether a connected broker answers."""

    def __init__(self, broker: KafkaBroker, settings: BrokerSettings) -> None:
        self._broker = broker
        self._away = f"Kafka at {settings.bootstrap} does not answer; reading waits for it"

    async def problem(self) -> str | None:
        """What is wrong now, as one line for an admin."""
        return None if await self._broker.ping(PATIENCE) else self._away

    async def run(self, every: float = 5.0, again: float = 1.0) -> None:
        """Look for ever. One answer that does not come is no outage: a busy machine may be slow."""
        while True:
            await asyncio.sleep(every)
            if not await self.problem():
                continue
            await asyncio.sleep(again)
            if (problem := await self.problem()) is None:
                continue
            logger.warning("broker.waits", extra={"problem": problem})
            with client_unheard():
                while problem:
                    await asyncio.sleep(again)
                    problem = await self.problem()
            logger.warning("broker.goes.on", extra={"problem": None})


@contextmanager
def client_unheard() -> Iterator[None]:
    """Do not write what aiokafka says meanwhile: it tells each attempt of each of its parts, and we tell the cause."""

    def others(record: logging.LogRecord) -> bool:
        return record.name.partition(".")[0] != "aiokafka"

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(others)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(others)
