"""What people do with dead letters: look, edit, ask for a replay, drop. Their wishes are rows; the hub carries them
out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.dead_letters import DROPPED, REPLAYED, SET_ASIDE, WAITING, WANTED
from pipelines.store.tables import dead_letters
from schemas.canonical import digest

OPEN = (WAITING, WANTED, SET_ASIDE)
"""What still asks for a person, or for the hub."""
EVERY = (*OPEN, REPLAYED, DROPPED)

MOST_CAUSES = 200
"""Causes that are listed."""


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
    sentence: str
    alike: str
    edited_by: str | None
    edited_at: datetime | None
    closed_by: str | None
    closed_at: datetime | None

    @property
    def replayable(self) -> bool:
        """Whether it came from a topic: what its connector set aside can only be read again."""
        return connector_of(self.origin) is not None

    @property
    def etag(self) -> str:
        """Of what a person saw of it."""
        told = (self.state, str(self.attempts), self.reason, self.note, self.edited_by, str(self.edited_at))
        return digest(*(one or "" for one in told))[:16]


@dataclass(slots=True)
class Cause:
    """Letters that one mend may cure: of one connection, with the same sentence."""

    id: str
    states: dict[str, int]
    first: datetime
    last: datetime
    example: str
    """Id of one of them."""
    letter: Letter | None = None
    """That one."""

    @property
    def letters(self) -> int:
        """How many, in all states that were asked for."""
        return sum(self.states.values())

    @property
    def etag(self) -> str:
        """Of what a person saw of it."""
        told = [f"{state} {number}" for state, number in sorted(self.states.items())]
        return digest(self.id, str(self.last), *told)[:16]


def connector_of(origin: str) -> str | None:
    """The connector on whose topic a record lay: `incarnation/topic/partition/offset`; None for another origin."""
    parts = origin.rsplit("/", 3)
    if len(parts) < 4 or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return None
    _, found, connector = parts[1].rpartition("source.")
    return connector if found and connector else None


async def causes(
    connection: AsyncConnection, states: Sequence[str] = OPEN, *, source: str | None = None, only: str | None = None
) -> list[Cause]:
    """By what cures them, most letters first, at most MOST_CAUSES; only: the one of this id. Two statements."""
    table = dead_letters.c
    wanted = select(
        table.alike, table.state, func.count().label("letters"), func.min(table.at).label("first"),
        func.max(table.at).label("last"), func.min(table.id).label("example"),
    ).where(table.state.in_(states), *_chosen((), None, source, only))  # fmt: skip
    found: dict[str, Cause] = {}
    for row in await connection.execute(wanted.group_by(table.alike, table.state)):
        one = found.setdefault(row.alike, Cause(row.alike, {}, row.first, row.last, row.example))
        one.states[row.state] = row.letters
        one.first, one.last = min(one.first, row.first), max(one.last, row.last)
        one.example = min(one.example, row.example)
    most = sorted(found.values(), key=lambda one: (-one.letters, one.id))[:MOST_CAUSES]
    examples = {one.id: one for one in await letters(connection, [one.example for one in most], states=EVERY)}
    for one in most:
        one.letter = examples.get(one.example)
    return [one for one in most if one.letter]


async def letters(
    connection: AsyncConnection,
    ids: Sequence[str] = (),
    *,
    cause: str | None = None,
    source: str | None = None,
    alike: str | None = None,
    states: Sequence[str] = OPEN,
    after: tuple[datetime, str] | None = None,
    limit: int = 1000,
) -> list[Letter]:
    """Letters by id, or all of a cause (or its sentence), of a connection or of what one mend may cure, oldest first.

    after: time and id of the last one that is known already.
    """
    table = dead_letters.c
    wanted = select(*_COLUMNS).where(table.state.in_(states), *_chosen(ids, cause, source, alike))
    if after is not None:
        wanted = wanted.where(tuple_(table.at, table.id) > tuple_(*after))
    rows: Sequence[Any] = (await connection.execute(wanted.order_by(table.at, table.id).limit(limit))).all()
    return [Letter(*row) for row in rows]


_COLUMNS = (
    dead_letters.c.id, dead_letters.c.connection, dead_letters.c.cause, dead_letters.c.reason, dead_letters.c.origin,
    dead_letters.c.at, dead_letters.c.state, dead_letters.c.attempts, dead_letters.c.note,
    func.length(dead_letters.c.raw), dead_letters.c.sentence, dead_letters.c.alike, dead_letters.c.edited_by,
    dead_letters.c.edited_at, dead_letters.c.closed_by, dead_letters.c.closed_at,
)  # fmt: skip


def _chosen(
    ids: Sequence[str], cause: str | None, source: str | None, alike: str | None = None
) -> list[ColumnElement[bool]]:
    table = dead_letters.c
    chosen: list[ColumnElement[bool]] = [table.id.in_(ids)] if ids else []
    chosen += [or_(table.cause == cause, table.sentence == cause)] if cause else []
    return chosen + [column == value for column, value in ((table.connection, source), (table.alike, alike)) if value]


async def locked(connection: AsyncConnection, letter: str) -> Letter | None:
    """One letter, held against others who would change it until the transaction ends."""
    wanted = select(*_COLUMNS).where(dead_letters.c.id == letter).with_for_update()
    row: Any = (await connection.execute(wanted)).first()
    return None if row is None else Letter(*row)


async def content(connection: AsyncConnection, letter: str) -> tuple[bytes, bytes | None] | None:
    """What the record holds, and what a person made of it; None where there is no such letter."""
    wanted = select(dead_letters.c.raw, dead_letters.c.edited).where(dead_letters.c.id == letter)
    row = (await connection.execute(wanted)).first()
    return None if row is None else (row.raw, row.edited)


async def edit(connection: AsyncConnection, letter: str, edited: bytes | None, by: str, at: datetime) -> None:
    """Keep what a replay publishes in place of the original, which stays; None: the original again."""
    values = {"edited": edited, "edited_by": by, "edited_at": at}
    values = values if edited is not None else dict.fromkeys(values)
    await connection.execute(update(dead_letters).where(dead_letters.c.id == letter).values(**values))


async def ask_replay(connection: AsyncConnection, ids: Sequence[str]) -> int:
    """Mark letters as wanted: a running hub publishes them again. Returns how many."""
    return await _move(connection, [dead_letters.c.id.in_(ids)], (WAITING, SET_ASIDE), state=WANTED, note=None)


async def ask_replay_alike(connection: AsyncConnection, alike: str) -> int:
    """The same for all that one mend may cure, but for those that were set aside. Returns how many."""
    on_topics = dead_letters.c.origin.like("%source.%/%/%")
    return await _move(connection, [dead_letters.c.alike == alike, on_topics], (WAITING,), state=WANTED, note=None)


async def drop(connection: AsyncConnection, ids: Sequence[str], reason: str, by: str, at: datetime) -> int:
    """Set letters aside for good, with who, when and why; they are kept. Returns how many."""
    return await _move(
        connection, [dead_letters.c.id.in_(ids)], OPEN, state=DROPPED, note=reason, closed_by=by, closed_at=at
    )


async def drop_alike(connection: AsyncConnection, alike: str, reason: str, by: str, at: datetime) -> int:
    """The same for all that one mend may cure. Returns how many."""
    return await _move(
        connection, [dead_letters.c.alike == alike], OPEN, state=DROPPED, note=reason, closed_by=by, closed_at=at
    )


async def refuse(connection: AsyncConnection, ids: Sequence[str], note: str) -> int:
    """Note that wanted letters cannot be replayed, and why."""
    return await _move(connection, [dead_letters.c.id.in_(ids)], (WANTED,), state=SET_ASIDE, note=note)


async def _move(
    connection: AsyncConnection, chosen: Sequence[ColumnElement[bool]], states: Sequence[str], **values: Any
) -> int:
    here = (*chosen, dead_letters.c.state.in_(states))
    moved = await connection.execute(update(dead_letters).where(*here).values(**values).returning(dead_letters.c.id))
    return len(moved.all())
