"""A hub's database with one connection, which reads memos: what most tests of the pipelines begin with."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from tests.parts.copies import prepared


async def configured(engine: AsyncEngine, **more: Any) -> None:
    """more: what else the connection says of itself."""
    async with writing(engine) as connection:
        await write(connection, "memos", ConnectionConfiguration("jira", frozenset({"MEMO"}), **more))


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """On both databases."""
    await prepared(database_url, configured)
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()
