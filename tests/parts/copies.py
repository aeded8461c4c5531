"""Databases filled once and copied from then on: their tables alone take longer to make than most tests take."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import open_engine
from services import migrations

Fill = Callable[[AsyncEngine], Awaitable[None]]
"""Puts something into a database, the same whenever it is called."""

_files: dict[str, bytes] = {}
"""SQLite's files, by what filled them."""


async def prepared(url: str, *fills: Fill) -> None:
    """Give the empty database at `url` its tables, as migrations make them, and then what `fills` put there.

    Nobody may be connected to it: PostgreSQL's is made anew. A copy shares nothing with what it was copied from.
    """
    target, name = make_url(url), " ".join(f"{one.__module__}.{one.__qualname__}" for one in fills)
    if target.get_backend_name() == "sqlite":
        await _file(target, name, fills)
    else:
        await _database(target, name, fills)


async def _fill(url: URL, fills: tuple[Fill, ...]) -> None:
    engine = open_engine(url.render_as_string(hide_password=False))
    try:
        await migrations.upgrade(engine)
        for one in fills:
            await one(engine)
    finally:
        await engine.dispose()


async def _file(url: URL, name: str, fills: tuple[Fill, ...]) -> None:
    path = Path(url.database or "")
    assert not path.exists(), f"{path} is not empty"
    if name not in _files:
        await _fill(url, fills)
        assert not path.with_name(f"{path.name}-wal").exists(), "what was written stands in the file itself"
        _files[name] = path.read_bytes()
    path.write_bytes(_files[name])


async def _database(url: URL, name: str, fills: tuple[Fill, ...]) -> None:
    server = await asyncpg.connect(host=url.host, port=url.port, user=url.username, database="postgres")
    name = f"filled_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    try:
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await _fill(url, fills)
            await server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{url.database}"')
        await server.execute(f'DROP DATABASE "{url.database}"')
        # Copying the files is quicker than writing each page to the log, as 15 and later do by themselves.
        strategy = " STRATEGY file_copy" if server.get_server_version().major >= 15 else ""
        await server.execute(f'CREATE DATABASE "{url.database}" TEMPLATE "{name}"{strategy}')
    finally:
        await server.close()
