"""Where the database lies: whether there is room, and whether it takes writes. In words, with the mend."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import Misconfigured

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.settings import Settings

FULL = 20_000_000
"""Bytes free, below which SQLite's next larger batch fails."""
LOOKED_THROUGH = 500_000_000
"""Bytes of an SQLite file up to which it is looked through for damage, which takes a second or two."""


def database_file(settings: "Settings") -> Path | None:
    """The SQLite file; None for a server, or one in memory."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.database_url.get_secret_value())
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def mend_of(problem: str, settings: "Settings") -> str | None:
    """What to do about a database that says this of itself (pipelines.store.engine); None: wait, or ask it again."""
    path = database_file(settings)
    where = str(path) if path else "the database server"
    if "disk" in problem:
        return f"Make room on the disk of {where}; what waits for it then goes on by itself"
    if "only be read" in problem or "cannot be opened" in problem:
        if path is None:
            return "Give the address of one that takes writes (this may be a standby, or set to read only)"
        return f"Let this user write to {where} and its folder; a read-only file system must be mounted for writing"
    if path and "damaged" in problem:
        return f"Stop the hub, remove {path}-wal and {path}-shm, and put a backup in the place of {path}"
    return None


async def problem(settings: "Settings", engine: "AsyncEngine") -> Misconfigured | None:
    """Why nothing can be stored now, with the mend; None where all is well."""
    path = database_file(settings)
    says = await _of_server(engine) if path is None else _of_file(path)
    if not says:
        return None
    return Misconfigured(f"The database takes no writes: {says}", mend_of(says, settings) or "", "database_url")


async def damage(settings: "Settings", engine: "AsyncEngine") -> Misconfigured | None:
    """What is wrong within an SQLite file that is not too large to be looked through."""
    from sqlalchemy import text

    from pipelines.store.engine import reading

    path = database_file(settings)
    if path is None or not path.exists() or path.stat().st_size > LOOKED_THROUGH:
        return None
    async with reading(engine) as connection:
        if (await connection.execute(text("PRAGMA quick_check(1)"))).scalar_one() == "ok":
            return None
    says = "its file is damaged"
    return Misconfigured(f"The database cannot be used: {says}", mend_of(says, settings) or "", "database_url")


def _of_file(path: Path) -> str | None:
    if not path.exists():
        return None
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return "it can only be read"
    free = shutil.disk_usage(path.parent).free
    return f"its disk is full ({free / 1e6:.0f} MB are free)" if free < FULL else None


async def _of_server(engine: "AsyncEngine") -> str | None:
    from sqlalchemy import text

    from pipelines.store.engine import reading

    # What a new transaction would be, whatever this one is.
    asks = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'"
    async with reading(engine) as connection:
        return "it can only be read" if (await connection.execute(text(asks))).scalar_one() else None
