"""The number of SQL statements does not depend on how many events a batch holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.watching import Watch
from tests.pipelines.memos import map_memo, memo, records
from tests.pipelines.test_ingest import NOW, Counting

MORE = 5
"""A turn may find kinds of things that a small one has not, each with a statement; a turn has 20 things or more."""


class Turns(Watch):
    """How many steps understanding took."""

    def __init__(self) -> None:
        self.taken = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.taken += name == "correlate"
        yield


@dataclass
class Cost:
    """SQL statements of one batch."""

    stored: int
    understood: int
    turns: int


async def cost(engine: AsyncEngine, first: int, events: int) -> Cost:
    """Of a batch of memos, a third of which mention the one before."""
    told = [memo(first + n, text=f"see MEMO-{first + n - 1}" if n % 3 else "") for n in range(events)]
    watch = Turns()
    ingest = Ingest(engine, {"memo": map_memo}, lambda: NOW, "one", watch=watch, full=1)  # it waits with understanding
    with Counting(engine) as storing:
        await ingest(records(told, first=first))
    with Counting(engine) as understanding:
        assert await ingest.catch_up.all() > 0
    return Cost(len(storing), len(understanding), watch.taken)


async def test_storing_500_events_costs_the_statements_of_one_and_understanding_those_of_its_turns(
    engine: AsyncEngine,
) -> None:
    await cost(engine, 1, 2)  # from here on who writes them is known
    one, few = await cost(engine, 1_000, 1), await cost(engine, 2_000, 3)
    some, many = await cost(engine, 3_000, 40), await cost(engine, 4_000, 500)
    assert many.stored == some.stored == few.stored == one.stored < 50
    assert (few.turns, some.turns) == (1, 1)
    assert some.understood == few.understood < 50
    assert 1 < many.turns < 50
    assert many.understood <= many.turns * (few.understood + MORE)
