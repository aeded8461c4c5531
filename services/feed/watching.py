"""All that is known of a connection beside its options, for the API, the pages and the commands.

    async with reading(engine) as connection:
        one = await told(connection, "jira", now)

It takes a fixed number of statements, for one connection as for all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import dead_letters
from services.feed import budgets, connections, expiry, failures, notices, reconciling, silence
from services.feed.connections import StoredConnection
from services.feed.estimates import Estimate, estimates
from services.feed.hours import hours_of
from services.feed.letters import OPEN
from services.feed.standing import state_of, warnings_of, webhook
from services.feed.told import (
    Difference,
    Expiry,
    Failure,
    FirstRead,
    Notice,
    Reconciled,
    State,
    Told,
    Webhook,
)
from services.feed.watch_tables import watched

__all__ = [
    "Difference", "Expiry", "Failure", "FirstRead", "Notice", "Reconciled", "State", "Told", "Webhook", "differences",
    "every", "told",
]  # fmt: skip

differences = reconciling.differences
_PICTURE = timedelta(days=7)


@dataclass(slots=True)
class _Known:
    """What was looked up for some connections, by id."""

    watched: dict[str, Any] = field(default_factory=dict)
    hours: Mapping[str, list[tuple[datetime, int]]] = field(default_factory=dict)
    failures: Mapping[str, list[Failure]] = field(default_factory=dict)
    notices: Mapping[str, list[Notice]] = field(default_factory=dict)
    reconciled: Mapping[str, Reconciled] = field(default_factory=dict)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)


async def told(connection: AsyncConnection, name: str, now: datetime) -> Told | None:
    """One connection; None where there is none of this name. Eight statements."""
    stored = await connections.get(connection, name)
    return (await _all(connection, [stored], now))[0] if stored else None


async def every(connection: AsyncConnection, now: datetime) -> list[Told]:
    """All connections by id. Eight statements, however many there are."""
    return await _all(connection, await connections.every(connection), now)


async def _all(connection: AsyncConnection, stored: Sequence[StoredConnection], now: datetime) -> list[Told]:
    known = await _looked_up(connection, stored, now)
    return [_told(one, known, now) for one in stored]


async def _looked_up(connection: AsyncConnection, stored: Sequence[StoredConnection], now: datetime) -> _Known:
    names = [one.id for one in stored]
    beside = await connection.execute(select(watched).where(watched.c.connection.in_(names)))
    letters = (
        select(dead_letters.c.connection, func.count())
        .where(dead_letters.c.state.in_(OPEN), dead_letters.c.connection.in_(names))
        .group_by(dead_letters.c.connection)
    )
    return _Known(
        watched={row.connection: row for row in beside},
        hours=await hours_of(connection, names, now - _PICTURE),
        failures=await failures.of(connection, names),
        notices=await notices.of(connection, names),
        reconciled=await reconciling.of(connection, names),
        estimates=await estimates(connection, stored, now),
        letters={row[0]: row[1] for row in await connection.execute(letters)},
    )


def _told(one: StoredConnection, known: _Known, now: datetime) -> Told:
    row = known.watched.get(one.id)
    budget = budgets.read(row.budget) if row else None
    quiet = silence.read(row.silence) if row else None
    state, says = state_of(one, budget, quiet, now)
    made = Told(
        id=one.id,
        connector=one.connector,
        title=one.title,
        state=state,
        says=says,
        problem=one.problem,
        retry_at=one.retry_at,
        true_up_to=one.true_up_to,
        alive_at=one.alive_at,
        heard_at=row.heard_at if row else None,
        since=one.since,
        first_read=_first_read(one, known.estimates.get(one.id)),
        hours=tuple(known.hours.get(one.id, ())),
        failures=tuple(known.failures.get(one.id, ())),
        budget=budget,
        place=(row.place or "") if row else "",
        webhook=webhook(row.received_at, row.polled, now) if row and row.received_at else None,
        reconciled=known.reconciled.get(one.id),
        notices=tuple(known.notices.get(one.id, ())),
        silence=quiet,
        expires=tuple(expiry.found(one.options, now)),
        dead_letters=known.letters.get(one.id, 0),
        warnings=(),
    )
    return warnings_of(made, now)


def _first_read(one: StoredConnection, estimate: Estimate | None) -> FirstRead | None:
    if one.first_read_done:
        return None
    return FirstRead(one.progress_done, one.progress_total, estimate.ends_at if estimate else None)


def noted(every: Iterable[Told]) -> list[str]:
    """What a person should look at, of all connections, a sentence each that names its connection."""
    return [f"{one.id}: {warning}" for one in every for warning in one.warnings]
