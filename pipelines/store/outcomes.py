"""How many outcomes were written: by it an outcome that was computed beside other writers is known to be the newest.

On SQLite one writer at a time holds the whole file, so what takes long is computed before the file is taken for
writing; whoever finds then that another outcome was written meanwhile (by another task, or another process) computes
anew. On PostgreSQL components are locked one by one, and nothing is counted.
"""

from sqlalchemy import text

from pipelines.store.bulk import Bulk

_NAME = "outcomes"


async def newest(bulk: Bulk) -> int:
    """The number of the outcome written last; 0 where none is counted."""
    if bulk.dialect != "sqlite":
        return 0
    found = await bulk.connection.execute(text("SELECT value FROM stamps WHERE name = :name"), {"name": _NAME})
    return int(found.scalar() or 0)


async def count(bulk: Bulk, after: int) -> None:
    """One more, after that number."""
    if bulk.dialect == "sqlite":
        sql = "INSERT INTO stamps (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value"
        await bulk.connection.execute(text(sql), {"name": _NAME, "value": str(after + 1)})
