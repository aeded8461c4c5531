"""One hub with an embedded broker on a database, whatever data directory it has."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import leases
from pipelines.store.engine import open_engine, writing
from schemas.errors import Misconfigured
from services import migrations
from services.cli.alone import LASTS, LEASE, Alone

STARTED = datetime(2026, 4, 1, tzinfo=UTC)
BOTH = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Clock:
    """Goes on by a second at each look."""

    def __init__(self) -> None:
        self.at = STARTED

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


async def killed(engine: AsyncEngine, clock: Clock) -> None:
    """What the hub in /a leaves behind."""
    async with writing(engine) as connection:
        await leases.take(connection, LEASE, "here:/a", clock(), LASTS)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    made = open_engine(database_url)
    await migrations.upgrade(made)
    yield made
    await made.dispose()


@BOTH
async def test_another_hub_is_refused_while_one_runs_and_let_in_after_it(engine: AsyncEngine) -> None:
    clock, said = Clock(), list[str]()
    one, other = Alone(engine, "here:/a", clock, timedelta(days=1)), Alone(engine, "here:/b", clock, LASTS)
    async with one.held(said.append):
        with pytest.raises(Misconfigured, match="Another hub with an embedded broker runs on this database"):
            async with other.held(said.append, pause=0):
                pass
        assert len(said) == 1
    async with other.held(said.append, pause=0):
        assert len(said) == 1


async def test_a_hub_that_was_killed_goes_on_at_once_and_another_one_after_a_while(engine: AsyncEngine) -> None:
    clock, said = Clock(), list[str]()
    await killed(engine, clock)
    async with Alone(engine, "here:/a", clock).held(said.append):
        assert not said
    await killed(engine, clock)
    async with Alone(engine, "here:/b", clock).held(said.append, pause=0):
        assert said == ["waiting: another hub with an embedded broker held this database a moment ago"]


async def test_a_hub_that_was_held_up_ends_where_another_took_over(engine: AsyncEngine) -> None:
    clock = Clock()
    paused = Alone(engine, "here:/a", clock)
    async with paused.held(lambda _: None):
        clock.at += LASTS + timedelta(seconds=1)
        async with Alone(engine, "here:/b", clock, timedelta(days=1)).held(lambda _: None):
            with pytest.raises(Misconfigured, match="Another hub"):
                await paused.keep(every=0)
