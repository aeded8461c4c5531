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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from pipelines.store import tables
from pipelines.store.engine import reading
from services.sandbox.jira import FakeJira
from tests.conftest import Pair
from tests.faults.world import World, end, fill, world

KILLS = int(os.environ.get("SOAK_KILLS", "100"))
SEED = int(os.environ.get("FAULT_SEED", "1"))
EVENTS = 2000
RESULT = Path(__file__).parent / "SOAK.md"
_HEAD = """# The last soak

`make soak` kills the hub by `kill -9` at random moments while Jira goes on, and compares its records with those of a
hub that was left alone.

| pair | date | commit | seed | kills | source events | requests | changes | minutes | Python | outcome |
|---|---|---|---|---|---|---|---|---|---|---|
"""


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000) as fake:
        fill(fake, 20)
        yield fake
    assert fake.writes == []


@pytest.mark.soak
@pytest.mark.timeout(3500)
async def test_random_kills_change_nothing(jira: FakeJira, pair: Pair, tmp_path: Path) -> None:
    chance, begun = random.Random(SEED), time.monotonic()
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as hub:
        for turn in range(KILLS):
            hour(jira, chance, turn)
            process = hub.start()
            await asyncio.sleep(chance.uniform(1, 5))
            assert process.poll() is None, hub.log()
            end(process, signal.SIGKILL)
        process = hub.start()
        try:
            await hub.settled(600, process=process)
            expected = await left_alone(hub, pair, tmp_path)
            await catch_up(hub, expected)
        finally:
            code = end(process)
        found, numbers = await hub.records(), await hub.numbers()
        async with reading(hub.engine) as connection:
            events = (await connection.execute(select(func.count()).select_from(tables.source_events))).scalar_one()
            letters = (await connection.execute(select(func.count()).select_from(tables.dead_letters))).scalar_one()
    same = found == expected and numbers == list(range(1, len(numbers) + 1)) and not letters and code == 0
    outcome = "records byte-equal, no number missing" if same else "**differs**"
    facts = (SEED, KILLS, events, len(found), len(numbers), round((time.monotonic() - begun) / 60, 1))
    note(pair.kind, facts, outcome)
    assert found == expected
    assert numbers == list(range(1, len(numbers) + 1))
    assert (letters, code) == (0, 0)
    if KILLS >= 100:
        assert events >= EVENTS


def hour(jira: FakeJira, chance: random.Random, turn: int) -> None:
    """New issues, some naming older ones, that go through statuses: so long ago that search shows them."""
    with jira.lock:
        hands, older = jira.hands, list(jira.state.issues.values())
        people = list(jira.state.users)
        for number in range(5):
            at = datetime.now(UTC) - timedelta(seconds=150 - 10 * number)
            by = chance.choice(people)
            named = f" as {chance.choice(older).key}" if chance.random() < 0.3 else ""
            issue = hands.create("PAY", f"Matter {turn}/{number}", at=at, by=by, description=f"Why{named}")
            for step, status in enumerate(("Analysis", "In Progress", "Done")[: chance.randint(1, 3)], 1):
                hands.transition(issue, status, at=at + timedelta(seconds=step), by=by)
            hands.comment(issue, f"Seen{named}", at=at + timedelta(seconds=5), by=chance.choice(people))


async def left_alone(hub: World, pair: Pair, folder: Path) -> dict[str, str]:
    """What an undisturbed hub makes of the same Jira."""
    settings = pair.bus.settings.model_copy(update={"prefix": pair.bus.settings.prefix + "calm."})
    bus = dataclasses.replace(pair.bus, settings=settings)
    async with world(hub.jira, bus, f"sqlite+aiosqlite:///{folder / 'calm.sqlite3'}", folder / "calm") as other:
        process = other.start()
        try:
            await other.settled(600, process=process)
            return await other.records()
        finally:
            assert end(process) == 0, other.log()


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
