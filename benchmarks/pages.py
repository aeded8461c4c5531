"""What a page costs with many requests stored: the time until it is there, and its bytes."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from urllib.parse import quote
from urllib.request import urlopen

from sqlalchemy import select

from benchmarks import bulk, growth, lookups, plans
from benchmarks.clones import FIRST
from benchmarks.parts import Child, Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import Story, kept
from pipelines.store import tables
from pipelines.store.engine import open_engine, reading
from services.web.wanted import QUICK, address

MOST_STORED = 100_000
MILLISECONDS, BYTES = 100, 100_000


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """Each page as somebody on this machine reads it, one after the other, on PostgreSQL."""
    stored = max(one for one in sizes.stored if one <= MOST_STORED)
    base = kept(parts.folder, sizes.template_requests, 1, tell)
    result = Result(f"Pages with {stored:,} requests stored")
    with parts.place("kafka+postgresql") as place, ExitStack() as stack:
        asyncio.run(_filled(parts, place, base, stored, tell))
        tell("plans of lists")
        asyncio.run(plans.add(result, place.database_url))
        server = stack.enter_context(Child("benchmarks.worker", "query", environ=place.environ()))
        server.answer(30)
        for what, paths in asyncio.run(_paths(place)).items():
            tell(what)
            _measured(result, place, server, what, paths, sizes.lookup_seconds)
        rows, seconds = _exported(place, sizes.lookup_seconds)
        result.add("the list as CSV", f"{rows / seconds:,.0f} rows/s, sent while they are read")
    result.notes.append(
        "HTML as it is sent, without what a browser keeps (one style sheet, one script); one reader, who may read all."
    )
    return result


def _measured(result: Result, place: Place, server: Child, what: str, paths: list[str], seconds: float) -> None:
    sizes = [len(_page(place.api + path)) for path in paths[:20]]
    load = lookups.load(place.folder, place.api_port, server, paths, seconds, 1)
    met = load.p50 < MILLISECONDS and max(sizes) < BYTES
    result.add(
        what, f"p50 {load.p50:.0f} ms, p99 {load.p99:.0f} ms, {max(sizes) / 1000:.0f} kB",
        f"{load.cpu / 1000:.0f} ms of CPU (server and PostgreSQL)", "100 ms, 100 kB", met,
    )  # fmt: skip


def _page(url: str) -> bytes:
    with urlopen(url, timeout=60) as answer:
        body: bytes = answer.read()
        return body


def _exported(place: Place, seconds: float) -> tuple[int, float]:
    """Rows that came within a time."""
    began, rows = time.perf_counter(), 0
    with urlopen(f"{place.api}/requests.csv", timeout=60) as answer:
        for _ in answer:
            rows += 1
            if time.perf_counter() - began > seconds:
                break
    return rows, time.perf_counter() - began


async def _filled(parts: Parts, place: Place, base: Story, stored: int, tell: Callable[[str], None]) -> None:
    mark, told = bulk.marked(base.told)
    whole = await growth.understood(parts, base, mark, told)
    made = await growth.understood(parts, base, mark, [one for each in whole.templates for one in each.events])
    tell(f"storing {stored:,} requests from {FIRST:,} on")
    await growth.fill(place, base, made, stored)
    await growth.settled(place)


async def _paths(place: Place) -> Mapping[str, list[str]]:
    """By page, some addresses of it: such as there are many finds for."""
    engine = open_engine(place.database_url)
    ids, keys, _ = await lookups.to_ask(engine)
    async with reading(engine) as connection:
        titles = list((await connection.execute(select(tables.requests.c.title).limit(200))).scalars())
        kind, value = tables.facets.c.kind, tables.facets.c.value
        asked = select(value).where(kind == "requester", value.like("%@%")).distinct().limit(3)
        people = [quote(one) for one in (await connection.execute(asked)).scalars()]
    await engine.dispose()
    words = [quote(" ".join(re.findall(r"\w{3,}", one)[:2])) for one in titles if len(re.findall(r"\w{3,}", one)) > 1]
    return {
        "the first page": ["/"],
        "all requests": ["/requests"],
        "stuck, longest first": [address("/requests", QUICK["Stuck"])],
        "those with two words": [f"/requests?text={one}" for one in words],
        "open ones of one who asked": [f"/requests?requester={one}&state=active&state=new" for one in people],
        "of anybody in it, by when they were opened": [f"/requests?person={one}&sort=opened" for one in people],
        "the board": ["/requests/board"],
        "the board of one who asked": [f"/requests/board?requester={one}" for one in people],
        "one request": [f"/requests/{one}" for one in ids],
        "all that happened to it": [f"/requests/{one}/timeline" for one in ids],
        "answers while one types": [f"/find/suggest?q={one[:9]}" for one in [*words, *keys]],
        "nothing found": ["/find?q=PAY-0", "/find?q=nothing-such"],
    }
