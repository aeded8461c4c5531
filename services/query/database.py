"""Reading the database within a time, with errors that say what to do. Nothing here writes."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import PoolProxiedConnection, QueuePool, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import Executable
from sqlalchemy.util import greenlet_spawn

from pipelines.store.engine import why_away
from services.query.refused import Refused

RETRY_AFTER = {"Retry-After": "5"}

DRIVER_ERRORS = (SQLAlchemyError, OSError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError)
"""SQLAlchemy's, and those of the drivers where they are asked directly or cannot connect."""

OUR_FAULT = ("22", "23", "42")
"""Classes of SQLSTATE: bad data, broken constraint, wrong statement."""


class TooSlow(Refused):
    """The statement took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            503, "too-slow", f"The database did not answer within {seconds:g} s.",
            "Ask for less: another filter, a longer word, a later changed_since; or try again in a quieter minute.",
            headers=RETRY_AFTER,
        )  # fmt: skip


class Away(Refused):
    """The database cannot be used now."""

    def __init__(self, why: str = "it does not answer") -> None:
        super().__init__(
            503, "database-away", f"The database cannot be used now: {why}.",
            "Try again; /readyz says when it is back.", headers=RETRY_AFTER,
        )  # fmt: skip


class NotMigrated(Refused):
    """The database lacks a table or column."""

    def __init__(self) -> None:
        super().__init__(
            503, "not-migrated", "The database lacks a table or column that this release needs.",
            "Run `throughline migrate`.",
        )  # fmt: skip


class Database:
    """Reads through an engine; a statement that takes longer than `seconds` is ended and becomes TooSlow.

    PostgreSQL: statements commit by themselves, so that a look-up is one round trip. SQLite: a plain BEGIN, which
    waits for no writer.
    """

    def __init__(self, engine: AsyncEngine, seconds: float) -> None:
        self.dialect = engine.dialect
        self.sqlite = engine.dialect.name == "sqlite"
        self._seconds = seconds
        options: dict[str, Any] = {"read_only": True} if self.sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._plain = engine
        self._engine = engine.execution_options(**options)

    def within(self, seconds: float) -> "Database":
        """The same for what may take as long as this."""
        return Database(self._plain, seconds)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for the statements of one answer, all within the time. Raises TooSlow, Away, NotMigrated."""
        connected = False
        try:
            async with asyncio.timeout(self._seconds) as limit, self._engine.connect() as connection:
                driver = await self._alive(connection)
                connected = True
                if not self.sqlite:
                    # The driver, cancelled, ends the statement in the server too.
                    limit.reschedule(asyncio.get_running_loop().time() + self._seconds)
                    yield connection
                    return
                limit.reschedule(None)
                with self._interrupting(driver):
                    yield connection
        except TimeoutError:
            raise (TooSlow(self._seconds) if connected else Away()) from None
        except DRIVER_ERRORS as error:
            raise refusal(error, self._seconds) from error

    async def rows(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Any]:
        """All rows of one statement."""
        async with self.reading() as connection:
            return (await connection.execute(statement, parameters)).all()

    async def direct(self, sql: str, *values: str) -> Sequence[Sequence[Any]]:
        """All rows of sql, in which `:1`, `:2` stand for the values, straight from the driver: the hot way."""
        if not self.sqlite:
            return await self._of_server(in_driver(sql, sqlite=False), values)
        async with self.reading() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            rows: Sequence[Sequence[Any]] = await driver.execute_fetchall(in_driver(sql, sqlite=True), values)
        return rows

    async def _of_server(self, sql: str, values: Sequence[str]) -> Sequence[Sequence[Any]]:
        lent = None
        try:
            async with asyncio.timeout(self._seconds):
                lent = await self._lent()
            driver: Any = lent.driver_connection
            rows: Sequence[Sequence[Any]] = await driver.fetch(sql, *values, timeout=self._seconds)
            return rows
        except TimeoutError:
            raise (TooSlow(self._seconds) if lent else Away()) from None
        except DRIVER_ERRORS as error:
            raise refusal(error, self._seconds) from error
        finally:
            if lent:
                await self._returned(lent)

    async def _lent(self) -> PoolProxiedConnection:
        """A connection of the pool that the server has not closed."""
        while True:
            lent = await self._plain.raw_connection()
            driver: Any = lent.driver_connection
            if not driver.is_closed():
                return lent
            await greenlet_spawn(lent.invalidate)

    async def _returned(self, lent: PoolProxiedConnection) -> None:
        """Back into the pool, at once: no transaction was begun on it. One too many is closed, which has to be waited
        for."""
        pool = self._plain.pool
        if isinstance(pool, QueuePool) and pool.overflow() <= 0:
            lent.close()
        else:
            await greenlet_spawn(lent.close)

    async def reachable(self) -> None:
        """Ask something that needs no table."""
        await self.rows(text("SELECT 1"))

    async def _alive(self, connection: AsyncConnection) -> Any:
        """The driver's connection; those that the server has closed meanwhile are left behind without asking it."""
        while True:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            if self.sqlite or not driver.is_closed():
                return driver
            await connection.invalidate()

    @contextmanager
    def _interrupting(self, driver: Any) -> Iterator[None]:
        # SQLite runs in a thread that no cancelling reaches; interrupt() ends its statement.
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._seconds, lambda: loop.create_task(driver.interrupt()))
        try:
            yield
        finally:
            late.cancel()


@lru_cache
def in_driver(sql: str, *, sqlite: bool) -> str:
    """SQL of direct() as the driver is given it."""
    return re.sub(r":([0-9])", r"?\1" if sqlite else r"$\1", sql)


def refusal(error: Exception, seconds: float) -> Exception:
    """What a driver's error means: TooSlow, Away or NotMigrated; the error itself where our statement is wrong."""
    cause = (error.orig if isinstance(error, DBAPIError) else error) or error
    says, state = str(cause), getattr(cause, "sqlstate", None) or ""
    if says == "interrupted" or state == "57014":
        return TooSlow(seconds)
    if says.startswith(("no such table", "no such column")) or state in {"42P01", "42703"}:
        return NotMigrated()
    known = isinstance(error, DBAPIError | PoolTimeout) or not isinstance(error, SQLAlchemyError)
    return Away(why_away(error)) if known and state[:2] not in OUR_FAULT else error
