"""Dead letters that a person wants again: published on their source topic, from any process that feeds."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

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
READ_AGAIN = "it never was on a topic: mend its cause, then `throughline connections reread` its connection"
TOO_LARGE = f"it has more than {MAX_EVENT_BYTES} bytes: read its connection again once its connector cuts it"


@dataclass(frozen=True, slots=True)
class Replay:
    """A letter that is due, and the record to publish."""

    letter: str
    record: Outgoing


async def due(engine: AsyncEngine, limit: int = BATCH) -> list[Replay]:
    """Wanted letters, oldest first; those that cannot be replayed are set aside with the reason."""
    table = dead_letters.c
    published = func.coalesce(table.edited, table.raw).label("raw")
    wanted = select(table.id, table.origin, published).where(table.state == WANTED).order_by(table.at).limit(limit)
    async with reading(engine) as connection:
        rows = (await connection.execute(wanted)).all()
    found: list[Replay] = []
    refused: dict[str, list[str]] = {}
    for row in rows:
        connector = letters.connector_of(row.origin)
        if connector is None or len(row.raw) > MAX_EVENT_BYTES:
            refused.setdefault(READ_AGAIN if connector is None else TOO_LARGE, []).append(row.id)
        else:
            found.append(Replay(row.id, _record(row.id, connector, row.raw)))
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


async def step(engine: AsyncEngine, send: Send) -> int:
    """Publish what is due. Returns how many records Kafka has taken; a crash in between only publishes twice."""
    found = await due(engine)
    if not found:
        return 0
    results = await send([one.record for one in found])
    taken = [one.letter for one, result in zip(found, results, strict=True) if not isinstance(result, Exception)]
    await _note(engine, taken)
    return len(taken)


async def _note(engine: AsyncEngine, taken: Sequence[str]) -> None:
    if taken:
        async with writing(engine) as connection:
            await letters.replayed(connection, taken)
        logger.info("letters.replayed", extra={"letters": len(taken)})


async def run(engine: AsyncEngine, send: Send, idle: float = 2.0, pause: float = PAUSE) -> None:
    """Look for wanted letters for ever, a batch at a time; an outage of the database only waits."""
    waiting = Waiting("publishing letters again", "letters", logger)
    while True:
        try:
            done = await step(engine, send)
            waiting.over()
        except AWAY as error:
            waiting.away(error)
            done = 0
        await asyncio.sleep(pause if done else idle)
