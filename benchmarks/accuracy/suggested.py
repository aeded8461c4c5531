"""The hub's suggestions about a generated company, for the accuracy benchmark and for fitting their weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from pipelines.suggest.model import Model
from pipelines.suggesting import Suggesting


@dataclass(frozen=True, slots=True)
class Compared:
    """Two artifacts of different requests, as the hub compared them."""

    left: str
    right: str
    probability: float
    features: dict[str, float]


async def compared(engine: AsyncEngine, model: Model | None = None) -> list[Compared]:
    """Everything that is suggested once the background step has looked at everything."""
    suggesting = Suggesting(engine, replay.now, "accuracy", model=model)
    await suggesting.begin()
    while await suggesting.once():
        pass
    sql = 'SELECT "left", "right", probability, features FROM suggestions ORDER BY worth DESC, id'
    async with engine.connect() as connection:
        rows = (await connection.execute(text(sql))).all()
    return [Compared(row[0], row[1], row[2], orjson.loads(row[3])) for row in rows]


async def suggest(engine: AsyncEngine) -> Sequence[tuple[str, str, float]]:
    """As the accuracy benchmark asks for them: (artifact, artifact, probability), with the weights of this release."""
    return [(one.left, one.right, one.probability) for one in await compared(engine)]
