"""A hub's database with one connection, which reads memos: what most tests of the pipelines begin with."""

import asyncio
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


async def cancelled(*running: "asyncio.Task[Any]") -> None:
    """End these tasks, and wait for it: a statement of one that is only told to end outlives the test's loop."""
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)
