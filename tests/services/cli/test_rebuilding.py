"""`throughline rebuild` beside a running hub, on both pairs; and what it says."""

import asyncio
import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from rich.console import Console
from sqlalchemy import text

from pipelines.rebuild import Difference, Outcome, Progress
from pipelines.store.engine import writing
from services.cli.rebuilding import Estimate, compared, shown, told
from services.sandbox.jira import FakeJira
from tests.conftest import Pair
from tests.faults.world import World, end, fill, world
from tests.parts.presence import free_port

COMMAND = (str(Path(sys.executable).with_name("throughline")), "rebuild")


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(burst=100_000, lag=timedelta(seconds=0)) as fake:
        fill(fake, 30)
        yield fake


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made:
        made.settings["API_PORT"] = str(free_port())
        yield made


async def rebuild(hub: World, *options: str) -> tuple[int, str]:
    """The command: its exit code, and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, env=hub.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(90):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def served(hub: World, requests: Iterable[str]) -> dict[str, str]:
    """What the API answers for these requests, and whether it lists them."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{hub.settings['API_PORT']}/v1", timeout=20) as client:
        found = {one: await client.get(f"/requests/{one}") for one in requests}
        listed = await client.get("/requests?tool=jira")
    assert {one.status_code for one in found.values()} | {listed.status_code} == {200}
    assert len(listed.json()["items"]) >= len(found)
    return {one: answer.headers["etag"] for one, answer in found.items()}


async def test_everything_is_computed_anew_beside_a_hub_that_goes_on_reading(hub: World, jira: FakeJira) -> None:
    process = hub.start()
    try:
        await hub.settled(process=process)
        before, numbers = await hub.records(), await hub.numbers()
        assert len(await served(hub, before)) == len(before)
        rebuilding = asyncio.create_task(rebuild(hub))
        for number in range(20):
            with jira.lock:
                said = f"Meanwhile {number} as in PAY-{number + 1}"
                jira.hands.create("PAY", said, at=datetime.now(UTC), by=jira.account)
            await asyncio.sleep(0.05)
        code, said = await rebuilding
        assert (code, "Computed anew from" in said) == (0, True), said
        await hub.settled(process=process)
        code, said = await rebuild(hub, "--check")
        assert (code, said.splitlines()[-1]) == (0, "Nothing differs: everything is what its inputs say."), said
        after = await hub.records()
        assert set(before) <= set(after)
        assert all(after[one] != before[one] for one in before if "Meanwhile" in after[one])
        assert "Meanwhile 19" in str(after)
        assert (await hub.numbers())[: len(numbers)] == numbers
        one = min(after)
        async with writing(hub.engine) as connection:
            await connection.execute(
                text("UPDATE requests SET record = '{}', etag = 'x' WHERE id = :one"), {"one": one}
            )
        code, said = await rebuild(hub, "--check")
        assert code == 3
        assert one in said
        code, said = await rebuild(hub)
        assert (code, "1 request changed" in said) == (0, True), said
        await hub.settled(process=process)
        assert await hub.records() == after
        assert set(await served(hub, after)) == set(after)
        told_last = await hub.numbers()
        assert told_last == list(range(1, len(told_last) + 1))
    finally:
        assert end(process) == 0, hub.log()


async def started(hub: World, rebuilding: asyncio.subprocess.Process) -> None:
    """Wait until a rebuild holds its lease, or is through already."""
    async with asyncio.timeout(60):
        while rebuilding.returncode is None:
            async with hub.engine.connect() as connection:
                if (await connection.execute(text("SELECT 1 FROM leases WHERE name = 'rebuild'"))).first():
                    return
            await asyncio.sleep(0.01)


async def test_one_that_is_killed_has_changed_nothing(hub: World) -> None:
    process = hub.start()
    try:
        await hub.settled(process=process)
        before, numbers = await hub.records(), await hub.numbers()
        chance = random.Random(int(os.environ.get("FAULT_SEED", "1")))
        for _ in range(3):
            killed = await asyncio.create_subprocess_exec(*COMMAND, env=hub.environ, stderr=subprocess.DEVNULL)
            await started(hub, killed)
            await asyncio.sleep(chance.uniform(0, 0.4))
            if killed.returncode is None:
                killed.send_signal(signal.SIGKILL)
            await killed.wait()
            async with writing(hub.engine) as connection:  # else the next one waits until its lease is over
                await connection.execute(text("DELETE FROM leases WHERE name = 'rebuild'"))
        assert await hub.records() == before
        assert await hub.numbers() == numbers
        assert (await rebuild(hub, "--check"))[0] == 0
    finally:
        assert end(process) == 0, hub.log()


async def test_a_database_that_breaks_meanwhile_is_told_in_words(hub: World) -> None:
    async with writing(hub.engine) as connection:
        await connection.execute(text("ALTER TABLE source_events RENAME TO source_events_away"))
    code, said = await rebuild(hub)
    async with writing(hub.engine) as connection:
        await connection.execute(text("ALTER TABLE source_events_away RENAME TO source_events"))
    assert code == 4
    assert said.startswith("Try again later: the database stopped it")
    assert said.endswith("what is in use is whole\n")
    code, said = await rebuild(hub, "--check")
    assert code == 0
    assert said.endswith("Nothing differs: everything is what its inputs say.\n")


def test_progress_counts_and_estimates_honestly() -> None:
    clock = [100.0]
    said = Estimate(lambda: clock[0])
    assert said.words(Progress(10, 1000)) == "10 of about 1,000 source events"
    clock[0] += 60
    assert said.words(Progress(250, 1000)) == "250 of about 1,000 source events, about 3 minutes to go"
    assert said.words(Progress(900, 1000)) == "900 of about 1,000 source events, less than a minute to go"
    assert said.words(Progress(1000, 1000)) == "1,000 of about 1,000 source events"


def test_where_the_output_is_no_terminal_a_line_comes_now_and_then() -> None:
    clock, output = [0.0], io.StringIO()
    with shown(Console(file=output, width=200), lambda: clock[0]) as progress:
        for done in range(1, 11):
            clock[0] += 1
            progress(Progress(done, 10))
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("5 of about 10 source events")
    assert lines[-1] == "10 of about 10 source events"
    assert len(lines) == 2


def test_what_is_said_of_an_outcome() -> None:
    calm = told(Outcome(1200, 0, 0, 0, rules_changed=False))
    assert calm == "Computed anew from 1,200 source events: 0 requests changed, 0 ids ended or redirect now."
    much = told(Outcome(1200, 1, 2, 3, rules_changed=True))
    assert "publishes these changes" in much
    assert "3 source events set aside: see `throughline dead-letters list`" in much
    assert "goes over everything once more" in much
    said = compared([Difference("requests", 1, 2, ("a", "b"))])
    assert said.startswith("requests: 1 row computed otherwise now, 2 rows missing (such as a, b)")
