"""Components that wait to be computed again, and those whose request could not be put together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import people
from pipelines.store.bulk import Bulk
from pipelines.store.metadata import Instant
from pipelines.store.tables import components, deferred, members, pending, requests

FAILED = "not put together"
"""The reason of those: they are tried again, for a release or a tool's next telling may have mended the cause."""
NAMED_BY = ("person", "considered")
"""Kinds of facets that name all whom a record is made from."""
NAMING = f"""FROM requests WHERE id IN
    (SELECT request FROM facets WHERE kind IN {NAMED_BY} AND value IN {{keys}})"""  # noqa: S608
"""Requests whose records are made from what is known of some identities."""
RETRY = timedelta(minutes=10)
"""Between two attempts."""
WHOLE = "large whole"
"""The kind of deferred notes for components that are to be computed again and are too large for a step: see aside."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""In place of the last attempt: try at the next occasion."""


async def ask_everything(connection: AsyncConnection, reason: str, at: datetime) -> None:
    """Mark every component as to be computed again; in the transaction of what makes it necessary."""
    # Without a WHERE SQLite takes ON CONFLICT for a join's ON (sqlite.org/lang_upsert.html, "Parsing Ambiguity").
    every = select(components.c.id, literal(reason), literal(at, Instant)).where(true())
    statement = _insert(connection).from_select(["component", "reason", "at"], every)
    # An update, for then whoever takes a row off the list waits for this transaction, and sees what it changed.
    again = statement.on_conflict_do_update(index_elements=["component", "reason"], set_={"at": literal(at, Instant)})
    await connection.execute(again)


async def ask(connection: AsyncConnection, failed: Iterable[str]) -> None:
    """Have these components tried again; a pause that runs since an earlier attempt goes on."""
    rows = [{"component": name, "reason": FAILED, "at": _NEVER} for name in sorted(failed)]
    if rows:
        await connection.execute(_insert(connection).on_conflict_do_nothing(), rows)


async def ask_failed(connection: AsyncConnection) -> None:
    """Have everything that could not be put together tried at the next occasion, whenever it was tried last.

    Looks at requests that have a problem; those that never came to be were remembered when they failed.
    """
    wanted = select(requests.c.component, literal(FAILED), literal(_NEVER, Instant)).where(
        requests.c.problem.is_not(None)
    )
    statement = _insert(connection).from_select(["component", "reason", "at"], wanted.distinct())
    await connection.execute(statement.on_conflict_do_nothing())
    await connection.execute(update(pending).where(pending.c.reason == FAILED).values(at=_NEVER))


async def ask_missing(connection: AsyncConnection) -> None:
    """Remember what could not be put together, whether it was before or never; looks at every member."""
    wanted = select(members.c.component, literal(FAILED), literal(_NEVER, Instant)).where(_not_up_to_date())
    joined = wanted.select_from(members.outerjoin(requests, requests.c.id == members.c.request)).distinct()
    statement = _insert(connection).from_select(["component", "reason", "at"], joined)
    await connection.execute(statement.on_conflict_do_nothing())


async def naming(bulk: Bulk, identities: Iterable[str]) -> set[str]:
    """Components whose records may be made otherwise when one of the identities is known otherwise."""
    names = await people.concerned(bulk, identities)
    return {row[0] for row in await bulk.by_keys(f"SELECT DISTINCT component {NAMING}", names)}


async def ask_named(bulk: Bulk, identities: set[str], larger: int = -1) -> None:
    """Have every component computed again whose records may be made otherwise when one of the identities is known
    otherwise; only those that are larger."""
    typed = "CAST(:at AS timestamptz)" if bulk.dialect == "postgresql" else ":at"
    at: Any = _NEVER if bulk.dialect == "postgresql" else "1970-01-01 00:00:00.000000"
    sql = f"""INSERT INTO pending (component, reason, at) SELECT DISTINCT component, 'another name', {typed} {NAMING}
        AND component IN (SELECT id FROM components WHERE size > :larger) ON CONFLICT (component, reason)
        DO UPDATE SET at = excluded.at"""  # noqa: S608
    await bulk.by_keys(sql, await people.concerned(bulk, identities), at=at, larger=larger)


async def due(connection: AsyncConnection, now: datetime, limit: int) -> set[str]:
    """Some components to be computed now, off the list: what is asked for from here on stays on it.

    Look at nothing that is to be computed before this.
    """
    wanted = select(pending.c.component).where(_is_due(now)).distinct().order_by(pending.c.component).limit(limit)
    names = set((await connection.execute(wanted)).scalars())
    await connection.execute(delete(pending).where(pending.c.component.in_(names)))
    return names


async def any_due(connection: AsyncConnection, now: datetime) -> bool:
    """Whether something is to be computed now."""
    return bool((await connection.execute(select(pending.c.component).where(_is_due(now)).limit(1))).first())


@dataclass(frozen=True, slots=True)
class Left:
    """What is to be computed."""

    components: int
    """To be computed now."""
    failed: int
    """That could not be put together, and are tried again now and then."""
    since: datetime | None
    """When the newest of it was asked for; None: nothing that says when."""
    reasons: tuple[str, ...]


async def progress(connection: AsyncConnection) -> Left:
    """What is to be computed."""
    columns = pending.c
    told = select(
        columns.reason, func.count().label("components"), func.max(columns.at).label("at")
    ).group_by(columns.reason)  # fmt: skip
    rows = {row.reason: row for row in await connection.execute(told)}
    failed = rows.pop(FAILED, None)
    dated = [row.at for row in rows.values() if row.at > _NEVER]
    most = max((row.components for row in rows.values()), default=0) + await _large(connection)
    return Left(most, failed.components if failed else 0, max(dated, default=None), tuple(sorted(rows)))


async def left(connection: AsyncConnection) -> int:
    """How many components are to be computed, or tried again."""
    steps = int((await connection.execute(select(func.count(pending.c.component.distinct())))).scalar_one())
    return steps + await _large(connection)


async def _large(connection: AsyncConnection) -> int:
    wanted = select(func.count(deferred.c.name.distinct())).where(deferred.c.kind == WHOLE)
    return int((await connection.execute(wanted)).scalar_one())


async def done(connection: AsyncConnection, computed: set[str], now: datetime) -> None:
    """These were computed; those of them that were remembered as failed again wait for the next attempt."""
    again = (pending.c.reason == FAILED) & pending.c.component.in_(computed)
    await connection.execute(update(pending).where(again).values(at=now))


async def failed_components(connection: AsyncConnection) -> int:
    """How many components hold something that could not be put together."""
    return int((await connection.execute(select(func.count()).where(pending.c.reason == FAILED))).scalar_one())


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(pending.c.reason != FAILED, pending.c.at <= literal(now - RETRY, Instant))


def _not_up_to_date() -> ColumnElement[bool]:
    return members.c.request.is_not(None) & (requests.c.id.is_(None) | requests.c.problem.is_not(None))


def _insert(connection: AsyncConnection) -> Any:
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(pending)
