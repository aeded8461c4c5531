"""The database's schema and how it came to be: one Alembic history for all tables."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.errors import Misconfigured

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0018"
"""The revision this release works with. Alembic is only loaded to get there: that takes a quarter of a second."""


def config() -> "Config":
    """Alembic's configuration, for the history beside this file."""
    from alembic.config import Config

    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return made


def head() -> str:
    """The revision this release works with."""
    return HEAD


async def current(engine: AsyncEngine) -> str | None:
    """The revision the database is at; None for an empty one."""
    async with engine.connect() as connection:
        return await connection.run_sync(_current)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def mend_of(there: str | None) -> str:
    """What to do about a database at another revision."""
    if there is not None and there > HEAD:
        return "Start the newer release that made it, or put back the backup from before the upgrade"
    return "Run `throughline migrate`"


async def upgrade(engine: AsyncEngine) -> None:
    """Bring the database up to this release. Safe to call at every start, and by two processes at once.

    Misconfigured where a newer release made it.
    """
    _begin_file(engine)
    there = await current(engine)
    if there == HEAD:
        return
    if there is not None and there > HEAD:
        raise Misconfigured(f"The database is at {there}, this release knows {HEAD}", mend_of(there), "database_url")
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _begin_file(engine: AsyncEngine) -> None:
    """An SQLite file that is not there yet becomes one that only this user may read."""
    if engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        with suppress(OSError):  # it is there; or what is wrong the database itself tells better
            Path(engine.url.database).touch(0o600, exist_ok=False)


def _upgrade(connection: Connection) -> None:
    from alembic import command

    if connection.dialect.name == "postgresql":
        # Two processes may start at once: the second waits here and finds nothing to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7315489)")
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")
