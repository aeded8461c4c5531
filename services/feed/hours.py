"""How many events each connection brought in each hour: a small picture, and what silence is measured by."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.feed.watch_tables import hours as table

KEPT = timedelta(weeks=8)


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour that holds this instant."""
    return at.replace(minute=0, second=0, microsecond=0)


async def count(connection: AsyncConnection, name: str, events: int, at: datetime) -> None:
    """Add events to the hour of `at`; one statement."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(table).values(connection=name, hour=hour_of(at), events=events)
    added = {"events": table.c.events + row.excluded.events}
    await connection.execute(row.on_conflict_do_update(index_elements=["connection", "hour"], set_=added))


async def hours(connection: AsyncConnection, name: str, since: datetime) -> list[tuple[datetime, int]]:
    """(beginning of the hour, events) of a connection since then, oldest first; hours without events are left out."""
    return (await hours_of(connection, (name,), since)).get(name, [])


async def hours_of(
    connection: AsyncConnection, names: Sequence[str], since: datetime
) -> dict[str, list[tuple[datetime, int]]]:
    """The same for several connections, by one statement."""
    wanted = select(table.c.connection, table.c.hour, table.c.events).where(
        table.c.connection.in_(names), table.c.hour >= hour_of(since)
    )
    found: dict[str, list[tuple[datetime, int]]] = {}
    for name, hour, events in await connection.execute(wanted.order_by(table.c.connection, table.c.hour)):
        found.setdefault(name, []).append((hour, events))
    return found


async def prune(connection: AsyncConnection, name: str, now: datetime) -> None:
    """Forget what is older than 8 weeks."""
    old = (table.c.connection == name) & (table.c.hour < hour_of(now - KEPT))
    await connection.execute(delete(table).where(old))
