"""Whatever is killed, and whenever: the final records are byte-equal to those of an undisturbed run."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.faults.child import POINTS
from tests.faults.company import Office, office
from tests.faults.world import World, differences, end, installed, left_alone
from tests.parts.forking import Forked

EVENTS = 2000
KILLS = 3
"""At each named point, and at random moments."""
SEED = os.environ.get("FAULT_SEED", "1")


@pytest.fixture(scope="module")
def company() -> Iterator[Office]:
    with office() as made:
        yield made


@pytest.fixture(scope="module")
def calm() -> dict[str, str]:
    """The records of an undisturbed run; the same for both pairs, since no record may depend on the store."""
    return {}


@pytest.fixture
async def hub(company: Office, pair: Pair, calm: dict[str, str], tmp_path: Path) -> AsyncIterator[World]:
    async with installed(company.joined, company.things, pair.bus, pair.database_url, tmp_path / "hub") as made:
        if not calm:
            calm |= await left_alone(made, tmp_path)
        yield made


async def finish(hub: World, calm: dict[str, str]) -> None:
    """Let it read to the end, and compare."""
    process = hub.start()
    try:
        await hub.settled(120, process=process)
    finally:
        assert end(process) == 0, hub.log()
    found = await hub.records()
    assert differences(calm, found) == []
    assert found == calm
    numbers = await hub.numbers()
    assert numbers == list(range(1, len(numbers) + 1))
    standing = await hub.standing()
    assert standing["events"] >= EVENTS
    assert standing["letters"] == 0


async def killed(hub: World, point: str, count: int, seconds: float = 120) -> None:
    """One that ended at its point; where there is too little left to come to it, there is more to do."""
    process = hub.start(point, count)
    async with asyncio.timeout(seconds):
        while process.poll() is None:
            if await hub.is_settled():
                await hub.everything_again()
            await asyncio.sleep(0.05)
    assert process.returncode == -signal.SIGKILL, f"{point}: {hub.log()}"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("turn", range(1, KILLS + 1))
async def test_kills_at_every_named_point_change_nothing(hub: World, calm: dict[str, str], turn: int) -> None:
    """One after the other in an order of chance, most while the tools are read for the first time."""
    chance = random.Random(f"{SEED}/{turn}")
    read = []
    for point in chance.sample(sorted(POINTS), len(POINTS)):
        await killed(hub, point, chance.randint(1, 2))
        read.append((await hub.standing())["events"])
    assert read[len(read) // 2] < EVENTS  # most came while it was reading
    await finish(hub, calm)


async def stored(hub: World, least: int, process: Forked, seconds: float = 120) -> None:
    """Wait until so many events are stored."""
    async with asyncio.timeout(seconds):
        while (await hub.standing())["events"] < least:
            assert process.poll() is None, hub.log()
            await asyncio.sleep(0.02)


@pytest.mark.timeout(400)
async def test_kills_at_random_moments_change_nothing(hub: World, calm: dict[str, str]) -> None:
    """Each a moment after a part of chance is stored: a slow machine is killed while it reads, and a fast one too."""
    chance = random.Random(SEED)
    read = []
    for turn in range(KILLS):
        process = hub.start()
        share = chance.uniform(turn, turn + 1) / (KILLS + 1)
        await stored(hub, max(1, round(share * EVENTS)), process)
        await asyncio.sleep(chance.uniform(0, 0.3))
        assert end(process, signal.SIGKILL) == -signal.SIGKILL, hub.log()
        read.append((await hub.standing())["events"])
    await finish(hub, calm)
    whole = (await hub.standing())["events"]
    assert sum(0 < one < whole for one in read) > KILLS // 2, f"killed at {read} of {whole} events"
