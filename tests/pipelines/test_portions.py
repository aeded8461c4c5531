"""A very large piece falls apart in portions: others write between them, and whatever they do it ends the same."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import portions
from pipelines.deciding import Deciding, Wish
from pipelines.recompute import Recompute
from pipelines.store import pending, tables
from pipelines.store.engine import reading, writing
from pipelines.watching import Watch
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, members, outcome, rows
from tests.pipelines.test_large import SMALL, call_generic, giant, limit
from tests.pipelines.test_large_beside import SQLITE, agrees

__all__ = ["limit"]

Deed = Callable[[], Awaitable[object]]


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    before = portions.FIRST, portions.FEWEST, portions.LONG
    portions.FIRST, portions.FEWEST, portions.LONG = 5, 5, 0.0
    yield
    portions.FIRST, portions.FEWEST, portions.LONG = before


class Dead(BaseException):
    """The process ends here."""


class Between(Watch):
    """Begins a deed while the second portion is written: it writes when that is committed."""

    def __init__(self, deed: Deed) -> None:
        self.deed = deed
        self.folded = self.portions = 0
        self.done_at: int | None = None
        self.task: asyncio.Task[None] | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.folded += name == "fold"
        self.portions += name == "write"
        if name == "write" and self.portions == 2:
            self.task = asyncio.get_running_loop().create_task(self._do())
        yield

    async def _do(self) -> None:
        await self.deed()
        self.done_at = self.portions


async def parted(engine: AsyncEngine, watch: Watch) -> Recompute:
    """A giant whose value was called generic meanwhile; two of it hang together otherwise too."""
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(400, text="MEMO-2"), memo(401)]))
    await call_generic(engine, "jira.key|MEMO-1")
    recompute = Recompute(engine, lambda: NOW, "here", watch=watch)
    await recompute.large()
    return recompute


async def whole(engine: AsyncEngine, parts: int) -> None:
    found = await members(engine)
    assert len(set(found.values())) == parts
    assert found["400"] == found["2"] == request_id("memos/memo/2")
    assert await rows(engine, tables.deferred) == []
    assert [row.problem for row in await rows(engine, tables.requests) if row.problem] == []
    await agrees(engine)


@SQLITE
async def test_others_write_between_portions(engine: AsyncEngine) -> None:
    watch = Between(lambda: ingest_of(engine)(records([memo(500), memo(501, text="MEMO-500")], first=500)))
    recompute = await parted(engine, watch)
    assert watch.folded == 1, "what others did has nothing to do with it"
    assert watch.portions > SMALL / 6
    assert watch.done_at is not None
    assert watch.done_at < watch.portions
    await recompute.large()
    await whole(engine, SMALL + 3)


@SQLITE
async def test_what_comes_for_the_rest_meanwhile_is_worked_in(engine: AsyncEngine) -> None:
    told = [memo(3, version=2, parent=1, status="done"), memo(SMALL, version=2, parent=1, text="MEMO-401"), memo(9_000)]
    watch = Between(lambda: ingest_of(engine)(records(told, first=500)))
    recompute = await parted(engine, watch)
    assert watch.task is not None
    await watch.task
    await recompute.large()
    await whole(engine, SMALL + 2)


@SQLITE
async def test_a_decision_between_portions_holds(engine: AsyncEngine) -> None:
    first, last = ("memos/memo/1",), (f"memos/memo/{SMALL}",)
    wish = Wish(DecisionKind.LINK, "Anna", left=first, right=last)
    watch = Between(lambda: Deciding(engine, lambda: NOW).decide(wish))
    recompute = await parted(engine, watch)
    assert watch.task is not None
    await watch.task
    await recompute.large()
    found = await members(engine)
    assert found["1"] == found[str(SMALL)]
    await whole(engine, SMALL + 1)


@SQLITE
async def test_who_dies_between_portions_goes_on_with_what_is_left(engine: AsyncEngine) -> None:
    class Killed(Watch):
        portions = 0

        @contextmanager
        def step(self, name: str) -> Iterator[None]:
            self.portions += name == "write"
            if self.portions == 4:
                raise Dead
            yield

    with pytest.raises(Dead):
        await parted(engine, Killed())
    half = len(set((await members(engine)).values()))
    assert 1 < half < SMALL
    one = request_id("memos/memo/1")
    assert [row.id for row in await rows(engine, tables.requests) if row.problem] == [one], "it says so meanwhile"
    await Recompute(engine, lambda: NOW, "here").large()
    await whole(engine, SMALL + 2)


async def test_portions_and_all_at_once_end_the_same(engine: AsyncEngine) -> None:
    """Joined again too, with the link that is told by only one of them."""
    await parted(engine, Watch())
    in_portions = await outcome(engine)
    await call_generic(engine, "jira.key|MEMO-1", undo=True)
    recompute = Recompute(engine, lambda: NOW, "here")
    await recompute.large()
    assert len(set((await members(engine)).values())) == 2
    portions.FIRST = portions.FEWEST = 10_000
    await call_generic(engine, "jira.key|MEMO-1")
    await recompute.large()
    assert await outcome(engine) == in_portions
    await whole(engine, SMALL + 2)


async def test_what_is_to_be_computed_again_and_very_large_is_no_part_of_a_step(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([*giant(SMALL + 1), memo(400), memo(401)]))
    async with writing(engine) as connection:
        await pending.ask_everything(connection, "other rules", NOW)
    watch = Between(lambda: asyncio.sleep(0))
    recompute = Recompute(engine, lambda: NOW, "here", watch=watch)
    async with reading(engine) as connection:
        assert await pending.left(connection) == 3
    while await recompute.once():
        pass
    async with reading(engine) as connection:
        assert (await pending.left(connection), (await pending.progress(connection)).components) == (1, 1)
    assert watch.folded == 0, "a step is not watched"
    await recompute.large()
    assert watch.folded == 1
    async with reading(engine) as connection:
        assert (await pending.left(connection), (await pending.progress(connection)).components) == (0, 0)
    assert await rows(engine, tables.deferred) == await rows(engine, tables.pending) == []
    await agrees(engine)
