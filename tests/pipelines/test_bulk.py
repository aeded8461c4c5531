"""Rows of owners as they are to be: what is written, and what it costs."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store.bulk import Bulk
from pipelines.store.engine import open_engine, writing
from pipelines.store.tables import facets, latest_facets
from tests.parts.copies import prepared
from tests.pipelines.conftest import configured

EARLY, LATE = "2026-03-01", "2026-04-01"


async def written(connection: AsyncConnection, table: str) -> int:
    """How many rows this transaction wrote or removed."""
    if connection.dialect.name == "sqlite":
        return int((await connection.execute(text("SELECT total_changes()"))).scalar_one())
    sql = "SELECT n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables WHERE relname = :table"
    return int((await connection.execute(text(sql), {"table": table})).scalar_one())


async def test_only_what_differs_is_written(engine: AsyncEngine) -> None:
    before = [
        ("R-A", "word", "x", EARLY, EARLY),
        ("R-A", "word", "y", EARLY, EARLY),
        ("R-A", "word", "z", EARLY, EARLY),
    ]
    gone, other = ("R-B", "word", "x", EARLY, EARLY), ("R-C", "word", "x", EARLY, EARLY)
    after = [before[0], ("R-A", "word", "y", EARLY, LATE), ("R-A", "unit", "z", EARLY, LATE)]
    async with writing(engine) as connection:
        await Bulk(connection).exactly(facets, "request", {"R-A", "R-B", "R-C"}, [*before, gone, other])
    async with writing(engine) as connection:
        start = await written(connection, "facets")
        await Bulk(connection).exactly(facets, "request", {"R-A", "R-B"}, after)
        assert await written(connection, "facets") - start == 4  # one changed, one new, two gone
        assert sorted(map(tuple, await connection.execute(select(facets)))) == sorted([*after, other])


async def test_rows_of_nothing_but_their_key_come_and_go(engine: AsyncEngine) -> None:
    before = [("word", "x", EARLY, "R-A"), ("word", "y", EARLY, "R-A"), ("word", "x", EARLY, "R-B")]
    after = [("word", "x", EARLY, "R-A"), ("word", "y", LATE, "R-A")]
    async with writing(engine) as connection:
        await Bulk(connection).exactly(latest_facets, "request", {"R-A", "R-B"}, before)
    async with writing(engine) as connection:
        start = await written(connection, "latest_facets")
        await Bulk(connection).exactly(latest_facets, "request", {"R-A"}, after)
        assert await written(connection, "latest_facets") - start == 2
        await Bulk(connection).exactly(latest_facets, "request", {"R-B"}, [])
        assert sorted(map(tuple, await connection.execute(select(latest_facets)))) == after


async def test_ten_times_the_rows_cost_sqlite_ten_times_the_work(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('bulk')}/hub.db"
    await prepared(url, configured)
    engine = open_engine(url)
    few, many = await worked(engine, 200), await worked(engine, 2_000)
    assert 5 * few < many < 20 * few
    await engine.dispose()


async def worked(engine: AsyncEngine, rows: int) -> int:
    """Hundreds of steps of SQLite's machine for so many rows that all take another place."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    async with writing(engine) as connection:
        bulk = Bulk(connection)
        await bulk.exactly(latest_facets, "request", {"R-A"}, [("word", f"w{n}", EARLY, "R-A") for n in range(rows)])
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.set_progress_handler(step, 100)
        await bulk.exactly(latest_facets, "request", {"R-A"}, [("word", f"w{n}", LATE, "R-A") for n in range(rows)])
        await driver.set_progress_handler(None, 100)
    return steps
