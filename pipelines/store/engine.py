"""Database engines that behave alike: UTC, no lost updates, one writer at a time where the database allows only one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_queues: WeakKeyDictionary[AsyncEngine, asyncio.Lock] = WeakKeyDictionary()


def open_engine(url: str, *, pool_size: int = 8, ping: bool = True) -> AsyncEngine:
    """An engine for `sqlite+aiosqlite://…` or `postgresql+asyncpg://…`. Parameters never show in its errors.

    ping: ask PostgreSQL whether a pooled connection still stands each time it is taken (three round trips).
    """
    if url.startswith("sqlite"):
        engine = create_async_engine(url, hide_parameters=True)
        _tame_sqlite(engine)
        return engine
    return create_async_engine(url, hide_parameters=True, pool_size=pool_size, pool_pre_ping=ping)


def _tame_sqlite(engine: AsyncEngine) -> None:
    # The driver's own BEGIN comes at the first write, which loses updates silently: we begin ourselves.
    @event.listens_for(engine.sync_engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "busy_timeout=5000", "foreign_keys=ON", "synchronous=NORMAL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

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
