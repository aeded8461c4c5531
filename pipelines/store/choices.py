"""What people chose over the rules, change by change, so that each can be seen and taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import configuration
from pipelines.store.configuration import ALL, Chosen, Installation
from pipelines.store.tables import rule_changes
from schemas.canonical import canonical_json
from schemas.errors import Misconfigured

Choice = Chosen | Installation
"""Of one connection, or of all together."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what was chosen."""

    number: int
    connection: str
    """"": of all connections together."""
    before: Choice
    after: Choice
    by: str
    at: datetime
    asked: str | None = None
    """Digest of what was asked, where it was asked with a key."""


class Meanwhile(Misconfigured):
    """Something else is chosen by now."""

    def __init__(self) -> None:
        super().__init__("Somebody changed these rules meanwhile", "Look at what holds now, and do it again", "name")


async def make(
    connection: AsyncConnection,
    name: str,
    before: Choice,
    after: Choice,
    by: str,
    at: datetime,
    key: tuple[str, str] | None = None,
) -> int:
    """Let a choice hold in place of another one. Returns the number of the change.

    key: by which a repeated call finds it, and a digest of what was asked. Raises Meanwhile where something else
    holds by now, Misconfigured where the connection is not known any more.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE rule_changes IN SHARE ROW EXCLUSIVE MODE"))
    if await current(connection, name) != before:
        raise Meanwhile
    if isinstance(after, Installation):
        await configuration.choose_for_all(connection, after)
    else:
        await configuration.choose(connection, name, after)
    newest = await connection.execute(select(func.coalesce(func.max(rule_changes.c.number), 0)))
    number = int(newest.scalar_one()) + 1
    row = (number, name, _text(before), _text(after), by, at, *(key or (None, None)))
    await connection.execute(rule_changes.insert().values(row))
    return number


async def current(connection: AsyncConnection, name: str) -> Choice:
    """What is chosen now. Raises Misconfigured for a connection that is not known."""
    if name == ALL:
        return await configuration.installation(connection)
    every = await configuration.every(connection)
    if name not in every:
        raise Misconfigured(f"There is no connection {name}", "Look at `throughline connections list`", "name")
    return every[name].chosen


async def made(
    connection: AsyncConnection, name: str | None, limit: int, before: int | None = None
) -> Sequence[Change]:
    """The newest changes first; name: of one connection (or ALL), None: of every; before: those of lower numbers."""
    wanted = select(rule_changes).order_by(rule_changes.c.number.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(rule_changes.c.number < before)
    if name is not None:
        wanted = wanted.where(rule_changes.c.connection == name)
    return [_change(row) for row in await connection.execute(wanted)]


async def newest(connection: AsyncConnection) -> dict[str, int]:
    """Connection (or ALL) to the number of its newest change."""
    wanted = select(rule_changes.c.connection, func.max(rule_changes.c.number)).group_by(rule_changes.c.connection)
    return {row[0]: row[1] for row in await connection.execute(wanted)}


async def get(connection: AsyncConnection, number: int) -> Change | None:
    """One change."""
    row = (await connection.execute(select(rule_changes).where(rule_changes.c.number == number))).first()
    return None if row is None else _change(row)


async def again(connection: AsyncConnection, key: str) -> Change | None:
    """The change that was asked for with this key."""
    row = (await connection.execute(select(rule_changes).where(rule_changes.c.key == key))).first()
    return None if row is None else _change(row)


def _change(row: Any) -> Change:
    return Change(
        row.number, row.connection, _choice(row.connection, row.before), _choice(row.connection, row.after), row.by,
        row.at, row.asked,
    )  # fmt: skip


def _text(choice: Choice) -> str:
    return choice.to_json() if isinstance(choice, Installation) else canonical_json(choice.told())


def _choice(name: str, told: str) -> Choice:
    return Installation.from_json(told) if name == ALL else Chosen.of(orjson.loads(told))
