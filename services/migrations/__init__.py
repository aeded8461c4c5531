"""The database's schema and how it came to be: one Alembic history for all tables."""

import re
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def head() -> str:
    """The revision this release works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


async def current(engine: AsyncEngine) -> str | None:
    """The revision the database is at; None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def upgrade(engine: AsyncEngine) -> None:
    """Bring the database up to this release. Safe to call at every start, and by two processes at once."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two processes may start at once: the second waits here and finds nothing to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7315489)")
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def tables_of(connection: Connection) -> set[str]:
    """Names of the tables that are there, without Alembic's own."""
    return {name for name in inspect(connection).get_table_names() if not re.fullmatch(r"alembic_.*", name)}
