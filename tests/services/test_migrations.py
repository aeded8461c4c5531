"""The Alembic history ends in the very tables that the code describes, on both databases."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from pipelines.store.engine import open_engine
from pipelines.store.metadata import metadata
from services.migrations import HEAD, config, current, head, upgrade


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_an_empty_database_becomes_the_tables_of_the_code(database_url: str) -> None:
    engine = open_engine(database_url)
    assert await current(engine) is None
    await upgrade(engine)
    await upgrade(engine)
    assert await current(engine) == head()
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []
    await engine.dispose()


def test_the_release_works_with_the_newest_revision() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


async def test_two_processes_may_start_at_once(postgres_url: str) -> None:
    engines = [open_engine(postgres_url) for _ in range(3)]
    await asyncio.gather(*(upgrade(engine) for engine in engines))
    assert await current(engines[0]) == head()
    for engine in engines:
        await engine.dispose()
