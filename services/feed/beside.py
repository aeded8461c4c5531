"""What is noted beside a connection's pages, one row each: see watch_tables.watched."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import canonical_json
from services.feed import hours
from services.feed.standing import GRACE
from services.feed.watch_tables import watched

NEWEST = 3
"""Artifacts remembered, by which it is found out whether a silent tool still shows what it had."""
LONGEST_PLACE = 1000
"""Characters of a cursor in words."""


async def put(connection: AsyncConnection, name: str, **values: Any) -> None:
    """Set columns; one statement."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(watched).values({"connection": name, "polled": 0} | values)
    await connection.execute(row.on_conflict_do_update(index_elements=["connection"], set_=values))


async def page(
    connection: AsyncConnection, name: str, artifacts: Sequence[str], at: datetime, *, place: str | None, polled: bool
) -> None:
    """Note what a page brought; at most two statements, in the page's own transaction.

    artifacts: of each of its events. place: where reading stands now, in words; None: the page moves no cursor. polled:
    a poll found it after the end of the first read, so that a webhook should have told it.
    """
    values: dict[str, Any] = {} if place is None else {"place": place[:LONGEST_PLACE]}
    events = len(artifacts)
    if events:
        await hours.count(connection, name, events, at)
        newest = list(dict.fromkeys(reversed(artifacts)))[:NEWEST]
        values |= {"heard_at": at, "newest": canonical_json(newest)}
    if events and polled:
        late = watched.c.received_at < at - GRACE
        values["polled"] = case((late, watched.c.polled + events), else_=watched.c.polled)
    if not values:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(watched).values({"connection": name} | values | {"polled": 0})
    await connection.execute(row.on_conflict_do_update(index_elements=["connection"], set_=values))


async def received(connection: AsyncConnection, name: str, at: datetime) -> None:
    """Note that a webhook delivery came."""
    await put(connection, name, received_at=at, polled=0)


async def row_of(connection: AsyncConnection, name: str) -> Row[Any] | None:
    """What is noted of a connection."""
    return (await connection.execute(select(watched).where(watched.c.connection == name))).first()
