"""Records that could not be used: each waits with its reason until a person replays or drops it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import case, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import dead_letters
from schemas.canonical import digest, storable

WAITING, WANTED, REPLAYED, DROPPED, SET_ASIDE = "waiting", "wanted", "replayed", "dropped", "set aside"
"""waiting → wanted (a person asks for it again) → replayed (it was published, and ingest has taken it in), back to
waiting if it fails again, or dropped; set aside after MOST_REPLAYS failures."""

MOST_REPLAYS = 3

_QUOTED = re.compile(r"""(?<!\w)(["'`])(?:(?!\1).){1,200}\1(?!\w)|«[^»]{1,200}»""")
_SINGLE = re.compile(r"[^\s,;:()]*(?:\d|@|://)(?:[^\s,;()]*[^\s,;:().])?")
"""What names a single thing: a word with a digit in it, an address."""
_SENTENCE = 200
_LOOKED_AT = 2_000
"""Characters of a reason in which single things are looked for: it may hold what a record made up."""
OMITTED = "…"

REPLAY_HEADER = "throughline-replay"
"""On a replayed record: the id of its letter."""


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
    replay_of: str = ""
    """Id of the letter whose replay failed again."""

    @property
    def id(self) -> str:
        """16 hex digits; one origin is one letter, and so is a replay of it."""
        return self.replay_of or digest(self.origin)[:16]


def sentence(cause: str, reason: str) -> str:
    """What is wrong with a letter, without what names this one alone: ids, numbers, addresses, quoted words.

    Equal for letters that one mend may cure. A cause that names a place in the code is that sentence itself.
    """
    if cause.startswith(("failed: ", "refused: ")):
        return cause[:_SENTENCE]
    if len(reason) > _LOOKED_AT:
        reason = reason[:_LOOKED_AT].rpartition(" ")[0]
    told = _SINGLE.sub(OMITTED, _QUOTED.sub(OMITTED, reason))
    told = re.sub(rf"{OMITTED}(?:[\s,]*{OMITTED})+", OMITTED, " ".join(told.split()))
    return storable(told)[:_SENTENCE].strip() or cause


def alike(connection: str, told: str) -> str:
    """16 hex digits: of all letters of one connection with this sentence."""
    return digest(connection, told)[:16]


def replay_of(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """Id of the letter that a record replays; "" for any other record."""
    return next((text.decode("ascii", "replace") for name, text in headers if name == REPLAY_HEADER and text), "")


async def add(connection: AsyncConnection, letters: Sequence[DeadLetter]) -> None:
    """Store letters. One that is there already stays as it is, unless its replay failed: that is counted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    first = {letter.id: _row(letter) for letter in letters if not letter.replay_of}
    again = {letter.id: _row(letter) for letter in letters if letter.replay_of}
    if first:
        await connection.execute(insert(dead_letters).on_conflict_do_nothing(), list(first.values()))
    if again:
        statement = insert(dead_letters)
        counted = dead_letters.c.attempts + 1
        told = {name: statement.excluded[name] for name in ("cause", "reason", "at", "sentence", "alike")}
        state = case((counted >= MOST_REPLAYS, SET_ASIDE), else_=WAITING)
        again_told = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={**told, "attempts": counted, "state": state},
            # A redelivery of the failed replay finds the letter waiting, and is no second failure.
            where=dead_letters.c.state.in_((WANTED, REPLAYED)),
        )
        await connection.execute(again_told, list(again.values()))


async def landed(connection: AsyncConnection, ids: Iterable[str]) -> None:
    """Note that replays were taken in, in the transaction that does so: what a broker forgets before is sent again."""
    if mine := sorted(set(ids)):
        here = dead_letters.c.id.in_(mine) & (dead_letters.c.state == WANTED)
        await connection.execute(update(dead_letters).where(here).values(state=REPLAYED))


def _row(letter: DeadLetter) -> dict[str, object]:
    connection = letter.connection or _told(letter.raw, "connection")
    said = sentence(letter.cause, letter.reason)
    return {
        "id": letter.id,
        "connection": connection,
        "cause": storable(letter.cause)[:200],
        "reason": storable(letter.reason)[:2000],
        "origin": letter.origin,
        "event": None,
        "raw": letter.raw,
        "at": letter.at,
        "state": WAITING,
        "attempts": 0,
        "note": None,
        "sentence": said,
        "alike": alike(connection, said),
    }


def _told(raw: bytes, name: str) -> str:
    """A field of a record that may be anything; "" where it does not say."""
    try:
        told = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    value = told.get(name) if isinstance(told, dict) else None
    return storable(value)[:200] if isinstance(value, str) else ""
