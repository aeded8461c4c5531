"""Webhooks beside polling: what both tell is one story, and what was accepted is never lost."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select

from pipelines.store import tables
from pipelines.store.engine import reading
from services.feed.tables import inbox
from services.sandbox.jira import FakeJira
from services.sandbox.jira_webhooks import Webhooks
from tests.conftest import Pair
from tests.faults.child import WEBHOOK_POINTS
from tests.faults.world import World, differences, end, fill, left_alone, world
from tests.parts.presence import free_port, listening

SECRET = "a secret of thirty-two characters"
ISSUES = 20


@pytest.fixture
def jira(request: pytest.FixtureRequest) -> Iterator[FakeJira]:
    """Its index lags by 90 s, or by what the test says."""
    lag = getattr(request, "param", timedelta(seconds=90))
    with FakeJira(burst=100_000, lag=lag) as fake:
        fill(fake, ISSUES)
        yield fake
    assert fake.writes == []


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    async with world(jira, pair.bus, pair.database_url, tmp_path / "hub", webhook_secret=SECRET) as made:
        made.settings = {"WEBHOOK_PORT": str(free_port())}
        yield made


def hooks_of(jira: FakeJira, hub: World, **how: float) -> Webhooks:
    url = f"http://127.0.0.1:{hub.settings['WEBHOOK_PORT']}/hooks/jira-acme"
    return Webhooks(jira, url, secret=SECRET, **how)  # type: ignore[arg-type]


async def hears(hub: World) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(listening, int(hub.settings["WEBHOOK_PORT"])):
            await asyncio.sleep(0.05)


async def test_webhook_and_pull_together_tell_what_pull_alone_tells(jira: FakeJira, hub: World, tmp_path: Path) -> None:
    hooks = hooks_of(jira, hub, loss=0.2, duplicates=0.3, seed=5)
    process = hub.start()
    await hub.settled(process=process)
    await hears(hub)
    answers: list[int] = []
    begun = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)  # so long ago that search shows it all
    for turn in range(6):
        a_morning(jira, turn, begun + timedelta(seconds=25 * turn))
        answers += await asyncio.to_thread(hooks.send)
        await asyncio.sleep(0.3)
    assert set(answers) == {204}
    pulled = await left_alone(hub, tmp_path)
    try:
        async with asyncio.timeout(40):
            while await hub.records() != pulled:
                await asyncio.sleep(0.2)
    except TimeoutError:
        pass  # the comparison below shows what differs
    finally:
        assert end(process) == 0, hub.log()
    assert differences(pulled, await hub.records()) == []
    async with reading(hub.engine) as connection:
        handled = select(func.count()).select_from(inbox).where(inbox.c.handled_at.is_not(None))
        assert (await connection.execute(handled)).scalar_one() > 20
        assert (await connection.execute(select(tables.dead_letters.c.reason))).all() == []


def a_morning(jira: FakeJira, turn: int, at: datetime) -> None:
    """People work on issues, one change after the other."""
    chance = random.Random(turn)
    with jira.lock:
        issues = [issue for issue in jira.state.issues.values() if issue.type != "Sub-task"]
        people = list(jira.state.users)
        new = jira.hands.create("PAY", f"New {turn}", at=at, by=people[0], description=f"See {issues[turn].key}")
        for place, issue in enumerate([new, *chance.sample(issues, 3)]):
            at += timedelta(seconds=3)
            by = chance.choice(people)
            jira.hands.transition(issue, chance.choice(["Analysis", "In Review", "Released"]), at=at, by=by)
            comment = jira.hands.comment(issue, f"Word {place} on {turn}", at=at + timedelta(seconds=1), by=by)
            if place == 1:
                jira.hands.edit_comment(issue, comment, "Other words", at=at + timedelta(seconds=2), by=by)
            if place == 2:
                jira.hands.delete_comment(issue, comment, at=at + timedelta(seconds=2), by=by)
            if place == 3:
                jira.hands.change(issue, at=at + timedelta(seconds=2), by=by, title=f"Retitled {turn}", labels=["x"])


@pytest.mark.parametrize("jira", [timedelta(hours=1)], indirect=True, ids=["index an hour behind"])
@pytest.mark.parametrize("point", sorted(WEBHOOK_POINTS))
async def test_what_a_webhook_told_outlives_a_kill(jira: FakeJira, hub: World, point: str) -> None:
    hub.settings["POLL_INTERVAL"] = "3600"  # nothing but the webhook tells it, and nothing else wakes the reader
    process = hub.start()
    await hub.settled(process=process)
    assert end(process) == 0, hub.log()
    hooks = hooks_of(jira, hub, loss=0.0, duplicates=0.0, disorder=False)
    process = hub.start(point, 2 if point in ("delivery waits, not read", "delivery handled") else 1)
    await hears(hub)
    await hub.settled(process=process)  # its reader has found nothing, and rests
    with jira.lock:
        changed = [issue for issue in jira.state.issues.values() if issue.status != "In Review"][:5]
        for issue in changed:
            jira.hands.transition(issue, "In Review", at=datetime.now(UTC), by=issue.creator)
    answers = await asyncio.to_thread(hooks.send)
    assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL, hub.log()
    accepted = {issue.id for issue, answer in zip(changed, answers, strict=True) if answer == 204}
    if point == "delivery stored, not answered":
        assert answers[0] == 0
        accepted = {changed[0].id}  # nobody answered, yet it is stored
    assert accepted
    process = hub.start()
    await hears(hub)  # what was told may be known already: it is not asked to end before it runs
    try:
        async with asyncio.timeout(60):
            while not accepted <= await in_review(hub):
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    finally:
        assert end(process) == 0, hub.log()
    assert accepted <= await in_review(hub)


async def in_review(hub: World) -> set[str]:
    """Native ids of the issues that are in review, as far as the hub knows."""
    async with reading(hub.engine) as connection:
        rows = await connection.execute(select(tables.artifacts.c.id, tables.artifacts.c.fields))
        return {row.id.rpartition("/")[2] for row in rows if b"In Review" in orjson.dumps(row.fields)}
