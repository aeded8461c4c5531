"""One request of thousands of activities: what one more change of it costs, and a look-up of it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from benchmarks.lookups import load
from benchmarks.measure import quantile
from benchmarks.parts import Child, Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import MONTHS, NOW, Clock, Story, Told, rules, tools
from pipelines.store import tables
from pipelines.store.engine import open_engine, reading
from services.sandbox.company import MONTH

_CHANGES = 10
_STATUSES = ("In Progress", "In Review")


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """An issue with a comment for every four changes of status, and then some more changes, one at a time."""
    result = Result(f"One request of {sizes.activities:,} activities")
    tell(f"telling an issue of {sizes.activities:,} activities")
    story, later = asyncio.run(_tell(sizes.activities))
    with parts.place("kafka+postgresql") as place, ExitStack() as stack:
        first, changes, activities, size = asyncio.run(_take(place, story, later))
        server = stack.enter_context(Child("benchmarks.worker", "query", environ=place.environ()))
        server.answer(30)
        identifier = asyncio.run(_request(place))
        whole = load(place.folder, place.api_port, server, [f"/v1/requests/{identifier}"], sizes.lookup_seconds / 2, 1)
        timeline = f"/v1/requests/{identifier}/timeline"
        page = load(place.folder, place.api_port, server, [timeline], sizes.lookup_seconds / 2, 1)
    result.add(
        f"taken in as a whole: {len(story.told)} events, {activities:,} activities", f"{first:.2f} s",
        f"{first / activities * 1e6:,.0f} µs an activity",
    )  # fmt: skip
    result.add(
        "one more change of it, to the committed record", f"p50 {quantile(changes, 0.5) * 1000:.0f} ms",
        f"slowest of {len(changes)}: {max(changes) * 1000:.0f} ms",
    )  # fmt: skip
    result.add("look-up of the whole record", f"p50 {whole.p50:.1f} ms, p99 {whole.p99:.1f} ms", f"{size:,} bytes")
    result.add("first page of its timeline", f"p50 {page.p50:.1f} ms, p99 {page.p99:.1f} ms")
    return result


async def _tell(activities: int) -> tuple[Story, list[list[Told]]]:
    """A long issue as its connector reads it; and what is read after each of some later changes."""
    at = NOW - MONTHS * MONTH
    clock = Clock(at)
    step = (NOW - at) / (activities + _CHANGES + 1)
    async with tools(clock, at) as world:
        jira = world.player.jira
        people = [one for one in jira.state.users if one != jira.account]
        issue = jira.hands.create("PAY", "A very long matter", at=at, by=people[0])
        for number in range(activities - 1):
            clock.at = at + step * (number + 1)
            by = people[number % len(people)]
            if number % 5 == 4:
                jira.hands.comment(issue, f"Step {number} is done.", at=clock.at, by=by)
            else:
                jira.hands.transition(issue, _STATUSES[number % 2], at=clock.at, by=by)
        clock.at += timedelta(minutes=1)
        told, later = await world.read(), []
        for number in range(_CHANGES):
            clock.at += step
            jira.hands.transition(issue, _STATUSES[number % 2], at=clock.at, by=people[0])
            clock.at += timedelta(minutes=1)
            later.append(await world.read())
        return Story(told, rules(world.connections)), later


async def _take(place: Place, story: Story, later: list[list[Told]]) -> tuple[float, list[float], int, int]:
    """Seconds for the whole, seconds for each later change, how many activities, and the record's size."""
    engine = open_engine(place.database_url)
    try:
        await replay.prepare(engine, story.rules)
        began = time.perf_counter()
        await replay.replay(engine, story.told)
        first = time.perf_counter() - began
        activities, size = await _counted(engine)
        handler, changes = replay.ingest(engine), []
        for told in later:
            began = time.perf_counter()
            await handler(replay.records(told))
            changes.append(time.perf_counter() - began)
        return first, changes, activities, size
    finally:
        await engine.dispose()


async def _counted(engine: AsyncEngine) -> tuple[int, int]:
    async with reading(engine) as connection:
        activities = (await connection.execute(select(func.count()).select_from(tables.activities))).scalar_one()
        size = (await connection.execute(select(func.max(func.length(tables.requests.c.record))))).scalar_one()
    return int(activities), int(size)


async def _request(place: Place) -> str:
    engine = open_engine(place.database_url)
    async with reading(engine) as connection:
        found = str((await connection.execute(select(tables.requests.c.id))).scalar_one())
    await engine.dispose()
    return found
