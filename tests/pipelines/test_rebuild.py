"""Everything derived is computed anew beside the running system: on both databases, and equal to what ingest made."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.rebuild import NOT_PUT_TOGETHER, Outcome, Progress, Rebuild
from pipelines.store import tables
from pipelines.store.beside import DERIVED
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from schemas.artifacts import Mapped, request_id
from schemas.errors import Misconfigured, RetryLater
from schemas.events import SourceEvent
from tests.parts.copies import prepared
from tests.pipelines.conftest import configured
from tests.pipelines.memos import map_memo, memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, outcome, rows
from tests.pipelines.test_order import tell


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    await prepared(url, configured)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    async with opened(database_url) as engine:
        yield engine


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """PostgreSQL only: there whole tables take the others' place, on SQLite rows do."""
    async with opened(postgres_url) as engine:
        yield engine


def rebuild_of(
    engine: AsyncEngine,
    mapping: Callable[[SourceEvent], Mapped] = map_memo,
    progress: Callable[[Progress], None] = lambda _: None,
    holder: str = "one",
    batch: int = 7,
) -> Rebuild:
    telling = Ingest(engine, {"memo": mapping}, lambda: NOW, "rebuild").telling
    return Rebuild(engine, telling, lambda: NOW, holder, progress, batch)


def company(seed: int, memos: int = 12) -> list[SourceEvent]:
    """Memos in a few versions each that point at each other, shuffled."""
    chance = random.Random(seed)
    events = [
        memo(
            number,
            version=version,
            text=" and ".join(f"MEMO-{chance.randint(1, 3 * memos)}" for _ in range(chance.randint(0, 2))),
            parent=chance.choice([None, None, chance.randint(1, memos)]),
            status=chance.choice(["open", "done"]),
            by=chance.choice(["anna", "ben"]),
            opens=chance.random() < 0.8,
        )
        for number in range(1, memos + 1)
        for version in range(1, chance.randint(1, 3) + 1)
    ]
    chance.shuffle(events)
    return events


async def everything(engine: AsyncEngine) -> dict[str, list[Any]]:
    """Every row of every derived table."""
    return {table.name: [tuple(row) for row in await rows(engine, table)] for table in DERIVED}


async def execute(engine: AsyncEngine, *statements: str) -> None:
    async with writing(engine) as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def left_behind(engine: AsyncEngine) -> list[str]:
    """Schemas and files of a second set."""
    if engine.dialect.name == "sqlite":
        return [path.name for path in Path(str(engine.url.database)).parent.glob("*.rebuild*")]
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_schema_names())
    return [name for name in names if name.endswith("_rebuild")]


