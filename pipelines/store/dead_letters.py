"""Records that could not be used: each waits with its reason until a person replays or drops it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import dead_letters
from schemas.canonical import digest, storable


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used."""

    origin: str
    """Where it came from: incarnation/topic/partition/offset, or connection and native id."""
    cause: str
    """Groups letters that one mend may cure."""
    reason: str
    raw: bytes
    at: datetime
    connection: str = ""

    @property
    def id(self) -> str:
        """16 hex digits; one origin is one letter."""
        return digest(self.origin)[:16]


async def add(connection: AsyncConnection, letters: Sequence[DeadLetter]) -> None:
    """Store letters; one that is there already stays as it is."""
    if not letters:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = {letter.id: _row(letter) for letter in letters}
    statement = insert(dead_letters).on_conflict_do_nothing()
    await connection.execute(statement, list(rows.values()))


def _row(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "connection": letter.connection or _told(letter.raw, "connection"),
        "cause": storable(letter.cause)[:200],
        "reason": storable(letter.reason)[:2000],
        "origin": letter.origin,
        "event": None,
        "raw": letter.raw,
        "at": letter.at,
        "state": "waiting",
        "attempts": 0,
        "note": None,
    }


def _told(raw: bytes, name: str) -> str:
    """A field of a record that may be anything; "" where it does not say."""
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    value = told.get(name) if isinstance(told, dict) else None
    return storable(value)[:200] if isinstance(value, str) else ""
