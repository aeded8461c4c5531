"""Offsets that jump: the database is older than the topic or the group (a restored backup), or records are gone.

What is still in the topic is read again: the group is set back to the first offset that is not applied. What is gone
(retention, a topic that was made anew, an embedded broker that ran over) is read again from the tools. It is looked for
when a partition is assigned, from what its group has committed, and with each record that does not follow the last one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import offsets
from pipelines.store.engine import AWAY, reading, why_away, writing
from services.feed import connections, pages

logger = logging.getLogger("throughline.gaps")

Partition = tuple[str, int]

LOOK_SECONDS = 10.0
"""For which the look at assignment may hold up a group that settles."""


class Positions(Protocol):
    """A group member's place in its partitions."""

    async def beginning(self, topic: str, partition: int) -> int:
        """The first offset that is still there."""
        ...

    async def end(self, topic: str, partition: int) -> int:
        """The offset that the next record gets."""
        ...

    async def committed(self, topic: str, partition: int) -> int | None:
        """The offset that the group goes on from; None: it has none."""
        ...

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on from there; the next commit says so."""
        ...


class GapGuard:
    """Hands batches on without what lies behind a jump. `connector_of`: topic to connector name."""

    def __init__(
        self,
        engine: AsyncEngine,
        handler: Callable[[Sequence[Any]], Awaitable[None]],
        positions: Callable[[], Positions],
        incarnation: str,
        connector_of: Mapping[str, str],
        *,
        embedded: bool,
    ) -> None:
        self.engine = engine
        self.handler = handler
        self.positions = positions
        self.incarnation = incarnation
        self.connector_of = connector_of
        self.embedded = embedded
        self._seen: dict[Partition, int] = {}

    async def __call__(self, batch: Sequence[Any]) -> None:
        """Handle the batch. Raises what the handler raises, after which the same batch may come again."""
        firsts: dict[Partition, int] = {}
        for record in batch:
            firsts.setdefault((record.topic, record.partition), record.offset)
        jumped = {place for place, first in firsts.items() if first != self._seen.get(place, -1)}
        back = await self._set_back(jumped, firsts) if jumped else set()
        handled = [record for record in batch if (record.topic, record.partition) not in back]
        if handled:
            await self.handler(handled)
        for record in handled:
            self._seen[record.topic, record.partition] = record.offset + 1

    async def assigned(self, places: Iterable[Partition]) -> None:
        """Look before the first record, which may be long in coming. Where the database is away, that one shows it.

        What is committed was applied before; a group that is further than the database follows a restored one.
        """
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                firsts = {place: await self.positions().committed(*place) or 0 for place in places}
                await self._set_back(set(firsts), firsts)
        except AWAY as error:
            logger.warning("gap.look.failed", extra={"problem": why_away(error)})

    async def _set_back(self, jumped: set[Partition], firsts: dict[Partition, int]) -> set[Partition]:
        """The partitions that were set back; where records are gone, their connections are read again instead."""
        async with reading(self.engine) as connection:
            following = await offsets.applied(connection, self.incarnation)
        back: set[Partition] = set()
        for place in sorted(jumped):
            expected = following.get(place, 0)
            if firsts[place] < expected and await self.positions().end(*place) < expected:
                await self._made_anew(place)
                expected = 0
            if firsts[place] <= expected:
                continue
            beginning = await self.positions().beginning(*place)
            if beginning < firsts[place]:
                back.add(place)
                self.positions().seek(*place, max(expected, beginning))
                logger.warning("gap.group.set_back", extra={"topic": place[0], "partition": place[1]})
            if beginning > expected and place in following:
                await self._gone(place)
        return back

    async def _made_anew(self, place: Partition) -> None:
        """The topic ends before what is applied: it is another one, or lost its end. Nobody knows what was in it."""
        logger.warning("gap.topic.made_anew", extra={"topic": place[0], "partition": place[1]})
        await self._gone(place)

    async def _gone(self, place: Partition) -> None:
        """What was not applied is not there any more. Said once: from then on nothing of the partition is applied."""
        await self._read_again(self.connector_of[place[0]])
        async with writing(self.engine) as connection:
            await offsets.forget(connection, self.incarnation, *place)

    async def _read_again(self, connector: str) -> None:
        """Records between what is applied and what is there are gone: the tools have them still."""
        async with writing(self.engine) as connection:
            for stored in await connections.every(connection):
                if stored.connector != connector:
                    continue
                logger.warning("gap.connection.read_again", extra={"connection": stored.id})
                if self.embedded:
                    await pages.forget_open(connection, stored.id)
                    await connections.change(connection, stored.id, epoch=stored.epoch + 1, wanted=True)
                else:
                    await connections.start_again(connection, stored.id, stored.since)
