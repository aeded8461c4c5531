"""Whatever is killed, and whenever: the final records are byte-equal to those of an undisturbed run."""

import asyncio
import dataclasses
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.jira import FakeJira
from tests.conftest import Pair
from tests.faults.child import POINTS
from tests.faults.world import World, end, fill, world

ISSUES = 60


@pytest.fixture(scope="module")
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, ISSUES)
        yield fake
    assert fake.writes == []


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, dict[str, str]]:
    """The records of an undisturbed run, by kind of pair."""
    return {}


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        yield made


async def expected(hub: World, pair: Pair, undisturbed: dict[str, dict[str, str]], folder: Path) -> dict[str, str]:
    """What an undisturbed hub makes of the same Jira; on SQLite for both, since no record may depend on the store."""
    if not undisturbed:
        url = f"sqlite+aiosqlite:///{folder / 'calm.sqlite3'}"
        settings = pair.bus.settings.model_copy(update={"prefix": pair.bus.settings.prefix + "calm."})
        calm = dataclasses.replace(pair.bus, settings=settings)
        async with world(hub.jira, calm, url, folder / "calm") as other:
            process = other.start()
            try:
                await other.settled(process=process)
                undisturbed["records"] = await other.records()
            finally:
                assert end(process) == 0
    return undisturbed["records"]


@pytest.mark.parametrize("point", sorted(POINTS))
async def test_a_kill_at_a_named_point_changes_nothing(
    hub: World, pair: Pair, undisturbed: dict[str, Any], tmp_path: Path, point: str
) -> None:
    calm = await expected(hub, pair, undisturbed, tmp_path)
    chance = random.Random(f"{point}{os.environ.get('FAULT_SEED', '1')}")
    process = hub.start(point, chance.randint(1, 3))
    assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, hub.log()
    process = hub.start()
    try:
        await hub.settled(process=process)
    finally:
        assert end(process) == 0, hub.log()
    assert await hub.records() == calm
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))


async def test_kills_at_random_times_change_nothing(
    hub: World, pair: Pair, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    calm = await expected(hub, pair, undisturbed, tmp_path)
    chance = random.Random(int(os.environ.get("FAULT_SEED", "1")))
    for _ in range(3):
        process = hub.start()
        await asyncio.sleep(chance.uniform(1.5, 4))
        end(process, signal.SIGKILL)
    process = hub.start()
    try:
        await hub.settled(process=process)
    finally:
        # Where nothing was left to do, the end comes before the process listens to it.
        assert end(process) in (0, -signal.SIGTERM), hub.log()
    assert await hub.records() == calm
