"""A connection by the name that a command was given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import reading
from services.cli.terminal import NotFound, opened
from services.cli.words import short
from services.feed import connections
from services.feed.connections import StoredConnection

if TYPE_CHECKING:
    from services.cli.installation import Installation


@asynccontextmanager
async def stored_one(made: "Installation", name: str) -> AsyncIterator[tuple[AsyncEngine, StoredConnection]]:
    """One connection. Raises NotFound where there is none of this name."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            one = await connections.get(connection, name)
            names = [each.id for each in await connections.every(connection)]
        if one is None:
            there = f"There are {', '.join(names)}" if names else "Add one with `throughline connections add`"
            raise NotFound(f"There is no connection {short(name)}", there, "name")
        yield engine, one
