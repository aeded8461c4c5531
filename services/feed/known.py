"""What a connection brought so far, as its census needs it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import artifacts


async def artifacts_of(connection: AsyncConnection, name: str) -> dict[str, str]:
    """Artifact ids of a connection; fingerprints are empty: the census tells anew what its tool gives no time stamp."""
    wanted = select(artifacts.c.id).where(artifacts.c.connection == name)
    return dict.fromkeys((await connection.execute(wanted)).scalars(), "")
