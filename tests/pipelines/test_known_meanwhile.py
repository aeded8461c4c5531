"""While a very large piece is computed on SQLite, somebody in it becomes known otherwise: no record stays behind."""

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import portions
from pipelines.deciding import Deciding, Wish
from pipelines.recompute import Recompute
from pipelines.store import tables
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from tests.pipelines.memos import records
from tests.pipelines.test_ingest import NOW, ingest_of, rows
from tests.pipelines.test_large import SMALL, call_generic, giant, limit
from tests.pipelines.test_large_beside import SQLITE, Meanwhile, agrees
from tests.pipelines.test_people import one
from tests.pipelines.test_portions import Between

__all__ = ["limit"]

NAMED = "Zoe Sand"


async def names(engine: AsyncEngine, number: int) -> set[str | None]:
    """Of the people in a memo's request."""
    wanted = request_id(f"memos/memo/{number}")
    (record,) = [orjson.loads(row.record) for row in await rows(engine, tables.requests) if row.id == wanted]
    return {person["name"] for person in record["people"]}


async def told(engine: AsyncEngine) -> None:
    """Another tool says who has the address."""
    await ingest_of(engine)(records([one(900, "zed", NAMED)], first=900))


async def settled(engine: AsyncEngine) -> None:
    """Everything that is noted is worked off, and is what a rebuild makes."""
    recompute = Recompute(engine, lambda: NOW, "here")
    while await recompute.late() + await recompute.once() + await recompute.large():
        pass
    await agrees(engine)


@SQLITE
async def test_somebody_new_in_it(engine: AsyncEngine, database_url: str) -> None:
    await ingest_of(engine)(records(giant(SMALL + 1)))
    await ingest_of(engine)(records([one(99, "zoe", parent=1)], first=100))
    watch = Meanwhile(database_url, told)
    await Recompute(engine, lambda: NOW, "here", watch=watch).large()
    assert watch.turns == 2
    assert NAMED in await names(engine, 1)
    await settled(engine)


@SQLITE
async def test_somebody_who_takes_another_address(engine: AsyncEngine, database_url: str) -> None:
    async def moves(other: AsyncEngine) -> None:
        await ingest_of(other)(records([one(901, "zoe", version=2, address="zoe@x.example")], first=901))

    await told(engine)
    await ingest_of(engine)(records(giant(SMALL + 1)))
    await ingest_of(engine)(records([one(99, "zoe", parent=1)], first=100))
    await Recompute(engine, lambda: NOW, "here", watch=Meanwhile(database_url, moves)).large()
    assert NAMED not in await names(engine, 1)
    await settled(engine)


@SQLITE
async def test_somebody_in_what_a_decision_parts_from_it(engine: AsyncEngine, database_url: str) -> None:
    await ingest_of(engine)(records([*giant(SMALL + 1), one(99, "zoe", parent=1)]))
    wish = Wish(DecisionKind.UNLINK, "Anna", left=("memos/memo/99",), right=("memos/memo/1",))
    watch = Meanwhile(database_url, told)
    await Deciding(engine, lambda: NOW, watch=watch).decide(wish)
    assert watch.turns == 2
    assert await names(engine, 99) == {NAMED}
    await settled(engine)


@SQLITE
@pytest.mark.parametrize("number", [1, 2, 30, SMALL])
async def test_somebody_in_a_portion_that_is_not_written_yet(
    engine: AsyncEngine, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FIRST", 5), ("FEWEST", 5), ("LONG", 0.0)):
        monkeypatch.setattr(portions, name, value)
    await ingest_of(engine)(
        records([*giant(SMALL + 1), one(number, "zoe", version=2, parent=1 if number > 1 else None)])
    )
    await call_generic(engine, "jira.key|MEMO-1")
    watch = Between(lambda: told(engine))
    await Recompute(engine, lambda: NOW, "here", watch=watch).large()
    assert watch.done_at is not None
    assert NAMED in await names(engine, number)
    await settled(engine)


@SQLITE
async def test_somebody_in_nothing_of_it_has_nothing_computed_twice(engine: AsyncEngine, database_url: str) -> None:
    await ingest_of(engine)(records(giant(SMALL + 1)))
    await ingest_of(engine)(records([one(99, "zoe", address="z@x.example", parent=1)], first=100))
    watch = Meanwhile(database_url, told)
    await Recompute(engine, lambda: NOW, "here", watch=watch).large()
    assert watch.turns == 1
    await settled(engine)
