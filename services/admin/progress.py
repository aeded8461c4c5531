"""How much of long work is left, and how much asks for a person: for every page, so it is cheap and kept a second."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from pipelines import rebuild
from pipelines.assembly import UNMAPPED
from pipelines.store import pending, stamps, tables
from schemas.access import Role
from services.admin.conditions import Actor
from services.admin.equipment import Equipment
from services.feed.letters import OPEN
from services.feed.tables import connections
from services.query import suggested
from services.query.access import needs
from services.query.problems import documented
from services.query.serving import Kept, answer, told

router = APIRouter(tags=["overview"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 503))

KEPT_SECONDS = 1.0
MOST_STATUSES = 1000
"""Statuses that are counted at most."""
_SURE = timedelta(seconds=3)
"""Before that nothing is estimated."""


class Attention(BaseModel):
    """What asks for a person."""

    dead_letters: int | None = Field(description="That wait; null: you are no admin", examples=[3])
    connections: int = Field(description="That do not go on by themselves", examples=[1])
    unmapped_statuses: int = Field(description="Statuses in requests that no row of a stage map knows", examples=[2])
    suggestions: int = Field(description="Offered, and not answered", examples=[5])


class Recompute(BaseModel):
    """What is computed again because rules changed, or something could not be put together."""

    left: int = Field(description="Groups of things that hang together; 0: all is computed")
    total: int = Field(description="Groups there are")
    since: AwareDatetime | None = Field(description="When it was asked for")
    seconds_left: int | None = Field(description="An estimate by the pace it had so far; null: nobody can say yet")
    reasons: list[str] = Field(description="Why", examples=[["change 4 of the rules"]])
    failed: int = Field(description="Groups in which something could not be put together; tried again now and then")
    unread: int = Field(description="Notes of what was merged or called otherwise and is not understood yet")


class Rebuild(BaseModel):
    """Everything derived is computed anew beside the running hub."""

    running: bool
    done: int | None = Field(description="Source events taken in; at most 10 s old")
    total: int | None = Field(description="Source events in all, as far as is known")


class WorkProgress(BaseModel):
    """Long work."""

    recompute: Recompute
    rebuild: Rebuild


@router.get("/attention", response_model=Attention, summary="What asks for a person, in numbers")
async def attention(acting: Actor, request: Request) -> Response:
    """At most a second old. Numbers only, as far as your role goes."""
    kept = _kept(request, "attention", _attention, acting.parts)
    found = await kept.current()
    return answer(found if acting.caller.role.covers(Role.ADMIN) else {**found, "dead_letters": None})


@router.get("/progress", response_model=WorkProgress, summary="How much of long work is left")
async def progress(acting: Actor, request: Request) -> Response:
    """At most a second old."""
    return answer(await _kept(request, "progress", _progress, acting.parts).current())


def _kept(request: Request, name: str, read: Any, parts: Equipment) -> Kept[dict[str, Any]]:
    """What was read, kept with the application for all who ask it."""

    async def fresh() -> dict[str, Any]:
        async with parts.database.reading() as connection:
            told: dict[str, Any] = await read(connection, parts.now())
            return told

    state = request.app.state
    if not hasattr(state, "overview"):
        state.overview = {}
    held: dict[str, Kept[dict[str, Any]]] = state.overview
    return held.setdefault(name, Kept(fresh, KEPT_SECONDS))


_UNMAPPED = text("""
WITH RECURSIVE known(value, number) AS (
    SELECT min(value), 1 FROM facets WHERE kind = :kind
    UNION ALL SELECT (SELECT min(f.value) FROM facets f WHERE f.kind = :kind AND f.value > known.value), number + 1
    FROM known WHERE known.value IS NOT NULL AND number < :most
) SELECT value FROM known WHERE value IS NOT NULL""")
"""Each value once, from one to the next by the index: a status of a hundred thousand requests costs one step for each
number of artifacts that a request has of it."""


async def _attention(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    letters = select(func.count()).where(tables.dead_letters.c.state.in_(OPEN)).scalar_subquery()
    stuck = select(func.count()).where(connections.c.attention, connections.c.state == "reading").scalar_subquery()
    row = (await connection.execute(select(letters, stuck))).one()
    values = (await connection.execute(_UNMAPPED, {"kind": UNMAPPED, "most": MOST_STATUSES})).scalars()
    statuses = {value.rpartition(",")[0] for value in values}
    return {
        "dead_letters": row[0], "connections": row[1], "unmapped_statuses": len(statuses),
        "suggestions": await suggested.waiting(connection, now),
    }  # fmt: skip


async def _progress(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    left = await pending.progress(connection)
    every = select(func.count()).select_from(tables.components).scalar_subquery()
    notes = select(func.count()).select_from(tables.deferred).scalar_subquery()
    total, unread = (await connection.execute(select(every, notes))).one()
    recompute = {
        "left": left.components, "total": total, "since": told(left.since),
        "seconds_left": _estimate(left, total, now), "reasons": list(left.reasons), "failed": left.failed,
        "unread": unread,
    }  # fmt: skip
    return {"recompute": recompute, "rebuild": await _rebuilding(connection, now)}


def _estimate(left: pending.Left, total: int, now: datetime) -> int | None:
    """By the pace since everything was asked for; None where too little is done to say."""
    if left.since is None or now - left.since < _SURE or left.components >= total:
        return 0 if left.components == 0 else None
    return round(left.components * (now - left.since).total_seconds() / (total - left.components))


async def _rebuilding(connection: AsyncConnection, now: datetime) -> dict[str, Any]:
    until = select(tables.leases.c.until).where(tables.leases.c.name == rebuild.LEASE).scalar_subquery()
    stamp = select(tables.stamps.c.value).where(tables.stamps.c.name == stamps.REBUILT).scalar_subquery()
    ends, noted = (await connection.execute(select(until, stamp))).one()
    if ends is None or ends <= now:
        return {"running": False, "done": None, "total": None}
    done, _, total = (noted or "").partition("/")
    return {"running": True, "done": int(done) if done else None, "total": int(total) if total else None}
