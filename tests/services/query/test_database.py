"""Reading past SQLAlchemy's statements, the hot way."""

import asyncio
import logging

import pytest

from pipelines.store.engine import open_engine
from services.query.database import Database
from services.query.refused import Refused

ASLEEP = "SELECT pg_sleep(0.2) IS NOT NULL, :1::text"

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


async def test_connections_beyond_the_pool_are_closed(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Not left open, nor complained of: closing one has to be waited for."""
    engine = open_engine(database_url, pool_size=1)
    database = Database(engine, 10)
    with caplog.at_level(logging.WARNING):
        told = await asyncio.gather(*(database.direct(ASLEEP, str(number)) for number in range(4)))
        assert [rows[0][1] for rows in told] == ["0", "1", "2", "3"]
        open_ = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND :1::text IS NOT NULL"
        async with asyncio.timeout(30):  # the server lists one for a moment after it was closed
            while (await database.direct(open_, ""))[0][0] > 1:
                await asyncio.sleep(0.02)
    assert caplog.messages == []
    await engine.dispose()


async def test_a_statement_that_was_ended_leaves_a_connection_that_serves(database_url: str) -> None:
    engine = open_engine(database_url, pool_size=1, ping=False)
    database, patient = Database(engine, 2), Database(engine, 60)
    await asyncio.gather(*(patient.direct(ASLEEP, "") for _ in range(2)))  # connecting takes its time
    for _ in range(3):  # more than the pool holds
        with pytest.raises(Refused, match="did not answer"):
            await database.direct("SELECT pg_sleep(30), :1::text", "")
        assert [tuple(row) for row in await patient.direct("SELECT :1::text", "still")] == [("still",)]
    await engine.dispose()
