"""Whose turn it is to understand what batches left, among all workers on one PostgreSQL.

Two that understand at once wait for each other's components, and each folds requests that the other has folded. So one
at a time does, and its pause is everybody's. Two leases say so: until the end of one nobody begins, until the end of
the other nobody who is behind. The clock is the database's. This only spares work: who dies in its turn is waited for
`LASTS` seconds, and who oversleeps its turn does no harm, since components are locked.

At the end of a backlog all help. They take their notes one after the other, each with all that is noted of the same
components, and seldom meet again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store.engine import writing

TURN, BEHIND = "understanding", "understanding, behind"
LASTS = 4.0
"""Seconds for which a turn is somebody's without being kept."""

_ALONE = text("SELECT pg_advisory_xact_lock(7315490)")
"""A number that nothing else uses; it ends with its transaction, and counts in this database only."""
_LOOK = text(
    "SELECT name, holder, CAST(extract(epoch FROM until - clock_timestamp()) AS double precision) AS seconds "
    "FROM leases WHERE name IN (:turn, :behind)"
)
_TAKE = text(
    "INSERT INTO leases (name, holder, epoch, until) "
    "VALUES (:turn, :holder, 1, clock_timestamp() + make_interval(secs => :lasts)) ON CONFLICT (name) "
    "DO UPDATE SET holder = excluded.holder, epoch = leases.epoch + 1, until = excluded.until "
    "WHERE leases.holder IN ('', excluded.holder) OR leases.until < clock_timestamp() RETURNING epoch"
)
_KEEP = text(
    "UPDATE leases SET until = clock_timestamp() + make_interval(secs => :lasts) "
    "WHERE name = :turn AND epoch = :epoch AND holder <> ''"
)
_END = text(
    "WITH mine AS (UPDATE leases SET holder = '', until = clock_timestamp() + make_interval(secs => :rest) "
    "WHERE name = :turn AND epoch = :epoch RETURNING epoch) "
    "INSERT INTO leases (name, holder, epoch, until) "
    "SELECT :behind, '', epoch, clock_timestamp() + make_interval(secs => :longer) FROM mine "
    "ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, until = excluded.until"
)


@dataclass(frozen=True, slots=True)
class Pause:
    """How long nobody begins; seconds, below 0 where that is over."""

    rest: float
    longer: float
    """How long nobody does who is behind."""
    held: bool
    """Whether another has its turn now; `rest` is how long it is waited for at most."""


async def look(connection: AsyncConnection, holder: str) -> Pause:
    """What the leases say now."""
    rows = await connection.execute(_LOOK, {"turn": TURN, "behind": BEHIND})
    found = {row.name: row for row in rows}
    if TURN in found and found[TURN].holder:
        seconds = found[TURN].seconds if found[TURN].holder != holder else 0.0
        return Pause(seconds, seconds, held=seconds > 0)
    rest, longer = (found[name].seconds if name in found else 0.0 for name in (TURN, BEHIND))
    return Pause(rest, longer, held=False)


async def take(connection: AsyncConnection, holder: str) -> int | None:
    """Begin a turn, whatever the pause. Returns its number, None while another has its own."""
    row = (await connection.execute(_TAKE, {"turn": TURN, "holder": holder, "lasts": LASTS})).first()
    return None if row is None else int(row.epoch)


async def keep(connection: AsyncConnection, number: int) -> None:
    """Go on with a turn for another `LASTS` seconds, unless another took over."""
    await connection.execute(_KEEP, {"turn": TURN, "epoch": number, "lasts": LASTS})


async def end(connection: AsyncConnection, number: int, rest: float, longer: float) -> None:
    """End a turn, and say how many seconds the pause after it lasts; nothing where another took over."""
    await connection.execute(
        _END, {"turn": TURN, "behind": BEHIND, "epoch": number, "rest": rest, "longer": longer}
    )  # fmt: skip


@asynccontextmanager
async def alone(engine: AsyncEngine) -> AsyncIterator[None]:
    """While others do not take notes either; held by a connection of its own, so it ends before what was begun in it.

    To be entered before anything is locked.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    async with writing(engine) as connection:
        await connection.execute(_ALONE)
        yield
