"""Writing for an answer of the API: a database that is away becomes a problem that says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store.engine import writing
from services.query.database import DRIVER_ERRORS, refusal

_SECONDS = 10.0


@asynccontextmanager
async def written(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction that writes. Raises Refused (503) where the database is away."""
    try:
        async with writing(engine) as connection:
            yield connection
    except DRIVER_ERRORS as error:
        raise refusal(error, _SECONDS) from error