@pytest.mark.parametrize("seed", range(4))
async def test_what_ingest_made_in_any_order_is_what_a_rebuild_makes(engine: AsyncEngine, seed: int) -> None:
    events, chance = company(seed), random.Random(seed)
    await tell(engine, [*events, *chance.sample(events, len(events) // 4)], chance, 2)
    before = await everything(engine)
    await execute(engine, "DELETE FROM unpublished")
    seen: list[Progress] = []
    assert await rebuild_of(engine, progress=seen.append).check() == []
    assert seen[-1] == Progress(len(events), len(events))
    assert await rebuild_of(engine).swap() == Outcome(len(events), 0, 0, 0, rules_changed=False)
    after = await everything(engine)
    for found in (before, after):  # a value that nobody mentions any more is as good as none
        found["reference_values"] = [row for row in found["reference_values"] if row[1]]
    assert after == before
    assert await rows(engine, tables.unpublished) == []
    assert await left_behind(engine) == []


async def test_what_is_not_as_computed_is_named_mended_and_published(engine: AsyncEngine) -> None:
    await tell(engine, company(1), random.Random(1), 1)
    right = await outcome(engine)
    lost, spoiled, *_ = [row.id for row in await rows(engine, tables.requests)]
    await execute(
        engine,
        f"DELETE FROM requests WHERE id = '{lost}'",
        f"UPDATE requests SET record = '{{}}', etag = 'other' WHERE id = '{spoiled}'",
        "DELETE FROM facets WHERE kind = 'word'",
        "DELETE FROM unpublished",
    )
    found = {one.table: one for one in await rebuild_of(engine).check()}
    assert set(found) == {"requests", "facets"}
    assert (found["requests"].stale, found["requests"].missing) == (1, 1)
    assert set(found["requests"].keys) == {lost, spoiled}
    done = await rebuild_of(engine).swap()
    assert (done.changed, done.ended) == (2, 0)
    assert await outcome(engine) == right
    assert {row.request for row in await rows(engine, tables.unpublished)} == {lost, spoiled}
    assert await rebuild_of(engine).check() == []


async def test_an_id_that_vanishes_redirects(engine: AsyncEngine) -> None:
    def map_apart(event: SourceEvent) -> Mapped:
        return replace(map_memo(event), parts={"memo": replace(map_memo(event).parts["memo"], texts=())})

    apart = Ingest(engine, {"memo": map_apart}, lambda: NOW, "one")
    await apart(records([memo(1), memo(2, text="see MEMO-1")]))
    async with writing(engine) as connection:
        await connection.execute(text("DELETE FROM unpublished"))
    assert len(await rows(engine, tables.requests)) == 2
    older, younger = request_id("memos/memo/1"), request_id("memos/memo/2")
    done = await rebuild_of(engine).swap()
    assert (done.changed, done.ended) == (1, 1)
    marks = {row.request: row.etag for row in await rows(engine, tables.unpublished)}
    assert marks[younger] == f"-> {older}"
    sent: list[Any] = []

    async def send(changes: Any) -> list[bool]:
        sent.extend(changes)
        return [True] * len(changes)

    publisher = Publisher(engine, send, lambda: NOW, "one")
    assert await publisher.once() == 2
    assert {key.decode(): dict(headers)["ce_type"].decode().split(".")[2] for key, _, headers in sent} == {
        older: "changed", younger: "redirected",
    }  # fmt: skip


async def test_what_lands_meanwhile_is_caught_up_with(engine: AsyncEngine) -> None:
    events = company(2, memos=30)
    half = len(events) // 2
    await tell(engine, events[:half], random.Random(2), 1)
    going = asyncio.create_task(tell(engine, events[half:], random.Random(3), 2))
    seen: list[Progress] = []
    done = await rebuild_of(engine, progress=seen.append, batch=5).swap()
    await going
    assert done.events >= half
    assert [one.done for one in seen] == sorted(one.done for one in seen)
    assert await rebuild_of(engine).check() == []
    assert len(await rows(engine, tables.source_events)) == len(events)


async def test_ingest_and_readers_go_on_with_connections_they_had(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2, text="MEMO-1")]))
    await outcome(engine)
    for first in (2, 3):
        await rebuild_of(engine).swap()
        await ingest(records([memo(first + 1, text="MEMO-1")], first=first))
        members = [row.request for row in await rows(engine, tables.members)]
        assert members == [request_id("memos/memo/1")] * (first + 1)


async def test_what_this_release_cannot_understand_waits_as_a_dead_letter(engine: AsyncEngine) -> None:
    def map_less(event: SourceEvent) -> Mapped:
        if event.native_id == "2":
            raise ZeroDivisionError("a fault of the mapping")
        return map_memo(event)

    await ingest_of(engine)(records([memo(1), memo(2), memo(3, text="MEMO-2")]))
    assert (await rebuild_of(engine, map_less).swap()).set_aside == 1
    (letter,) = await rows(engine, tables.dead_letters)
    assert letter.cause.startswith("failed: ZeroDivisionError")
    assert letter.connection == "memos"
    assert "a fault of" not in letter.reason
    assert {row.artifact for row in await rows(engine, tables.members)} == {"memos/memo/1", "memos/memo/3"}
    assert (await rebuild_of(engine).swap()).changed == 1
    assert len(await rows(engine, tables.members)) == 3


async def test_what_the_database_refuses_waits_as_a_dead_letter(server: AsyncEngine) -> None:
    def map_odd(event: SourceEvent) -> Mapped:
        mapped = map_memo(event)
        odd: Any = "perhaps"
        people = tuple(replace(one, machine=odd) for one in mapped.identities)
        return replace(mapped, identities=people) if event.native_id == "2" else mapped

    await ingest_of(server)(records([memo(number) for number in range(1, 6)]))
    assert (await rebuild_of(server, map_odd).swap()).set_aside == 1
    (letter,) = await rows(server, tables.dead_letters)
    assert letter.cause.startswith("refused: ")
    assert "perhaps" not in letter.reason
    assert {row.artifact for row in await rows(server, tables.members)} == {f"memos/memo/{one}" for one in (1, 3, 4, 5)}


async def test_a_release_that_fails_on_much_swaps_nothing(engine: AsyncEngine) -> None:
    def map_nothing(event: SourceEvent) -> Mapped:
        raise ZeroDivisionError

    await ingest_of(engine)(records([memo(number) for number in range(40)]))
    before = await everything(engine)
    with pytest.raises(Misconfigured, match="fault of the release"):
        await rebuild_of(engine, map_nothing).swap()
    assert await everything(engine) == before
    assert await rows(engine, tables.dead_letters) == []
    assert await left_behind(engine) == []


