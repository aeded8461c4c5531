"""A hundred kills at random moments while a company's day goes on: `make soak`; SOAK.md keeps the last result."""

import asyncio
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import Pair
from tests.faults.child import POINTS
from tests.faults.company import Office, office
from tests.faults.world import World, differences, end, installed, left_alone
from tests.parts.forking import Forked

KILLS = int(os.environ.get("SOAK_KILLS", "100"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
EVENTS = 2000
RESULT = Path(__file__).parent / "SOAK.md"
_HEAD = """# The last soak

`make soak` kills the hub by `kill -9` while it reads the company's Jira, HubSpot and mailbox and its day goes on: every
third time at a named point, else at a random moment of the span in which a hub that is left alone works; every second
time after something was stored. Then its records are compared with those of a hub that was left alone. "Stored" counts
the killed processes that stored an event.

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
        working, lived = await span(hub, company, tmp_path), 0
        for turn in range(KILLS):
            await asyncio.to_thread(company.go_on, chance.randint(3, 9))
            before = (await hub.standing())["events"]
            await killed(hub, chance, turn, working)
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


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the start of a hub that is left alone until it has stored something, and until all is worked in."""

    stored: float
    whole: float


async def span(hub: World, company: Office, folder: Path) -> Span:
    """How a start that has some news to read takes here, beside the hub that will be killed."""
    apart = hub.bus.settings.model_copy(update={"prefix": hub.bus.settings.prefix + "span."})
    bus, url = dataclasses.replace(hub.bus, settings=apart), f"sqlite+aiosqlite:///{folder / 'span.sqlite3'}"
    async with installed(hub.joined, hub.things, bus, url, folder / "span") as calm:
        process = calm.start()
        await calm.settled(600, process=process)
        end(process)
        await asyncio.to_thread(company.go_on, 6)
        before, begun = (await calm.standing())["events"], time.monotonic()
        process = calm.start()
        await something(calm, before, process)
        stored = time.monotonic() - begun
        await calm.settled(600, process=process)
        whole = time.monotonic() - begun
        end(process)
    return Span(stored, whole)


async def something(hub: World, before: int, process: Forked, seconds: float = 60) -> None:
    """Wait until more is stored than before, or the process has ended."""
    deadline = time.monotonic() + seconds
    while (await hub.standing())["events"] == before and process.poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


async def killed(hub: World, chance: random.Random, turn: int, working: Span) -> None:
    """One life: to a named point where it comes to it, else to a random moment while it works; every second time after
    something was stored, else perhaps while it starts."""
    point = chance.choice(sorted(POINTS)) if turn % 3 == 0 else "-"
    before = (await hub.standing())["events"]
    process = hub.start(point, chance.randint(1, 4))
    after = chance.uniform(working.stored / 2, working.whole)
    if turn % 2:
        await something(hub, before, process)
        after = chance.uniform(0, working.whole - working.stored)
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
