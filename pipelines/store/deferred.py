"""What was merged and is not understood yet: while batches come full, one look at a component serves several of them.

Written in the transaction that merged the facts, taken in the one that understands them: nothing is forgotten when a
process dies in between, and whoever takes it sees all that was merged before.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from pipelines.store.facts import Touched

KINDS = ("artifact", "value", "generic", "identity")

STEP = 10_000
"""Entries taken at once: what one transaction understands stays bounded."""


async def put(bulk: Bulk, touched: Touched) -> None:
    """Leave it for later."""
    kinds = {
        "artifact": touched.artifacts,
        "value": touched.values,
        "generic": touched.generic,
        "identity": touched.identities,
    }
    rows = [(kind, name, 1) for kind, names in kinds.items() for name in names]
    await bulk.insert(tables.deferred, rows, "ignore")


async def take(bulk: Bulk, touched: Touched, limit: int = STEP) -> int:
    """Add what was left to `touched`; it is gone when the transaction commits. Returns how many entries it was."""
    columns = tables.deferred.c
    wanted = select(columns.kind, columns.name).where(columns.kind.in_(KINDS)).order_by(columns.kind, columns.name)
    rows = (await bulk.connection.execute(wanted.limit(limit).with_for_update(skip_locked=True))).all()
    into = {
        "artifact": touched.artifacts,
        "value": touched.values,
        "generic": touched.generic,
        "identity": touched.identities,
    }
    for kind, name in rows:
        into[kind].add(name)
    pairs = [(row.kind, row.name) for row in rows]
    await bulk.by_pairs("DELETE FROM deferred WHERE (kind, name) IN {pairs}", pairs)
    return len(rows)


async def any_left(connection: AsyncConnection) -> bool:
    """Whether something merged is not understood yet; what was left aside of very large components does not count."""
    columns = tables.deferred.c
    return bool((await connection.execute(select(columns.name).where(columns.kind.in_(KINDS)).limit(1))).first())
