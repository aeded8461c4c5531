"""The Alembic history ends in the very tables that the code describes, on both databases."""

import asyncio
import os
import stat
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from pipelines.store.beside import beside
from pipelines.store.engine import open_engine
from pipelines.store.metadata import metadata
from services.migrations import HEAD, config, current, head, upgrade
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import ingest_of, outcome


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


async def test_a_new_file_is_its_users_alone_and_one_that_is_there_stays_as_it_is(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    folder = Path(str(engine.url.database)).parent
    before = os.umask(0o022)
    try:
        await upgrade(engine)
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
        await engine.dispose()
    assert len(modes) > 1, "its log lies beside it"
    assert set(modes.values()) == {0o600}
    Path(str(engine.url.database)).chmod(0o640)
    await upgrade(engine)
    assert stat.S_IMODE(Path(str(engine.url.database)).stat().st_mode) == 0o640
    await engine.dispose()


async def test_numbers_that_must_not_come_again_do_not(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    await upgrade(engine)
    never = {table.name for table in metadata.tables.values() if table.dialect_options["sqlite"]["autoincrement"]}
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE sql LIKE '% AUTOINCREMENT%'")
        assert {row.name for row in found} == never == {"deferred"}
    await engine.dispose()


def _to(connection: Connection, revision: str) -> None:
    made = config()
    made.attributes["connection"] = connection
    (command.downgrade if revision < HEAD else command.upgrade)(made, revision)


async def test_by_what_requests_are_found_comes_through_the_migration(database_url: str) -> None:
    engine = open_engine(database_url)
    await upgrade(engine)
    await ingest_of(engine)(records([memo(1), memo(2, text="MEMO-1"), memo(3)]))
    before = await outcome(engine)
    assert before["latest"]
    for revision in ("0014", HEAD):
        async with engine.begin() as connection:
            await connection.run_sync(_to, revision)
    assert await outcome(engine) == before
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


async def test_what_is_long_is_packed_by_lz4_also_in_tables_that_take_the_others_place(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    await upgrade(engine)
    found = text(
        "SELECT c.relnamespace::regnamespace::text, c.relname "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE a.attcompression = 'l'"
    )
    async with beside(engine), engine.connect() as connection:
        packed = {tuple(row) for row in await connection.execute(found)}
    derived = {"artifacts", "activities", "requests"}
    assert packed == {("public", name) for name in derived | {"source_events"}} | {
        ("public_rebuild", name) for name in derived
    }
    await engine.dispose()
