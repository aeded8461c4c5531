"""Source events per second, from Kafka to the committed and understood record, beside the bare data path."""

import asyncio
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import baseline, measure, replay
from benchmarks.measure import Usage
from benchmarks.parts import Child, Parts, Place
from benchmarks.results import Result, split
from benchmarks.sizes import Sizes
from benchmarks.story import Story, Told, kept
from connectors.catalogue import catalogue
from pipelines.store import deferred, tables
from pipelines.store.configuration import write
from pipelines.store.engine import open_engine, reading, writing
from services.broker import Outgoing, close, ensure_topics, open_broker, publish_page, source_topic
from services.cli.installation import Installation
from services.feed import connections

REACH, AIM = 0.20, 0.50
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a data path was."""

    events: int
    seconds: float
    cpu: dict[str, float]
    """CPU seconds by part."""
    shares: dict[str, float]
    """Of the hub's CPU time by step."""

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    def cost(self, *parts: str) -> float:
        """Microseconds of CPU per event; of all parts but Kafka if none is named."""
        wanted = parts or tuple(part for part in self.cpu if part != "Kafka")
        spent = sum(self.cpu.get(part, 0.0) for part in wanted)
        return max(spent, measure.TICK) / self.events * 1e6


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """Live order and first read on the real parts; live order on the embedded ones."""
    result = Result("Source events, from Kafka to the committed record")
    live = kept(parts.folder, sizes.live_requests, sizes.readings, tell)
    first = kept(parts.folder, sizes.first_requests, 1, tell)
    bare = [bare_path(parts, sizes.bare_events)]
    paces = {f"live order, {count} worker{'s' * (count > 1)}": on_kafka(parts, live, count) for count in sizes.workers}
    paces["first read, 1 worker"] = on_kafka(parts, first, 1)
    bare.append(bare_path(parts, sizes.bare_events))
    base = Pace(
        sum(one.events for one in bare), sum(one.seconds for one in bare),
        {part: sum(one.cpu[part] for one in bare) for part in bare[0].cpu}, {},
    )  # fmt: skip
    _bare_row(result, base, bare)
    for what, pace in paces.items():
        _row(result, f"Kafka + PostgreSQL: {what}", pace, base)
    place_pace = embedded(parts, live)
    _row(result, "embedded broker + SQLite, everything in one process, from the feed's reading on", place_pace, base)
    size = sum(len(value) for _, _, value, _ in live.told) / len(live.told)
    result.notes.append(
        f"The generated company: live order {len(live.told):,} events ({sizes.live_requests} requests read "
        f"{sizes.readings} times on the way), first read {len(first.told):,} ({sizes.first_requests} requests); "
        f"{size:,.0f} bytes an event. An event counts when its request's record is folded and committed."
    )
    return result


def _bare_row(result: Result, base: Pace, bare: list[Pace]) -> None:
    result.add(
        "bare data path (aiokafka, COPY, one upsert; 1 kB events, a fifth updates)",
        f"{base.rate:,.0f} events/s, {base.cost():.0f} µs of CPU an event (of it PostgreSQL "
        f"{base.cost('PostgreSQL'):.0f})",
        f"the two runs: {bare[0].rate:,.0f} and {bare[1].rate:,.0f}",
    )


def _row(result: Result, what: str, pace: Pace, base: Pace) -> None:
    ratio = pace.rate / base.rate
    result.add(
        what,
        f"{pace.rate:,.0f} events/s, {pace.cost():.0f} µs of CPU an event (of it PostgreSQL "
        f"{pace.cost('PostgreSQL'):.0f}; Kafka's own {pace.cost('Kafka'):.0f} not in it)",
        f"{ratio:.2f} of the bare path's events/s; by CPU {base.cost() / pace.cost():.2f}",
        f"{REACH:.2f}, aim {AIM:.2f}",
        ratio >= REACH,
    )
    result.notes.append(f"CPU an event by step, µs ({what}): {split(pace.shares, pace.cost('hub'))}.")


def bare_path(parts: Parts, events: int) -> Pace:
    """The bare data path on a topic and a database of its own."""
    topic = f"bare-{uuid.uuid4().hex[:8]}"
    asyncio.run(baseline.load(parts.kafka.bootstrap, topic, events))
    with parts.place("kafka+postgresql") as place:
        before = measure.used(os.getpid())
        url = place.database_url.replace("+asyncpg", "")
        with Child("benchmarks.baseline", parts.kafka.bootstrap, topic, url, str(events)) as child:
            told = child.answer(_LONGEST)
            spent = measure.spent(before, measure.used(os.getpid()))
    cpu = {"hub": told["cpu"], "PostgreSQL": spent["PostgreSQL"], "Kafka": spent["Kafka"]}
    return Pace(events, told["seconds"], cpu, {})


def on_kafka(parts: Parts, story: Story, workers: int) -> Pace:
    """Ingest workers that find all events in the topics."""
    with parts.place("kafka+postgresql") as place:
        asyncio.run(fill(place, story))
        children = [Child("benchmarks.worker", "ingest", environ=place.environ()) for _ in range(workers)]
        try:
            return asyncio.run(_follow(place, children, len(story.told)))
        finally:
            for child in children:
                child.__exit__(None, None, None)


