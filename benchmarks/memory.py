"""Memory of all processes of the hub while it reads many events."""

import asyncio
import time
from collections.abc import Callable

from benchmarks import ingesting, measure
from benchmarks.clones import copies
from benchmarks.parts import Child, Parts
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import kept
from pipelines.store.engine import open_engine

MOST = 350
"""MB, all processes together."""
GROWTH = 1.10
"""Level: the last quarter's mean by the second quarter's."""
_EVERY = 0.25


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """Everything in one process with the embedded broker's beside it, reading copies of the company in live order."""
    result = Result("Memory while reading")
    story = kept(parts.folder, sizes.live_requests, sizes.readings, tell)
    folder = parts.scratch / "read"
    tell(f"writing {sizes.read_events:,} events")
    ingesting.write_lines(folder, copies(story.told, sizes.read_events))
    tell(f"reading them for at most {sizes.read_seconds:g} s")
    with parts.place("embedded+sqlite") as place:
        asyncio.run(ingesting.connect(place, story))
        with Child("benchmarks.worker", "--events", str(folder), environ=place.environ()) as child:
            child.answer(60)
            seen, events = _watch(child, place.database_url, sizes)
    quarters = [seen[len(seen) * part // 4 : max(1, len(seen) * (part + 1) // 4)] for part in range(4)]
    means = [sum(quarter) / max(1, len(quarter)) for quarter in quarters]
    result.add(
        f"everything, embedded broker + SQLite, {events:,} events read: most", f"{max(seen):.0f} MB",
        "resident memory of all processes, shared pages counted twice", f"below {MOST} MB", max(seen) < MOST,
    )  # fmt: skip
    result.add(
        "the same over time, mean of each quarter", ", ".join(f"{mean:.0f}" for mean in means) + " MB",
        f"last by second: {means[3] / means[1]:.2f}", f"level ({GROWTH:.2f})", means[3] <= GROWTH * means[1],
    )  # fmt: skip
    return result


def _watch(child: Child, url: str, sizes: Sizes) -> tuple[list[float], int]:
    """Megabytes, seen again and again until everything is read or time is over; and how many events were."""
    seen: list[float] = []
    deadline = time.monotonic() + sizes.read_seconds
    applied = 0
    while applied < sizes.read_events and time.monotonic() < deadline:
        time.sleep(_EVERY)
        seen.append(sum(one.memory for one in measure.used(child.pid).values()) / 2**20)
        if len(seen) % 4 == 0 or sizes.read_events < 10_000:
            applied = asyncio.run(_applied(url))
    return seen, asyncio.run(_applied(url))


async def _applied(url: str) -> int:
    engine = open_engine(url)
    try:
        return await ingesting.until_applied(engine, 0)
    finally:
        await engine.dispose()
