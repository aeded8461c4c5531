"""One holder at a time, by name. Every later write checks the epoch, because a holder that paused wakes up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import leases


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one named thing until somebody else takes it over."""

    name: str
    epoch: int


class LeaseLost(Exception):
    """Somebody else holds the lease now: stop what it stood for; nothing was written."""


async def take(
    connection: AsyncConnection, name: str, holder: str, now: datetime, lasts: timedelta = timedelta(seconds=30)
) -> Lease | None:
    """Take or renew the lease; None while another holder's runs."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(leases).values(name=name, holder=holder, epoch=1, until=now + lasts)
    mine = leases.c.holder == holder
    taken = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": holder, "until": now + lasts, "epoch": case((mine, leases.c.epoch), else_=leases.c.epoch + 1)},
        where=or_(mine, leases.c.until < now),
    ).returning(leases.c.epoch)
    row = (await connection.execute(taken)).first()
    return Lease(name, row[0]) if row else None


async def check(connection: AsyncConnection, lease: Lease) -> None:
    """Hold the lease's row to the end of the transaction. Raises LeaseLost when its epoch has passed."""
    wanted = select(leases.c.epoch).where(leases.c.name == lease.name).with_for_update()
    if (await connection.execute(wanted)).scalar() != lease.epoch:
        raise LeaseLost(lease.name)


async def release(connection: AsyncConnection, lease: Lease, now: datetime) -> None:
    """Let the next holder in at once."""
    here = (leases.c.name == lease.name) & (leases.c.epoch == lease.epoch)
    await connection.execute(leases.update().where(here).values(until=now - timedelta(seconds=1)))