def embedded(parts: Parts, story: Story) -> Pace:
    """Everything in one process; the feed reads the events from a file and publishes them to the embedded broker."""
    with parts.place("embedded+sqlite") as place:
        asyncio.run(connect(place, story))
        folder = place.folder / "events"
        write_lines(folder, story.told)
        with Child("benchmarks.worker", "--events", str(folder), environ=place.environ()) as child:
            return asyncio.run(_follow(place, [child], len(story.told)))


def write_lines(folder: Path, told: Iterable[Told]) -> None:
    """A file for each connector, an event a line, as a worker reads them."""
    folder.mkdir()
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.jsonl").open("wb")) for name in catalogue()}
        for name, _, value, _ in told:
            files[name].write(value + b"\n")


async def fill(place: Place, story: Story) -> None:
    """Tables and rules, and topics with all events in them."""
    await _prepare(place, story)
    await ensure_topics(place.settings, catalogue(), None)
    broker = open_broker(place.settings)
    await broker.start()
    try:
        for start in range(0, len(story.told), 1000):
            page = [
                Outgoing(place.settings.topic(source_topic(name)), key, value, headers)
                for name, key, value, headers in story.told[start : start + 1000]
            ]
            for placed in await publish_page(broker, page):
                if isinstance(placed, Exception):
                    raise placed
    finally:
        await close(broker)


async def connect(place: Place, story: Story) -> None:
    """Tables and rules, and connections that read from a file."""
    await _prepare(place, story)
    keys = Installation.of(place.environ()).keys
    engine = open_engine(place.database_url)
    async with writing(engine) as connection:
        for name, configuration in story.rules.items():
            nothing = connections.parse_options(_nothing(), {})
            await connections.add(connection, name, configuration.connector, name, nothing, None, keys)
            await write(connection, name, configuration)
    await engine.dispose()


def _nothing() -> type:
    from benchmarks.worker import Nothing

    return Nothing


async def _prepare(place: Place, story: Story) -> None:
    engine = open_engine(place.database_url)
    await replay.prepare(engine, story.rules)
    await engine.dispose()


async def _follow(place: Place, children: list[Child], events: int) -> Pace:
    """From the first committed batch until everything is applied and understood."""
    engine = open_engine(place.database_url)
    try:
        done = await _begun(place, engine, children)
        began, before = time.perf_counter(), _used(children)
        if await until_applied(engine, events) != events:
            raise RuntimeError("more was applied than published")
        await _until_understood(engine)
        seconds, after = time.perf_counter() - began, _used(children)
    finally:
        await engine.dispose()
    ends = await asyncio.to_thread(lambda: [child.end() for child in children])
    return Pace(max(1, events - done), seconds, measure.spent(before, after), _together(ends))


async def _begun(place: Place, engine: AsyncEngine, children: list[Child]) -> int:
    """Wait until the workers work; how many records are applied then.

    On PostgreSQL none may store its first batch before each has one: what the first does while the group lets in the
    second would be understood within the time measured, without being counted.
    """
    if engine.dialect.name == "sqlite":
        for child in children:
            child.answer(60)
        return await until_applied(engine, 1)
    async with engine.begin() as holding, asyncio.timeout(_LONGEST):
        await holding.execute(text("LOCK TABLE rules IN EXCLUSIVE MODE"))  # every batch looks at them first
        for child in children:
            child.answer(60)
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'rules'::regclass")
        while (await holding.execute(waiting)).scalar_one() < len(children):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return 0


def _together(ends: list[dict[str, Any]]) -> dict[str, float]:
    """What the workers told at their end of where their CPU time went, as of one; the largest first."""
    spent = Counter[str]()
    for end in ends:
        spent.update({step: share * end["cpu"] for step, share in end["shares"].items()})
    return {step: seconds / spent.total() for step, seconds in spent.most_common()}


def _used(children: list[Child]) -> dict[str, Usage]:
    """Of the children as `hub`, and of the parts that run beside."""
    everything = measure.used(os.getpid())
    ours = [measure.used(child.pid) for child in children]
    hub = Usage(
        sum(one["hub"].cpu for one in ours if "hub" in one), sum(one["hub"].memory for one in ours if "hub" in one)
    )
    return {part: one for part, one in everything.items() if part != "hub"} | {"hub": hub}


async def until_applied(engine: AsyncEngine, events: int) -> int:
    """Wait until so many records are applied, over all partitions; how many there are then."""
    wanted = select(func.coalesce(func.sum(tables.applied_offsets.c.next), 0))
    async with asyncio.timeout(_LONGEST):
        while True:
            async with reading(engine) as connection:
                applied = int((await connection.execute(wanted)).scalar_one())
            if applied >= events:
                return applied
            await asyncio.sleep(0.02)


async def _until_understood(engine: AsyncEngine) -> None:
    async with asyncio.timeout(_LONGEST):
        while True:
            async with reading(engine) as connection:
                if not await deferred.any_left(connection):
                    return
            await asyncio.sleep(0.02)
