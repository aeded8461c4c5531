"""Dead letters that a person wants again: published on their source topic, from any process that feeds."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.dead_letters import REPLAY_HEADER, WANTED
from pipelines.store.engine import AWAY, reading, writing
from pipelines.store.tables import dead_letters
from pipelines.waiting import Waiting
from schemas.events import MAX_EVENT_BYTES, Undecodable, from_kafka, to_kafka
from services.feed import letters
from services.feed.flow import Outgoing, Send

logger = logging.getLogger("throughline.feed")

BATCH = 50
PAUSE = 1.0
"""Seconds between two batches: what is new is not kept waiting by what is old."""
AGAIN = 300.0
"""Seconds after which what was published and not taken in is published once more: a broker may have dropped it."""
MOST_SENT = 500
"""Letters that are under way at most: ingest may stand still."""
READ_AGAIN = "it never was on a topic: mend its cause, then `throughline connections reread` its connection"
TOO_LARGE = f"it has more than {MAX_EVENT_BYTES} bytes: read its connection again once its connector cuts it"


@dataclass(frozen=True, slots=True)
class Replay:
    """A letter that is due, and the record to publish."""

    key: tuple[str, int]
    """The letter, and how often it had failed."""
    record: Outgoing


@dataclass(slots=True)
class Sent:
    """What this process has published and ingest has not taken in yet, so that it is not published at every look.

    It is kept in memory: a broker that forgets what it held ends with its process, and then all is published again.
    """

    clock: Callable[[], float] = time.monotonic
    at: dict[tuple[str, int], float] = field(default_factory=dict)
    """By letter and how often it had failed before."""

    def still(self, wanted: Collection[tuple[str, int]]) -> None:
        """Forget what is not wanted any more, and what was not taken in for long."""
        now = self.clock()
        self.at = {key: at for key, at in self.at.items() if key in wanted and now - at < AGAIN}

    def add(self, keys: Iterable[tuple[str, int]]) -> None:
        """Published now."""
        self.at |= dict.fromkeys(keys, self.clock())


async def due(engine: AsyncEngine, limit: int = BATCH, sent: Sent | None = None) -> list[Replay]:
    """Wanted letters that are not under way, oldest first; those that cannot be replayed are set aside with the
    reason."""
    sent, table = sent or Sent(), dead_letters.c
    published = func.coalesce(table.edited, table.raw).label("raw")
    async with reading(engine) as connection:
        wanted = select(table.id, table.attempts).where(table.state == WANTED).order_by(table.at, table.id)
        keys = [(row.id, row.attempts) for row in await connection.execute(wanted.limit(MOST_SENT + limit))]
        sent.still(frozenset(keys))
        new = [key for key in keys if key not in sent.at][: max(0, min(limit, MOST_SENT - len(sent.at)))]
        chosen = select(table.id, table.attempts, table.origin, published).where(
            table.id.in_([name for name, _ in new])
        )
        rows = (await connection.execute(chosen.order_by(table.at, table.id))).all()
    found: list[Replay] = []
    refused: dict[str, list[str]] = {}
    for row in rows:
        connector = letters.connector_of(row.origin)
        if connector is None or len(row.raw) > MAX_EVENT_BYTES:
            refused.setdefault(READ_AGAIN if connector is None else TOO_LARGE, []).append(row.id)
        else:
            found.append(Replay((row.id, row.attempts), _record(row.id, connector, row.raw)))
    if refused:
        async with writing(engine) as connection:
            for note, ids in refused.items():
                await letters.refuse(connection, ids, note)
    return found


def _record(letter: str, connector: str, raw: bytes) -> Outgoing:
    """The record as it was published or as a person edited it, with its letter's id; what is no source event goes as
    it is."""
    mark = (REPLAY_HEADER, letter.encode())
    try:
        key, _, headers = to_kafka(from_kafka(raw, ()))
    except Undecodable:
        return connector, letter.encode(), raw, [mark]
    return connector, key, raw, [*headers, mark]


async def step(engine: AsyncEngine, send: Send, sent: Sent | None = None) -> int:
    """Publish what is due. Returns how many records Kafka has taken. A letter stays wanted until ingest has taken it
    in, so that a crash in between only publishes twice."""
    sent = sent or Sent()
    found = await due(engine, sent=sent)
    if not found:
        return 0
    results = await send([one.record for one in found])
    taken = [one.key for one, result in zip(found, results, strict=True) if not isinstance(result, Exception)]
    sent.add(taken)
    if taken:
        logger.info("letters.published", extra={"letters": len(taken)})
    return len(taken)


async def run(engine: AsyncEngine, send: Send, idle: float = 2.0, pause: float = PAUSE) -> None:
    """Look for wanted letters for ever, a batch at a time; an outage of the database only waits."""
    waiting, sent = Waiting("publishing letters again", "letters.waits", "letters.goes.on", logger), Sent()
    while True:
        try:
            done = await step(engine, send, sent)
            waiting.over()
        except AWAY as error:
            waiting.away(error)
            done = 0
        await asyncio.sleep(pause if done else idle)
