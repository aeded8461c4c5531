"""While a very large piece is computed on SQLite, others write; what they changed of it meanwhile counts."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.deciding import Deciding, Wish
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.store.engine import open_engine
from pipelines.watching import Watch
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, members
from tests.pipelines.test_large import SMALL, giant, limit

__all__ = ["limit"]

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Deed = Callable[[AsyncEngine], Awaitable[object]]
ONE, APART = request_id("memos/memo/1"), request_id("memos/memo/400")


class Meanwhile(Watch):
    """Has somebody else do something, in a process of their own as it were, when the first results are folded; or
    written, of suggestions."""

    def __init__(self, url: str, deed: Deed, times: int = 1, at: str = "fold") -> None:
        self.url, self.deed, self.times, self.at = url, deed, times, at
        self.turns = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self._come(name)
        yield

    @contextmanager
    def span(self, name: str, after: Any = None, **attributes: str | int) -> Iterator[None]:
        del after, attributes
        self._come(name)
        yield

    def _come(self, name: str) -> None:
        if name == self.at:
            self.turns += 1
            if self.turns <= self.times:
                other = threading.Thread(target=asyncio.run, args=(self._elsewhere(),))
                other.start()
                other.join(30)
                assert not other.is_alive(), "others wait for who computes"

    async def _elsewhere(self) -> None:
        engine = open_engine(self.url)
        try:
            await self.deed(engine)
        finally:
            await engine.dispose()


async def worked_in(engine: AsyncEngine, url: str, deed: Deed) -> Meanwhile:
    """A giant of which one artifact was left aside, worked in while somebody does something."""
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(400), memo(401, parent=400)]))
    await ingest_of(engine)(records([memo(99, parent=1), memo(401, version=2, parent=400, text="MEMO-1")], first=100))
    watch = Meanwhile(url, deed)
    await Recompute(engine, lambda: NOW, "here", watch=watch).large()
    return watch


async def agrees(engine: AsyncEngine) -> None:
    assert await Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here").check() == []


async def decided(engine: AsyncEngine, url: str, deed: Deed) -> Meanwhile:
    """Somebody decides that something belongs to a giant, while somebody else does something."""
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(400), memo(401, parent=400)]))
    watch = Meanwhile(url, deed)
    wish = Wish(DecisionKind.LINK, "Anna", left=("memos/memo/400",), right=("memos/memo/5",))
    await Deciding(engine, lambda: NOW, watch=watch).decide(wish)
    found = await members(engine)
    assert found["400"] == found["5"]
    return watch


@SQLITE
async def test_others_write_while_a_decision_about_a_giant_is_worked_out(
    engine: AsyncEngine, database_url: str
) -> None:
    async def deed(other: AsyncEngine) -> None:
        await ingest_of(other)(records([memo(500), memo(501, parent=500)], first=200))

    assert (await decided(engine, database_url, deed)).turns == 1
    found = await members(engine)
    assert (found["400"], found["401"], found["501"]) == (ONE, ONE, request_id("memos/memo/500"))
    await agrees(engine)


@SQLITE
async def test_what_it_is_about_changes_while_a_decision_is_worked_out(engine: AsyncEngine, database_url: str) -> None:
    async def deed(other: AsyncEngine) -> None:
        await ingest_of(other)(records([memo(402, parent=400)], first=200))

    assert (await decided(engine, database_url, deed)).turns == 2
    assert (await members(engine))["402"] == ONE
    await agrees(engine)


@SQLITE
async def test_somebody_decides_otherwise_while_a_decision_is_worked_out(
    engine: AsyncEngine, database_url: str
) -> None:
    async def deed(other: AsyncEngine) -> None:
        wish = Wish(DecisionKind.UNLINK, "Bert", left=("memos/memo/400",), right=("memos/memo/1",))
        await Deciding(other, lambda: NOW).decide(wish)

    assert (await decided(engine, database_url, deed)).turns == 2
    found = await members(engine)
    assert (found["1"], found["7"]) == (ONE, ONE) != (found["400"], found["5"])
    await agrees(engine)
    await Deciding(engine, lambda: NOW).decide(Wish(DecisionKind.UNDO, "Anna", undoes=2))
    found = await members(engine)
    assert (found["400"], found["5"]) == (APART, ONE)
    await agrees(engine)


@SQLITE
async def test_others_write_meanwhile_and_nothing_is_computed_twice(engine: AsyncEngine, database_url: str) -> None:
    async def deed(other: AsyncEngine) -> None:
        await ingest_of(other)(records([memo(500), memo(501, parent=500)], first=200))

    watch = await worked_in(engine, database_url, deed)
    assert watch.turns == 1
    found = await members(engine)
    assert (found["99"], found["401"], found["501"]) == (ONE, ONE, request_id("memos/memo/500"))
    await agrees(engine)


@SQLITE
async def test_a_fact_that_comes_meanwhile_is_worked_in_next(engine: AsyncEngine, database_url: str) -> None:
    async def deed(other: AsyncEngine) -> None:
        await ingest_of(other)(records([memo(98, parent=99)], first=200))

    await worked_in(engine, database_url, deed)
    await Recompute(engine, lambda: NOW, "here").large()
    found = await members(engine)
    assert (found["99"], found["98"]) == (ONE, ONE)
    await agrees(engine)


@SQLITE
async def test_a_decision_taken_meanwhile_is_never_lost(engine: AsyncEngine, database_url: str) -> None:
    async def deed(other: AsyncEngine) -> None:
        ends = ("memos/memo/1",), ("memos/memo/400",)
        await Deciding(other, lambda: NOW).decide(Wish(DecisionKind.UNLINK, "Anna", left=ends[0], right=ends[1]))

    watch = await worked_in(engine, database_url, deed)
    found = await members(engine)
    assert (found["400"], found["99"]) == (APART, ONE)
    assert watch.turns >= 1
    await agrees(engine)


@SQLITE
async def test_who_joins_or_leaves_a_part_of_it_meanwhile_stays_there(engine: AsyncEngine, database_url: str) -> None:
    async def deed(other: AsyncEngine) -> None:
        told = [memo(402, parent=400), memo(400, version=2, status="done")]
        await ingest_of(other)(records(told, first=200))

    await worked_in(engine, database_url, deed)
    await Recompute(engine, lambda: NOW, "here").large()
    found = await members(engine)
    assert found["402"] == found["400"] == ONE
    await agrees(engine)


@SQLITE
async def test_where_others_never_stop_they_wait_in_the_end(engine: AsyncEngine, database_url: str) -> None:
    numbers = iter(range(600, 700))

    async def deed(other: AsyncEngine) -> None:
        number = next(numbers)
        wish = Wish(DecisionKind.NO_REQUEST, "Anna", left=(f"memos/memo/{number}",))
        await ingest_of(other)(records([memo(number)], first=number))
        await Deciding(other, lambda: NOW).decide(wish)

    await ingest_of(engine)(records([*giant(SMALL + 1)]))
    await ingest_of(engine)(records([memo(99, parent=1)], first=100))
    watch = Meanwhile(database_url, deed, times=3)
    await Recompute(engine, lambda: NOW, "here", watch=watch).large()
    assert watch.turns == 4
    assert (await members(engine))["99"] == ONE
    await agrees(engine)
