"""A hundred kills at random moments while a company's day goes on: `make soak`; SOAK.md keeps the last result."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.faults.child import POINTS
from tests.faults.company import Office, office
from tests.faults.world import World, differences, end, installed, left_alone

KILLS = int(os.environ.get("SOAK_KILLS", "100"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
EVENTS = 2000
RESULT = Path(__file__).parent / "SOAK.md"
_HEAD = """# The last soak

`make soak` kills the hub by `kill -9` while it reads the company's Jira, HubSpot and mailbox and its day goes on: every
third time at a named point, else at a random moment. Then its records are compared with those of a hub that was left
alone. "Stored" counts the killed processes that stored an event.

| pair | date | commit | seed | kills | stored | source events | requests | changes | minutes | Python | outcome |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


@pytest.fixture
def company() -> Iterator[Office]:
    with office() as made:
        yield made


@pytest.mark.soak
@pytest.mark.timeout(3500)
async def test_a_hundred_kills_change_nothing(company: Office, pair: Pair, tmp_path: Path) -> None:
    chance, begun = random.Random(SEED), time.monotonic()
    async with installed(company.joined, company.things, pair.bus, pair.database_url, tmp_path / "hub") as hub:
        beginning, lived = await first(hub), 0
        for turn in range(KILLS):
            await asyncio.to_thread(company.go_on, chance.randint(3, 9))
            before = (await hub.standing())["events"]
            await killed(hub, chance, turn, beginning * chance.uniform(0.5, 2))
            lived += (await hub.standing())["events"] > before
        await hub.a_day_passes()
        process = hub.start()
        try:
            await hub.settled(600, process=process)
            expected = await left_alone(hub, tmp_path, 600)
            await catch_up(hub, expected)
        finally:
            code = end(process)
        found, numbers, standing = await hub.records(), await hub.numbers(), await hub.standing()
    whole = numbers == list(range(1, len(numbers) + 1)) and not standing["letters"] and code == 0
    outcome = "records byte-equal, no number missing" if whole and found == expected else "**differs**"
    facts = (
        SEED,
        KILLS,
        lived,
        standing["events"],
        len(found),
        len(numbers),
        round((time.monotonic() - begun) / 60, 1),
    )
    note(pair.kind, facts, outcome)
    assert differences(expected, found) == []
    assert found == expected
    assert numbers == list(range(1, len(numbers) + 1))
    assert (standing["letters"], code) == (0, 0)
    assert standing["events"] >= EVENTS


async def first(hub: World) -> float:
    """How many seconds a start takes here until something is stored."""
    begun = time.monotonic()
    process = hub.start()
    while not (await hub.standing())["events"]:
        assert process.poll() is None, hub.log()
        await asyncio.sleep(0.05)
    end(process, signal.SIGKILL)
    return time.monotonic() - begun


async def killed(hub: World, chance: random.Random, turn: int, after: float) -> None:
    """One life: to a named point where it comes to it in time, else so many seconds; every second time it reads."""
    point = chance.choice(sorted(POINTS)) if turn % 3 == 0 else "-"
    before = (await hub.standing())["events"]
    process = hub.start(point, chance.randint(1, 4))
    deadline = time.monotonic() + 10 * after
    while turn % 2 and (await hub.standing())["events"] == before and time.monotonic() < deadline:
        if process.poll() is not None:
            break
        await asyncio.sleep(0.1)
    try:
        await asyncio.to_thread(process.wait, after)
    except subprocess.TimeoutExpired:
        end(process, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, hub.log()


async def catch_up(hub: World, expected: dict[str, str]) -> None:
    """Give the hub the time for its next polls; whether it is equal is asserted after."""
    deadline = time.monotonic() + 60
    while await hub.records() != expected and time.monotonic() < deadline:
        await asyncio.sleep(0.5)


def note(pair: str, facts: tuple[object, ...], outcome: str) -> None:
    """Keep this result in SOAK.md instead of the pair's last one."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    version = ".".join(map(str, sys.version_info[:3]))
    date = datetime.now(UTC).date().isoformat()
    line = " | ".join(map(str, (pair, date, commit.stdout.strip() or "-", *facts, version, outcome)))
    lines = RESULT.read_text().splitlines() if RESULT.exists() else []
    kept = [one for one in lines if one.startswith("| ") and not one.startswith(("| pair ", f"| {pair} "))]
    RESULT.write_text(_HEAD + "\n".join(sorted([*kept, f"| {line} |"])) + "\n")
