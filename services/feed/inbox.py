"""The webhook inbox: what arrived, verified, and waits to be read. Answered before anything thinks about it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Delivery
from services.feed.tables import inbox

KEPT = timedelta(days=3)
"""How long handled deliveries are kept, so that late repetitions are known."""

ONE_LOOK = 200
"""Deliveries handled at once."""


async def put(connection: AsyncConnection, name: str, delivery: Delivery, named: str, at: datetime) -> bool:
    """Store a verified delivery. False if it is there already: the sender repeats itself."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    kept = {key: value for key, value in delivery.headers.items() if key not in _UNKEPT}
    statement = insert(inbox).values(
        connection=name,
        delivery=named or "sha256:" + hashlib.sha256(delivery.body).hexdigest(),
        url=delivery.url,
        headers=orjson.dumps(kept).decode(),
        body=delivery.body,
        received_at=at,
    )
    done = await connection.execute(statement.on_conflict_do_nothing().returning(inbox.c.number))
    return done.first() is not None


_UNKEPT = frozenset({"authorization", "cookie", "proxy-authorization"})


async def waiting(connection: AsyncConnection, name: str) -> list[tuple[int, Delivery, datetime]]:
    """At most ONE_LOOK deliveries that are not handled, oldest first: number, delivery, when it came."""
    wanted = (
        select(inbox)
        .where(inbox.c.handled_at.is_(None), inbox.c.connection == name)
        .order_by(inbox.c.number)
        .limit(ONE_LOOK)
    )
    return [(row.number, _delivery(row), row.received_at) for row in await connection.execute(wanted)]


def _delivery(row: Any) -> Delivery:
    headers: Mapping[str, str] = orjson.loads(row.headers)
    return Delivery("POST", row.url, headers, row.body)


async def mark_handled(connection: AsyncConnection, numbers: Sequence[int], at: datetime) -> None:
    """Note that deliveries became pages; forget those handled long ago."""
    await connection.execute(update(inbox).where(inbox.c.number.in_(numbers)).values(handled_at=at))
    await connection.execute(delete(inbox).where(inbox.c.handled_at < at - KEPT))
