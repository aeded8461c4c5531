"""What an event and a look-up cost with few and with many requests stored."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import asyncpg
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import bulk, lookups, measure, replay
from benchmarks.bulk import Stock
from benchmarks.clones import FIRST, LAST, Copy, Names
from benchmarks.measure import quantile
from benchmarks.parts import Child, Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import Story, Told, kept
from pipelines.store.engine import open_engine, reading

MOST = 1.3
_BATCH = 100
_TIMES = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """With so many requests stored: milliseconds and microseconds of CPU an event, and look-ups."""

    stored: int
    wall: float
    cpu: float
    by_id: lookups.Load
    by_key: lookups.Load


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """The same company's events and the same kinds of look-ups, on PostgreSQL."""
    result = Result("Cost by what is stored")
    base = kept(parts.folder, sizes.template_requests, 1, tell)
    probe = kept(parts.folder, sizes.probe_requests, sizes.readings, tell)
    made, compared = asyncio.run(_templates(parts, base, sizes.sample))
    costs = []
    for stored in sizes.stored:
        tell(f"storing {stored:,} requests")
        costs.append(_cost(parts, base, made, probe, stored, sizes))
    for cost in costs:
        _row(result, cost, costs[0])
    largest = max(len(one.artifacts) for one in made.templates)
    rows = sum(line for _, line in compared)
    result.notes.append(
        f"Bulk-loaded from {len(made.templates)} different requests of up to {largest} artifacts; of "
        f"{sizes.sample:,} of them all {rows:,} rows were compared with those that the pipeline makes of the same "
        f"events, and are equal. The events are {len(probe.told):,} of another company in live order, in batches of "
        f"{_BATCH}; the median of {_TIMES} runs, with look-ups by one client after PostgreSQL has tidied up."
    )
    return result


def _row(result: Result, cost: Cost, first: Cost) -> None:
    for what, value, ratio in (
        ("an event", f"{cost.cpu:.0f} µs of CPU (hub and PostgreSQL), {cost.wall:.2f} ms", cost.cpu / first.cpu),
        ("a look-up by id", f"{cost.by_id.cpu:.0f} µs of CPU, p50 {cost.by_id.p50:.2f} ms",
         cost.by_id.cpu / first.by_id.cpu),
        ("a look-up by reference", f"{cost.by_key.cpu:.0f} µs of CPU, p50 {cost.by_key.p50:.2f} ms",
         cost.by_key.cpu / first.by_key.cpu),
    ):  # fmt: skip
        beside = f"{ratio:.2f} of that with {first.stored:,}" if cost is not first else ""
        met = ratio <= MOST if cost is not first else None
        result.add(f"{cost.stored:,} requests stored: {what}", value, beside, f"within {MOST}×" if beside else "", met)


async def _templates(parts: Parts, base: Story, sample: int) -> tuple[Stock, list[tuple[str, int]]]:
    """Templates, and how many rows of a sample of copies were compared. Raises RuntimeError where they differ."""
    mark, told = bulk.marked(base.told)
    whole = await understood(parts, base, mark, told)
    # Once more without the others, who may have said something newer about the people in them.
    made = await understood(parts, base, mark, [one for each in whole.templates for one in each.events])
    return made, await _compared(parts, base, made, sample)


async def understood(parts: Parts, base: Story, mark: str, told: list[Told]) -> Stock:
    """What the pipeline makes of these events, to be copied."""
    with parts.place("kafka+postgresql") as place:
        engine = open_engine(place.database_url)
        await replay.prepare(engine, base.rules)
        await replay.replay(engine, told)
        made = await bulk.stock(engine, mark, told)
        await engine.dispose()
    return made


async def _compared(parts: Parts, base: Story, made: Stock, sample: int) -> list[tuple[str, int]]:
    with parts.place("kafka+postgresql") as loaded, parts.place("kafka+postgresql") as piped:
        one, other = open_engine(loaded.database_url), open_engine(piped.database_url)
        await replay.prepare(one, base.rules)
        await replay.prepare(other, base.rules)
        todo = await bulk.load(_plain(loaded), made, FIRST, sample)
        await replay.replay(other, bulk.events_of(todo))
        differ = await bulk.same(one, other, todo)
        counted = [(table.name, await _count(one, table)) for table, _ in bulk.TABLES]
        await one.dispose()
        await other.dispose()
    if differ:
        raise RuntimeError(f"{len(differ)} rows differ from the pipeline's, such as {differ[:5]}")
    return counted


async def _count(engine: AsyncEngine, table: Table) -> int:
    async with reading(engine) as connection:
        return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def _plain(place: Place) -> str:
    return place.database_url.replace("+asyncpg", "")


def _cost(parts: Parts, base: Story, made: Stock, probe: Story, stored: int, sizes: Sizes) -> Cost:
    with parts.place("kafka+postgresql") as place, ExitStack() as stack:
        asyncio.run(fill(place, base, made, stored))
        asyncio.run(settled(place))
        walls, cpus = zip(*(asyncio.run(_probe(place, probe, LAST - turn)) for turn in range(_TIMES)), strict=True)
        asyncio.run(settled(place))
        server = stack.enter_context(Child("benchmarks.worker", "query", environ=place.environ()))
        server.answer(30)
        ids, keys = asyncio.run(_to_ask(place))
        asked = ([f"/v1/requests/{one}" for one in ids], [f"/v1/lookup?reference={one}" for one in keys])

        def middle(paths: list[str]) -> lookups.Load:
            seconds = sizes.lookup_seconds
            loads = [lookups.load(place.folder, place.api_port, server, paths, seconds, 1) for _ in range(_TIMES)]
            return sorted(loads, key=lambda one: one.cpu)[_TIMES // 2]

        by_id, by_key = map(middle, asked)
    return Cost(stored, quantile(walls, 0.5), quantile(cpus, 0.5), by_id, by_key)


async def settled(place: Place) -> None:
    """Have PostgreSQL end what is left to do, so that its CPU time is that of what follows.

    Behind a checkpoint a block's first change goes into the log as a whole, however much is stored.
    """
    database = await asyncpg.connect(_plain(place))
    await database.execute("VACUUM ANALYZE", timeout=None)
    await database.execute("CHECKPOINT", timeout=None)
    await database.close()


async def fill(place: Place, base: Story, made: Stock, stored: int) -> None:
    """Load so many requests."""
    engine = open_engine(place.database_url)
    await replay.prepare(engine, base.rules)
    await bulk.load(_plain(place), made, FIRST, stored)
    await engine.dispose()


async def _to_ask(place: Place) -> tuple[list[str], list[str]]:
    engine = open_engine(place.database_url)
    ids, keys, _ = await lookups.to_ask(engine)
    await engine.dispose()
    return ids, keys


async def _probe(place: Place, probe: Story, number: int) -> tuple[float, float]:
    """Milliseconds and microseconds of CPU (ours and PostgreSQL's) an event, of a copy of the company."""
    copy = Copy(Names.of(probe.told), number)
    told = [copy.told(one) for one in probe.told]
    engine = open_engine(place.database_url)
    handler = replay.ingest(engine, full=10**9)
    gc.collect()
    gc.freeze()  # else the collector would look again and again through what only the measurement holds
    began, before = time.perf_counter(), measure.used(os.getpid())
    for batch in replay.batches(told, _BATCH):
        await handler(batch)
    seconds, spent = time.perf_counter() - began, measure.spent(before, measure.used(os.getpid()))
    gc.unfreeze()
    await engine.dispose()
    return seconds / len(told) * 1000, (spent["hub"] + spent["PostgreSQL"]) / len(told) * 1e6
