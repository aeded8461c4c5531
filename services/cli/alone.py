"""A hub with the embedded broker is alone on its database, and ends when its broker does."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import leases
from pipelines.store.engine import AWAY, writing
from schemas.errors import Misconfigured, RetryLater
from services.broker import EmbeddedBroker
from services.cli.beginning import Tell

LEASE = "the hub with the embedded broker"
LASTS = timedelta(seconds=10)
"""How long a hub that went silent keeps others away."""


def place(data_dir: Path) -> str:
    """What tells this hub from others: the one in a data directory goes on with what it held."""
    return f"{socket.gethostname()}:{data_dir.resolve()}"


class Alone:
    """Holds the database. Two embedded brokers on one database would not know of each other's records."""

    def __init__(self, engine: AsyncEngine, holder: str, now: Callable[[], datetime], lasts: timedelta = LASTS) -> None:
        self._engine, self._holder, self._now, self._lasts = engine, holder, now, lasts

    @asynccontextmanager
    async def held(self, tell: Tell, pause: float = 0.5) -> AsyncIterator[None]:
        """Hold it meanwhile. Another hub that was killed is waited for; raises Misconfigured where one runs."""
        deadline = self._now() + self._lasts + timedelta(seconds=1)
        if (lease := await self._take()) is None:
            tell("waiting: another hub with an embedded broker held this database a moment ago")
        while lease is None:
            if self._now() > deadline:
                raise _another()
            await asyncio.sleep(pause)
            lease = await self._take()
        try:
            yield
        finally:
            with suppress(*AWAY):
                async with writing(self._engine) as connection:
                    await leases.release(connection, lease, self._now())

    async def keep(self, every: float = 3.0) -> None:
        """Keep holding it, for ever. Raises Misconfigured where another hub took over while this one was held up."""
        while True:
            await asyncio.sleep(every)
            with suppress(*AWAY):  # those who need it now say so
                if await self._take() is None:
                    raise _another()

    async def _take(self) -> leases.Lease | None:
        async with writing(self._engine) as connection:
            return await leases.take(connection, LEASE, self._holder, self._now(), self._lasts)


def _another() -> Misconfigured:
    return Misconfigured(
        "Another hub with an embedded broker runs on this database",
        "Stop it first, or give each hub a database of its own; several processes on one need a Kafka",
        "database_url",
    )


async def outlived(broker: EmbeddedBroker, pause: float = 0.5) -> None:
    """Until the embedded broker is gone: without it nothing is read, and a new one would not know what it held."""
    while True:
        if not broker.running:
            raise RetryLater("the embedded broker ended; start the hub again, it goes on where it was")
        await asyncio.sleep(pause)
