"""Database engines that behave alike: UTC, no lost updates, one writer at a time where the database allows only one."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ssl import SSLCertVerificationError
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import in_greenlet

AWAY = (DBAPIError, PoolTimeout, OSError)
"""What a database raises that cannot be used now; so does a driver for what it does not know."""

_SQLITE = {
    "FULL": "its disk is full",
    "READONLY": "it can only be read",
    "BUSY": "another process holds it",
    "IOERR": "its disk fails or is full",
    "CANTOPEN": "its file cannot be opened",
    "CORRUPT": "its file is damaged",
}
_POSTGRESQL = {
    "53100": "its disk is full",
    "25006": "it can only be read",
    "53300": "it has no connection left",
    "40": "another transaction is in the way",
    "55P03": "another transaction is in the way",
    "57P": "it is stopping or starting",
    "55000": "it lets nobody in",
    "08": "it does not answer",
}
"""By SQLSTATE, or how it begins."""

_REFUSED = {
    "28": "the user name or password is wrong",
    "3D": "there is no such database",
    "42501": "this user may not do what is needed; it has to own the database",
    "SQLITE_NOTADB": "its file is no SQLite database",
    "SQLITE_CORRUPT": "its file is damaged",
}
"""By how the SQLSTATE, or SQLite's name of the error, begins."""

CONNECTED_AFTER = 10
"""Seconds within which a PostgreSQL server has to answer whoever connects."""

_queues: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()


def open_engine(url: str, *, pool_size: int = 8, ping: bool = True) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite://…` or `postgresql+asyncpg://…`. Parameters never show in its errors.

    ping: ask PostgreSQL whether a pooled connection still stands each time it is taken (three round trips). Without it
    the engine is for many short statements: its connections are kept, none is opened for a rush and closed after it.

    The connection that was used last is used next: it knows the statements (PostgreSQL) and has their pages (SQLite,
    until another one has written).
    """
    if url.startswith("sqlite"):
        # A database in memory has one connection only.
        pool = {"pool_use_lifo": True} if make_url(url).database not in (None, "", ":memory:") else {}
        engine = create_async_engine(url, hide_parameters=True, **pool)
        _tame_sqlite(engine)
        return engine
    kept: dict[str, Any] = {
        "hide_parameters": True, "pool_use_lifo": True, "connect_args": {"timeout": CONNECTED_AFTER}
    }  # fmt: skip
    if ping:
        engine = create_async_engine(url, pool_size=pool_size, pool_pre_ping=True, **kept)
    else:
        engine = create_async_engine(url, pool_size=2 * pool_size, max_overflow=0, **kept)
    _named_away(engine)
    return engine


def _named_away(engine: AsyncEngine) -> None:
    # asyncpg raises what the system says where nobody answers: nothing tells that from a tool's or a file's failure.
    @event.listens_for(engine.sync_engine, "do_connect")
    def _connect(dialect: Any, _record: Any, words: Any, options: Any) -> Any:
        try:
            return dialect.connect(*words, **options)
        except OSError as error:
            if refused(error):
                raise
            raise PoolTimeout("The database does not answer whoever connects") from error


def _tame_sqlite(engine: AsyncEngine) -> None:
    # The driver's own BEGIN comes at the first write, which loses updates silently: we begin ourselves.
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        # While somebody reads, the log is not begun anew, and each commit behind this many pages waits for the disk.
        log = "wal_autocheckpoint=4000"
        for pragma in ("journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON", "synchronous=NORMAL", log):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def _invalidate(connection: Any, _record: Any, _error: Any) -> None:
        # A cancelled task leaves a statement half read. Closing waits for it, whoever still refers to it, and its
        # transaction would lock the file until then.
        if in_greenlet():
            with suppress(asyncio.CancelledError, sqlite3.Error):
                connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@asynccontextmanager
async def writing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction that writes. On SQLite a fair queue in this process orders these."""
    if engine.dialect.name != "sqlite":
        async with engine.begin() as connection:
            yield connection
        return
    async with _queues.setdefault(engine, asyncio.Lock()), engine.begin() as connection:
        yield connection


@asynccontextmanager
async def reading(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction that only reads, beside any writer."""
    async with engine.execution_options(read_only=True).connect() as connection, connection.begin():
        yield connection


def why_away(error: BaseException) -> str:
    """What is wrong with the database, in a few words for an admin; never its own text, which may hold content."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, OSError | PoolTimeout):
        return "it does not answer"
    kind = (getattr(cause, "sqlite_errorname", None) or "").removeprefix("SQLITE_").partition("_")[0]
    state = getattr(cause, "sqlstate", None) or "none"
    told = _SQLITE.get(kind) or next((says for start, says in _POSTGRESQL.items() if state.startswith(start)), None)
    if told is None and getattr(error, "connection_invalidated", False):
        return "it does not answer"
    return told or f"{type(cause).__name__}, {kind or state}"


def in_the_way(error: DBAPIError) -> bool:
    """Whether another transaction stood in the way of this one, so that it may go well when it is begun anew."""
    return str(getattr(error.orig, "sqlstate", None) or "").startswith("40")


def refused(error: BaseException) -> str | None:
    """What is wrong with how we come to the database; None where waiting may help."""
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, SSLCertVerificationError):
        return "its certificate is of an authority that is not known here, or for another name"
    if isinstance(cause, ConnectionError) and "rejected SSL upgrade" in str(cause):
        return "it speaks no TLS, for which sslmode asks"
    # The driver's own error lies behind SQLAlchemy's: what the address asks for is unknown, or its files are missing.
    if type(cause.__cause__).__name__ == "ClientConfigurationError":
        return "sslmode, or another option of the address, cannot be followed"
    state = str(getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or "")
    return next((says for start, says in _REFUSED.items() if state.startswith(start)), None)


def refuses(error: BaseException) -> bool:
    """Whether the database is well, and cannot hold what it was given.

    asyncpg's data errors reach us as plain DBAPIErrors: SQLSTATE classes 22 (data), 23 (integrity), 54 (over a limit).
    """
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DataError | IntegrityError) or state[:2] in {"22", "23", "54"}
