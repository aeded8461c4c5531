"""What is read that not everybody may read, and what is read in bulk: noted soon after, no answer waits for it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import AWAY, why_away, writing
from schemas.access import Caller
from services.query.signed import Noting

logger = logging.getLogger("throughline")

BULK = 500
"""Requests read by one caller between two notes: more than a person looks at."""

EVERY = 20.0
"""Seconds between two notes."""

_NAMED = 100
"""Ids that one entry names."""

_CALLERS = 10_000
"""Callers that are remembered between two notes; of those beyond, nothing is lost but the count."""

Reader = tuple[Caller, str | None]
"""Who reads, and from which address."""


@dataclass(slots=True)
class _Read:
    requests: int = 0
    restricted: set[str] = field(default_factory=set)
    connections: set[str] = field(default_factory=set)


class Reads:
    """Collects what callers read. Whoever is this machine holds the database, and is not looked at."""

    def __init__(self, engine: AsyncEngine, noting: Noting | None) -> None:
        self._engine = engine
        self._noting = noting
        self._read: dict[Reader, _Read] = {}

    def by(self, caller: Caller, where: str | None) -> Callable[[str, frozenset[str]], None]:
        """Takes down what one caller is shown: a request's id, and the restricted connections they read in it."""
        if self._noting is None or caller.how == "loopback":
            return _nothing

        def shown(request: str, restricted: frozenset[str]) -> None:
            read = self._read.get((caller, where))
            if read is None:
                if len(self._read) >= _CALLERS:
                    return
                read = self._read[caller, where] = _Read()
            read.requests += 1
            if restricted:
                read.restricted.add(request)
                read.connections |= restricted

        return shown

    async def flush(self) -> None:
        """Note what was read. Raises what a database raises that is away."""
        taken, self._read = self._read, {}
        due = {who: read for who, read in taken.items() if read.restricted or read.requests >= BULK}
        if due and self._noting:
            async with writing(self._engine) as connection:
                for (caller, where), read in due.items():
                    noted = self._noting(caller, where)
                    if read.restricted:
                        named = sorted(read.restricted)[:_NAMED]
                        told = {"requests": named, "count": len(read.restricted), "of": sorted(read.connections)}
                        await noted(connection, "restricted.read", "requests", told)
                    if read.requests >= BULK:
                        await noted(connection, "bulk.read", "requests", {"count": read.requests})

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.flush()
            except AWAY as error:
                logger.warning("reads.unwritten", extra={"why": why_away(error)})


def _nothing(_request: str, _restricted: frozenset[str]) -> None:
    """Nobody takes it down."""
