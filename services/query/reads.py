"""What is read that not everybody may read, and what is read in bulk: noted soon after, no answer waits for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import AWAY, why_away, writing
from schemas.access import Caller
from services.query.database import DRIVER_ERRORS, refusal
from services.query.signed import Noting

logger = logging.getLogger("throughline")

BULK = 500
"""Requests read by one caller within WITHIN: more than a person looks at."""

WITHIN = 3600.0
"""Seconds. Who reads everything slowly reads in bulk, too."""

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


@dataclass(slots=True)
class _Count:
    """Requests that somebody read since the instant `at`, not yet noted as a bulk."""

    at: float
    requests: int = 0


class Reads:
    """Collects what callers read. Whoever is this machine holds the database, and is not looked at."""

    def __init__(
        self, engine: AsyncEngine, noting: Noting | None, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        """clock: seconds that never go back."""
        self._engine = engine
        self._noting = noting
        self._clock = clock
        self._read: dict[Reader, _Read] = {}
        self._counts: dict[str, _Count] = {}

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

    async def exported(self, caller: Caller, where: str | None, asked: Mapping[str, Any]) -> None:
        """Note that somebody takes away a table of requests, before the first of it leaves. Raises Refused."""
        if self._noting is None:
            return
        try:
            async with writing(self._engine) as connection:
                await self._noting(caller, where)(connection, "requests.exported", "requests", asked)
        except DRIVER_ERRORS as error:
            raise refusal(error, 0) from error

    async def flush(self) -> None:
        """Note what was read. Raises what a database raises that is away; what was read is noted later then."""
        taken, self._read = self._read, {}
        counts = self._counted(taken)
        many = {_who(reader): reader for reader in taken if counts[_who(reader)].requests >= BULK}
        try:
            await self._note(taken, {reader: counts[who].requests for who, reader in many.items()})
        except AWAY:
            self._put_back(taken)
            raise
        self._counts = {who: count for who, count in counts.items() if who not in many}

    def _counted(self, taken: Mapping[Reader, _Read]) -> dict[str, _Count]:
        """What was read before, as far as it still counts, and this; by account, from wherever it is used."""
        now = self._clock()
        counts = {who: _Count(one.at, one.requests) for who, one in self._counts.items() if one.at > now - WITHIN}
        for reader, read in taken.items():
            counts.setdefault(_who(reader), _Count(now)).requests += read.requests
        return counts

    async def _note(self, taken: Mapping[Reader, _Read], many: Mapping[Reader, int]) -> None:
        restricted = {reader: read for reader, read in taken.items() if read.restricted}
        if self._noting is None or not (restricted or many):
            return
        async with writing(self._engine) as connection:
            for (caller, where), read in restricted.items():
                named = sorted(read.restricted)[:_NAMED]
                told = {"requests": named, "count": len(read.restricted), "of": sorted(read.connections)}
                await self._noting(caller, where)(connection, "restricted.read", "requests", told)
            for (caller, where), count in many.items():
                await self._noting(caller, where)(connection, "bulk.read", "requests", {"count": count})

    def _put_back(self, taken: Mapping[Reader, _Read]) -> None:
        for reader, read in taken.items():
            again = self._read.setdefault(reader, _Read())
            again.requests += read.requests
            again.restricted |= read.restricted
            again.connections |= read.connections

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.flush()
            except AWAY as error:
                logger.warning("reads.unwritten", extra={"why": why_away(error)})


def _who(reader: Reader) -> str:
    """Whose reading it is."""
    caller = reader[0]
    return caller.account or f"{caller.how} {caller.name}"


def _nothing(_request: str, _restricted: frozenset[str]) -> None:
    """Nobody takes it down."""
