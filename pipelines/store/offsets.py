"""How far each topic's partition is applied, written in the batch's own transaction."""

from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.bulk import Bulk
from pipelines.store.tables import applied_offsets


class Placed(Protocol):
    """A record's place."""

    topic: str
    partition: int
    offset: int


async def advance(bulk: Bulk, incarnation: str, records: Iterable[Placed]) -> None:
    """Note that these records, and every one before them in their partitions, are applied."""
    following: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        following[place] = max(following.get(place, 0), record.offset + 1)
    if not following:
        return
    insert = postgresql.insert if bulk.dialect == "postgresql" else sqlite.insert
    rows = [
        {"topic": topic, "partition": partition, "incarnation": incarnation, "next": offset}
        for (topic, partition), offset in sorted(following.items())
    ]
    statement = insert(applied_offsets).values(rows)
    statement = statement.on_conflict_do_update(
        index_elements=["topic", "partition", "incarnation"],
        set_={"next": statement.excluded.next},
        where=applied_offsets.c.next < statement.excluded.next,
    )
    await bulk.connection.execute(statement)


async def forget(connection: AsyncConnection, incarnation: str, topic: str, partition: int) -> None:
    """Nothing of this partition is applied: it is not the one that was."""
    here = (applied_offsets.c.topic == topic) & (applied_offsets.c.partition == partition)
    await connection.execute(delete(applied_offsets).where(here, applied_offsets.c.incarnation == incarnation))


async def applied(connection: AsyncConnection, incarnation: str) -> dict[tuple[str, int], int]:
    """(topic, partition) to the first offset that is not applied yet."""
    wanted = select(applied_offsets).where(applied_offsets.c.incarnation == incarnation)
    return {(row.topic, row.partition): row.next for row in await connection.execute(wanted)}