async def test_a_request_that_cannot_be_put_together_keeps_its_last_good_record(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2), memo(3, text="MEMO-1")]))
    before = {row.id: row for row in await rows(engine, tables.requests)}
    facets = [await rows(engine, table) for table in (tables.facets, tables.latest_facets)]
    one, rebuild = request_id("memos/memo/1"), rebuild_of(engine)
    async with rebuild._started() as run:
        async with run.second.batch() as connection:
            await rebuild._catch_up(connection, run)
            # As where folding fails: its members are known, its record is not.
            for table, key in (("requests", "id"), ("facets", "request"), ("latest_facets", "request")):
                await connection.execute(text(f"DELETE FROM {table} WHERE {key} = '{one}'"))
        done = await rebuild._swap(run)
    assert (done.changed, done.ended) == (0, 0)
    after = {row.id: row for row in await rows(engine, tables.requests)}
    assert (after[one].record, after[one].problem) == (before[one].record, NOT_PUT_TOGETHER)
    assert after[one].component == before[one].component
    assert after[request_id("memos/memo/2")] == before[request_id("memos/memo/2")]
    assert [await rows(engine, table) for table in (tables.facets, tables.latest_facets)] == facets
    await rebuild_of(engine).swap()
    assert {row.id: row for row in await rows(engine, tables.requests)} == before


async def test_rules_that_change_meanwhile_are_gone_over_again(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(number) for number in range(1, 20)]))
    asked: list[asyncio.Task[None]] = []

    async def other_rules() -> None:
        async with writing(engine) as connection:
            await write(connection, "others", ConnectionConfiguration("jira", frozenset({"OTHER"})))

    def progress(_: Progress) -> None:
        if not asked:
            asked.append(asyncio.ensure_future(other_rules()))

    done = await rebuild_of(engine, progress=progress, batch=3).swap()
    assert done.rules_changed
    pending = [row.component for row in await rows(engine, tables.pending)]
    assert pending == [row.id for row in await rows(engine, tables.components)]


_LEFT = "INSERT INTO deferred (kind, name) VALUES ('artifact', 'memos/memo/1')"


async def test_what_is_merged_and_not_understood_yet_is_no_difference(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1)]))
    await execute(engine, _LEFT, "DELETE FROM members")
    checking = asyncio.create_task(rebuild_of(engine).check())
    await asyncio.sleep(0.7)
    assert not checking.done()
    await execute(engine, "DELETE FROM deferred")
    assert [(one.table, one.missing) for one in await checking] == [("members", 1)]
    await execute(engine, _LEFT)
    await rebuild_of(engine).swap()
    assert await rows(engine, tables.deferred) == []
    assert await rebuild_of(engine).check() == []


async def test_one_at_a_time(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1)]))
    started = rebuild_of(engine)._started()
    async with started:
        with pytest.raises(RetryLater, match="another rebuild"):
            await rebuild_of(engine, holder="other").swap()
    await rebuild_of(engine, holder="other").swap()


async def test_what_a_killed_one_left_is_cleared_away(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1)]))
    if engine.dialect.name == "sqlite":
        Path(f"{engine.url.database}.rebuild").write_bytes(b"half a file")
    else:
        await execute(engine, "CREATE SCHEMA public_rebuild", "CREATE TABLE public_rebuild.members (x int)")
    assert await rebuild_of(engine).check() == []
    assert await left_behind(engine) == []


@pytest.mark.postgres
async def test_a_view_of_somebody_else_is_not_dropped(server: AsyncEngine) -> None:
    await ingest_of(server)(records([memo(1)]))
    await execute(server, "CREATE VIEW theirs AS SELECT id FROM requests")
    with pytest.raises(Misconfigured, match="view"):
        await rebuild_of(server).swap()
    assert len(await rows(server, tables.requests)) == 1
    assert await left_behind(server) == []


@pytest.mark.postgres
async def test_the_planner_knows_the_new_tables_at_once(server: AsyncEngine) -> None:
    await ingest_of(server)(records([memo(number) for number in range(1, 1000)]))
    await rebuild_of(server, batch=100).swap()
    async with server.connect() as connection:
        known = await connection.execute(text("SELECT reltuples FROM pg_class WHERE oid = 'requests'::regclass"))
        assert known.scalar_one() > 500


@pytest.mark.postgres
async def test_a_reader_that_holds_a_table_makes_the_swap_wait(server: AsyncEngine) -> None:
    await ingest_of(server)(records([memo(1)]))
    async with server.connect() as reader:
        await reader.execute(text("SELECT count(*) FROM requests"))
        swap = asyncio.create_task(rebuild_of(server).swap())
        await asyncio.sleep(1.5)
        assert not swap.done()
        await reader.rollback()
        assert (await asyncio.wait_for(swap, 60)).events == 1
