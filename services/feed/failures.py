"""Failures to read, grouped by what one mend may cure; and whether one place fails again and again."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import canonical_json, digest
from services.feed.told import Failure
from services.feed.watch_tables import failures

KEPT = timedelta(weeks=8)
STUCK = 5
"""After so many equal failures at one place, without success between, a person is asked."""

Kind = Literal["wait", "mend", "unexpected"]

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_ID = re.compile(r"\b[\w.-]*\d[\w.-]*\b")


@dataclass(frozen=True, slots=True)
class Failed:
    """One failure. cursor: where reading stood."""

    kind: Kind
    problem: str
    mend: str
    cursor: dict[str, Any] | None


def cause_of(kind: Kind, problem: str) -> str:
    """What failures of one cause share: 16 hex digits of the kind and the problem without numbers, ids and quotes."""
    return digest(kind, _ID.sub("#", _QUOTED.sub("…", problem)))[:16]


async def note(connection: AsyncConnection, name: str, failed: Failed, at: datetime) -> int:
    """Count a failure. Returns how often it came in a row at this place, without any success between."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    place = digest(canonical_json(failed.cursor))[:16]
    row = insert(failures).values(
        connection=name, cause=cause_of(failed.kind, failed.problem), kind=failed.kind, problem=failed.problem,
        mend=failed.mend, times=1, in_a_row=1, place=place, first_seen=at, last_seen=at,
    )  # fmt: skip
    told = failures.c
    again = (told.place == row.excluded.place) & (told.in_a_row > 0)
    kept = row.on_conflict_do_update(
        index_elements=["connection", "cause"],
        set_={
            "problem": row.excluded.problem, "mend": row.excluded.mend, "place": row.excluded.place,
            "times": told.times + 1, "in_a_row": case((again, told.in_a_row + 1), else_=1), "last_seen": at,
        },
    )  # fmt: skip
    return int((await connection.execute(kept.returning(told.in_a_row))).scalar_one())


async def went_on(connection: AsyncConnection, name: str) -> None:
    """Note that reading goes on."""
    mine = failures.c.connection == name
    await connection.execute(update(failures).where(mine, failures.c.in_a_row > 0).values(in_a_row=0))


async def prune(connection: AsyncConnection, name: str, now: datetime) -> None:
    """Forget what was not seen for 8 weeks."""
    old = (failures.c.connection == name) & (failures.c.last_seen < now - KEPT)
    await connection.execute(delete(failures).where(old))


async def of(connection: AsyncConnection, names: Sequence[str]) -> dict[str, list[Failure]]:
    """The groups of some connections, newest first."""
    wanted = select(failures).where(failures.c.connection.in_(names)).order_by(failures.c.last_seen.desc())
    found: dict[str, list[Failure]] = {}
    for row in await connection.execute(wanted):
        stuck = row.kind == "unexpected" and row.in_a_row >= STUCK
        found.setdefault(row.connection, []).append(
            Failure(
                row.cause, row.kind, row.problem, row.mend, row.times, row.first_seen, row.last_seen, stuck,
                over=row.in_a_row == 0,
            )
        )  # fmt: skip
    return found
