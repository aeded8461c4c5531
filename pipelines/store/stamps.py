"""With what the stored facts were made, so that an upgrade can say that they are made otherwise now."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import tables

MAPPING_VERSION = 13
"""Counts up with each release that maps, correlates or puts together stored events otherwise than the one before."""
MEND = "`throughline rebuild` brings them up to date, beside the running hub"
REBUILT = "rebuilt"
"""Name of how far a rebuild is: events done / events in all. Means nothing unless one runs."""
_MAPPING = "mapping"


async def begin(connection: AsyncConnection, version: int = MAPPING_VERSION) -> None:
    """Note the version where none is noted yet: before the first fact is stored."""
    statement = _insert(connection).values(name=_MAPPING, value=str(version))
    await connection.execute(statement.on_conflict_do_nothing())


async def renew(connection: AsyncConnection, version: int = MAPPING_VERSION) -> None:
    """All facts were made anew with this version; in the transaction that puts them in place."""
    statement = _insert(connection).values(name=_MAPPING, value=str(version))
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
    )


async def change(connection: AsyncConnection, name: str, value: str) -> bool:
    """Note a value under another name than the mapping's. False: it was noted before."""
    known = (await connection.execute(select(tables.stamps.c.value).where(tables.stamps.c.name == name))).scalar()
    if known == value:
        return False
    statement = _insert(connection).values(name=name, value=value)
    await connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))
    return True


async def outdated(connection: AsyncConnection, version: int = MAPPING_VERSION) -> str | None:
    """What is so, where stored facts are of another version (MEND mends it); None: they are of this one."""
    wanted = select(tables.stamps.c.value).where(tables.stamps.c.name == _MAPPING)
    stored = (await connection.execute(wanted)).scalar()
    if stored is None or stored == str(version):
        return None
    return f"Stored facts were made by mapping {stored}, this release has mapping {version}"


def _insert(connection: AsyncConnection) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(tables.stamps)
