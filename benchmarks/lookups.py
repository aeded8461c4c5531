"""Look-ups per second beside a bare handler on the same server."""

import asyncio
import os
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import measure, replay
from benchmarks.parts import Child, Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import Story, kept
from pipelines.store import tables
from pipelines.store.engine import open_engine, reading, writing
from schemas.access import Role
from services.admin import tokens
from services.admin.accounts import By
from tests.parts.presence import free_port

REACH, AIM = 0.5, 0.7


_SIGNED_IN = {"OPEN_TO_THIS_MACHINE": "false", "REQUESTS_A_MINUTE": "10000000"}
"""A hub that asks who asks, and lets one program ask for more than it may by default."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server answered under load."""

    rate: float
    p50: float
    p99: float
    """Milliseconds."""
    cpu: float
    """Microseconds of an answer, the server's and PostgreSQL's."""


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """By id and by reference, PostgreSQL; the bare handler before, between and after."""
    result = Result("Look-ups")
    story = kept(parts.folder, sizes.live_requests, sizes.readings, tell)
    with parts.place("kafka+postgresql") as place, ExitStack() as stack:
        ids, keys, size, token = asyncio.run(_filled(place, story))
        port = free_port()
        url = place.database_url.replace("+asyncpg", "")
        bare = stack.enter_context(Child("benchmarks.bare_lookup", url, str(port)))
        ours = stack.enter_context(Child("benchmarks.worker", "query", environ=place.environ(**_SIGNED_IN)))
        bare.answer(30)
        ours.answer(30)
        by_id = [f"/v1/requests/{one}" for one in ids]
        by_key = [f"/v1/lookup?reference={one}" for one in keys]
        rounds = [(port, bare, by_id), (place.api_port, ours, by_id), (port, bare, by_id),
                  (place.api_port, ours, by_key), (port, bare, by_id)]  # fmt: skip
        loads = [
            load(place.folder, at, child, paths, sizes.lookup_seconds, sizes.clients, token)
            for at, child, paths in rounds
        ]
    base = [loads[0], loads[2], loads[4]]
    rate = sum(one.rate for one in base) / len(base)
    result.add(
        "bare handler (Starlette, asyncpg), by id", _words(base[1]),
        "its three runs: " + ", ".join(f"{one.rate:,.0f}" for one in base),
    )  # fmt: skip
    for what, one in (("one request by id, with freshness", loads[1]), ("what a reference leads to", loads[3])):
        ratio = one.rate / rate
        result.add(what, _words(one), f"{ratio:.2f} of the bare handler's", f"{REACH}, aim {AIM}", ratio >= REACH)
    result.notes.append(
        f"{sizes.clients} clients, each with an API token and waiting for its answer; one server process; "
        f"records of {size:,.0f} bytes on "
        f"average, {len(ids)} requests."
    )
    return result


def _words(one: Load) -> str:
    return (
        f"{one.rate:,.0f}/s, p50 {one.p50:.1f} ms, p99 {one.p99:.1f} ms, {one.cpu:.0f} µs of CPU "
        "(server and PostgreSQL)"
    )


def load(
    folder: Path, port: int, server: Child, paths: list[str], seconds: float, clients: int, token: str = ""
) -> Load:
    """Ask a server for so long; token: none is sent, if empty. Raises RuntimeError for an answer other than 200."""
    file = folder / "paths"
    file.write_text("\n".join(paths), "ascii")
    before = _used(server)
    with Child("benchmarks.load", str(port), str(seconds), str(clients), str(file), token) as client:
        told = client.answer(seconds * 3 + 30)
    spent = sum(measure.spent(before, _used(server)).values())
    if told["wrong"] or not told["answered"]:
        raise RuntimeError(f"{told['wrong']} of {told['answered']} answers were wrong")
    # The warm-up is in the CPU time, and not in the count.
    return Load(told["rate"], told["p50"], told["p99"], spent / (told["answered"] * 1.25) * 1e6)


def _used(server: Child) -> dict[str, measure.Usage]:
    everything = measure.used(os.getpid())
    return {"PostgreSQL": everything["PostgreSQL"], "hub": measure.used(server.pid)["hub"]}


async def _filled(place: Place, story: Story) -> tuple[list[str], list[str], float, str]:
    """The company read; ids and issue keys to ask for, the mean size of a record, and an API token."""
    engine = open_engine(place.database_url)
    try:
        await replay.prepare(engine, story.rules)
        await replay.replay(engine, story.told)
        async with writing(engine) as connection:
            by = By(None, datetime.now(UTC))
            _, token = await tokens.add(connection, by, "benchmark", Role.VIEWER, None, None)
        return *await to_ask(engine), token
    finally:
        await engine.dispose()


async def to_ask(engine: AsyncEngine, most: int = 1_000) -> tuple[list[str], list[str], float]:
    """Some requests' ids and issue keys in no order, and the mean size of their records."""
    keyed = select(tables.artifacts.c.natural_key).join(
        tables.members, tables.members.c.artifact == tables.artifacts.c.id
    ).where(tables.artifacts.c.connector == "jira", tables.members.c.request.is_not(None))  # fmt: skip
    async with reading(engine) as connection:
        rows = (await connection.execute(select(tables.requests.c.id, tables.requests.c.record).limit(most))).all()
        keys = list((await connection.execute(keyed.limit(most))).scalars())
    ids = [row.id for row in rows]
    chance = random.Random(7)
    chance.shuffle(ids)
    chance.shuffle(keys)
    return ids, keys, sum(len(row.record) for row in rows) / len(rows)
