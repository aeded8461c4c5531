"""What every route is handed: the database, freshness, the clock, the changes that streams wait for."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack

import orjson
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from pipelines.store import audiences
from schemas.access import Audience
from schemas.canonical import instant
from services.query import reading
from services.query.database import Database
from services.query.steps import BOUNDS, Bounds

if TYPE_CHECKING:
    from services.query.access import Access
    from services.query.signed import Noting

Check = Callable[[], Awaitable[str | None]]
"""Looks at one part the hub needs; what is wrong with it, with the mend; None: nothing."""


class Note(str):
    """What a check tells beside a part that is well."""

    __slots__ = ()


JSON = "application/json"

T = TypeVar("T")


class Kept(Generic[T]):
    """What a reading gave, kept for some seconds, whoever asks."""

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._value: T | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def current(self) -> T:
        """The value, at most these seconds old. Raises what the reading raises."""
        clock = asyncio.get_running_loop().time
        if self._value is None or clock() >= self._until:
            async with self._lock:
                if self._value is None or clock() >= self._until:
                    self._value = await self._read()
                    self._until = clock() + self._seconds
        return self._value


def freshness_of(row: Any, now: datetime) -> dict[str, Any]:
    """Up to when one connection is true, and what keeps it from being newer."""
    return {
        "connection": row.id,
        "connector": row.connector,
        "state": row.state,
        "true_up_to": told(row.true_up_to),
        "behind_seconds": max(0, int((now - row.true_up_to).total_seconds())) if row.true_up_to else None,
        "alive_at": told(row.alive_at),
        "first_read_done": bool(row.first_read_done),
        "problem": row.problem,
    }


def read_of(row: Any, now: datetime, mailbox: str | None) -> dict[str, Any]:
    """What one connection reads and since when, beside its freshness."""
    return {**freshness_of(row, now), "title": row.title, "mailbox": mailbox, "since": told(row.since)}


def told(at: datetime | None) -> str | None:
    """An instant as text."""
    return instant(at.astimezone(UTC)) if at else None


class Handed(TypedDict, total=False):
    """What an application may be handed beside its database and its clock."""

    access: "Access | None"
    """Knows who asks; None: this machine, so listen on loopback only."""
    checks: Mapping[str, Check]
    """Further parts for /readyz, by name (the broker); each tells what is wrong, or None."""
    metrics: CollectorRegistry | None
    """What /metrics shows."""
    schema_version: str | None
    """The migration this release needs; None: not looked at."""
    closing: asyncio.Event
    """Set when the process begins to stop, so that streams end (services.query.server does)."""
    writer: AsyncEngine
    """By which is written, where that is shared with others who write (on SQLite they queue in it)."""
    noting: "Noting | None"
    """Notes who decided what."""
    statement_seconds: float
    """A longer answer of the database becomes a 503; 5 by default."""
    poll_seconds: float
    """How often all streams together ask for new changes; 0.5 by default."""
    keep_seconds: float
    """How old freshness may be; 1 by default."""
    check_seconds: float
    """How long a check of /readyz may take; 5 by default."""
    bounds: Bounds
    """How far one step of a list looks, and how long a page may take."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What an application was handed, ready for use."""

    database: Database
    freshness: Kept[list[dict[str, Any]]]
    read: Kept[list[dict[str, Any]]]
    """What each connection reads. Whose mailbox is not for everybody: see View.reading."""
    newest: Kept[int]
    """The newest change number, as old as a stream may lag."""
    audiences: Kept[dict[str, Audience]]
    """By connection, those that are not for everybody."""
    standing: Kept[dict[tuple[str, str], int]]
    """How many requests there are by stage and state."""
    now: Callable[[], datetime]
    checks: Mapping[str, Check]
    metrics: CollectorRegistry | None
    schema_version: str | None
    closing: asyncio.Event
    poll_seconds: float
    check_seconds: float
    bounds: Bounds

    @classmethod
    def of(cls, engine: AsyncEngine, now: Callable[[], datetime], **handed: Unpack[Handed]) -> "Serving":
        """Ready for use; nothing is read yet."""
        database = Database(engine, handed.get("statement_seconds", 5.0))
        poll, keep = handed.get("poll_seconds", 0.5), handed.get("keep_seconds", 1.0)

        async def freshness() -> list[dict[str, Any]]:
            return [freshness_of(row, now()) for row in await reading.connections(database)]

        async def read() -> list[dict[str, Any]]:
            return [read_of(row, now(), mailbox) for row, mailbox in await reading.connections_read(database)]

        async def newest() -> int:
            return await reading.newest_change(database)

        async def read_by() -> dict[str, Audience]:
            async with database.reading() as connection:
                return await audiences.every(connection)

        async def standing() -> dict[tuple[str, str], int]:
            return await reading.standing(database)

        return cls(
            database, Kept(freshness, keep), Kept(read, keep), Kept(newest, poll), Kept(read_by, keep),
            Kept(standing, keep), now, handed.get("checks", {}), handed.get("metrics"), handed.get("schema_version"),
            handed.get("closing") or asyncio.Event(), poll, handed.get("check_seconds", 5.0),
            handed.get("bounds", BOUNDS),
        )  # fmt: skip


async def serving(request: Request) -> Serving:  # async, or the framework would run it in a thread
    """What this request's application was handed."""
    handed: Serving = request.app.state.serving
    return handed


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON without a detour through Pydantic; a stored text goes in as it is, as orjson.Fragment."""
    return Response(
        orjson.dumps(body), status, media_type=JSON, headers={"Cache-Control": "no-store", **(headers or {})}
    )
