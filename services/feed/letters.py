"""What people do with dead letters: look, ask for a replay, drop. Their wishes are rows; the hub carries them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.dead_letters import DROPPED, REPLAYED, SET_ASIDE, WAITING, WANTED
from pipelines.store.tables import dead_letters

OPEN = (WAITING, WANTED, SET_ASIDE)
"""What still asks for a person, or for the hub."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Letters that one mend may cure."""

    cause: str
    connection: str
    state: str
    letters: int
    oldest: datetime
    newest: datetime
    reason: str
    """Of one of them."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter, without its content."""

    id: str
    connection: str
    cause: str
    reason: str
    origin: str
    at: datetime
    state: str
    attempts: int
    note: str | None
    size: int

    @property
    def replayable(self) -> bool:
        """Whether it came from a topic: what its connector set aside can only be read again."""
        return connector_of(self.origin) is not None


def connector_of(origin: str) -> str | None:
    """The connector on whose topic a record lay: `incarnation/topic/partition/offset`; None for another origin."""
    parts = origin.rsplit("/", 3)
    if len(parts) < 4 or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return None
    _, found, connector = parts[1].rpartition("source.")
    return connector if found and connector else None


async def causes(connection: AsyncConnection, states: Sequence[str] = OPEN) -> list[Cause]:
    """Counts by cause, connection and state, most letters first."""
    table = dead_letters.c
    wanted = (
        select(
            table.cause, table.connection, table.state, func.count().label("letters"), func.min(table.at),
            func.max(table.at), func.min(table.reason),
        )
        .where(table.state.in_(states))
        .group_by(table.cause, table.connection, table.state)
        .order_by(func.count().desc(), table.cause, table.connection, table.state)
    )  # fmt: skip
    return [Cause(*row) for row in await connection.execute(wanted)]


async def letters(
    connection: AsyncConnection,
    ids: Sequence[str] = (),
    *,
    cause: str | None = None,
    source: str | None = None,
    states: Sequence[str] = OPEN,
    limit: int = 1000,
) -> list[Letter]:
    """Letters by id, or all of a cause or of a connection, oldest first."""
    table = dead_letters.c
    columns = (
        table.id, table.connection, table.cause, table.reason, table.origin, table.at, table.state, table.attempts,
        table.note, func.length(table.raw),
    )  # fmt: skip
    wanted = select(*columns).where(table.state.in_(states), *_chosen(ids, cause, source))
    rows: Sequence[Any] = (await connection.execute(wanted.order_by(table.at, table.id).limit(limit))).all()
    return [Letter(*row) for row in rows]


def _chosen(ids: Sequence[str], cause: str | None, source: str | None) -> list[ColumnElement[bool]]:
    table = dead_letters.c
    chosen: list[ColumnElement[bool]] = [table.id.in_(ids)] if ids else []
    chosen += [table.cause == cause] if cause else []
    return chosen + ([table.connection == source] if source else [])


async def content(connection: AsyncConnection, letter: str) -> bytes | None:
    """What the record holds; None where there is no such letter."""
    raw: bytes | None = (
        await connection.execute(select(dead_letters.c.raw).where(dead_letters.c.id == letter))
    ).scalar_one_or_none()
    return raw


async def ask_replay(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Mark letters as wanted: a running hub publishes them again. Returns how many."""
    return await _move(connection, ids, (WAITING, SET_ASIDE), state=WANTED, note=None)


async def drop(connection: AsyncConnection, ids: Sequence[str], reason: str) -> int:
    """Set letters aside for good, with the reason; they are kept. Returns how many."""
    return await _move(connection, ids, OPEN, state=DROPPED, note=reason)


async def replayed(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Note that Kafka has taken wanted letters; one that has failed again meanwhile stays waiting."""
    return await _move(connection, ids, (WANTED,), state=REPLAYED)


async def refuse(connection: AsyncConnection, ids: Sequence[str], note: str) -> int:
    """Note that wanted letters cannot be replayed, and why."""
    return await _move(connection, ids, (WANTED,), state=SET_ASIDE, note=note)


async def _move(connection: AsyncConnection, ids: Sequence[str], states: Sequence[str], **values: str | None) -> int:
    here = (dead_letters.c.id.in_(ids), dead_letters.c.state.in_(states))
    moved = await connection.execute(update(dead_letters).where(*here).values(**values).returning(dead_letters.c.id))
    return len(moved.all())
