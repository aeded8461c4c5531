"""A batch becomes requests in one transaction: through both databases."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event as listen
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.recompute import Recompute
from pipelines.store import tables
from pipelines.store.components import MANY_NAMED
from schemas.artifacts import request_id
from schemas.errors import RetryLater
from schemas.events import SourceEvent
from tests.pipelines.memos import Record, map_memo, memo, records

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def ingest_of(engine: AsyncEngine, full: int = 1_000_000) -> Ingest:
    return Ingest(engine, {"memo": map_memo}, lambda: NOW, "one", full=full)


async def rows(engine: AsyncEngine, table: Any) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(select(table).order_by(*table.primary_key))).all())


async def outcome(engine: AsyncEngine) -> dict[str, Any]:
    """Everything that must not depend on order: requests as stored, and who is in which."""
    return {
        "requests": [(r.id, r.record, r.etag, r.component, r.basis) for r in await rows(engine, tables.requests)],
        "members": [tuple(row) for row in await rows(engine, tables.members)],
        "facets": [tuple(row) for row in await rows(engine, tables.facets)],
        "latest": [tuple(row) for row in await rows(engine, tables.latest_facets)],
        "activities": [(r.key, r.body) for r in await rows(engine, tables.activities)],
        "values": [tuple(row) for row in await rows(engine, tables.reference_values) if row.mentions],
    }


async def members(engine: AsyncEngine) -> dict[str, str | None]:
    return {row.artifact.rpartition("/")[2]: row.request for row in await rows(engine, tables.members)}


async def test_what_full_batches_leave_is_understood_by_the_next_that_is_not_or_later(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine, full=2)
    await ingest(records([memo(1), memo(2, text="MEMO-1")]))
    assert await members(engine) == {}
    assert await Recompute(engine, lambda: NOW, "here").late() == 1
    assert set((await members(engine)).values()) == {request_id("memos/memo/1")}
    await ingest(records([memo(3, text="MEMO-1"), memo(4)], first=2))
    await ingest(records([memo(5, text="MEMO-4")], first=4))
    assert len(await members(engine)) == 5
    assert len(set((await members(engine)).values())) == 2
    assert await rows(engine, tables.deferred) == []


async def test_a_mention_joins_before_and_after_the_thing_it_names(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(2, text="about MEMO-1")]))
    assert len(set((await members(engine)).values())) == 1
    await ingest(records([memo(1), memo(3, text="and MEMO-1 again")], first=1))
    assert set((await members(engine)).values()) == {request_id("memos/memo/1")}
    stored = await rows(engine, tables.requests)
    assert [row.id for row in stored] == [request_id("memos/memo/1")]
    record = json.loads(stored[0].record)
    assert [each["natural_key"] for each in record["artifacts"]] == ["MEMO-1", "MEMO-2", "MEMO-3"]
    assert record["requester"]["name"] == "Anna"


async def test_withdrawn_evidence_parts_a_request_and_the_older_part_keeps_the_id(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1), memo(2, text="see MEMO-1")]))
    await ingest(records([memo(2, version=2, text="no longer")], first=2))
    assert await members(engine) == {"1": request_id("memos/memo/1"), "2": request_id("memos/memo/2")}


async def test_the_same_batch_again_changes_nothing(engine: AsyncEngine) -> None:
    batch = records([memo(1), memo(2, text="MEMO-1"), memo(1, version=2, status="done")])
    await ingest_of(engine)(batch)
    before = await outcome(engine)
    unpublished = await rows(engine, tables.unpublished)
    await ingest_of(engine)(batch)
    assert await outcome(engine) == before
    assert await rows(engine, tables.unpublished) == unpublished
    assert [row.next for row in await rows(engine, tables.applied_offsets)] == [3]


async def test_a_bad_record_waits_as_a_dead_letter_and_stops_nothing(engine: AsyncEngine) -> None:
    batch: list[Record] = records([memo(1), memo(2, status="nonsense"), memo(3, status="explode")])
    batch += [Record("source.memo", 0, 3, b"no json", []), Record("source.memo", 0, 4, None, [("x", None)])]
    await ingest_of(engine)(batch)
    await ingest_of(engine)(batch)
    letters = await rows(engine, tables.dead_letters)
    causes = sorted((row.cause, row.connection) for row in letters)
    assert causes[:2] == [("bad record", ""), ("bad record", "")]
    assert ("bad record", "memos") in causes
    assert [cause for cause, _ in causes if cause.startswith("failed: ZeroDivisionError at memos.py")] != []
    assert "a fault of the mapping" not in str([row.reason for row in letters])
    assert list(await members(engine)) == ["1"]


async def test_a_release_that_fails_on_much_stops_instead_of_setting_aside(engine: AsyncEngine) -> None:
    batch = records([memo(number, status="explode") for number in range(40)])
    with pytest.raises(RetryLater, match="upgrade"):
        await ingest_of(engine)(batch)
    assert await rows(engine, tables.dead_letters) == []


async def test_what_no_database_can_store_is_made_storable(engine: AsyncEngine) -> None:
    await ingest_of(engine)(_raw(memo(1)))
    assert list(await members(engine)) == ["1"]


@pytest.mark.parametrize("said", ["\\u0000", "a \\\\u0000 b", "\\u0000\\u0000", "\\\0", "\0\\u0000", "\\\\\0\0"])
async def test_whoever_writes_how_a_nul_is_written_stays_as_written(engine: AsyncEngine, said: str) -> None:
    await ingest_of(engine)(records([memo(1, text=said)]))
    [stored] = await rows(engine, tables.source_events)
    assert json.loads(stored.event)["payload"]["text"] == said.replace("\0", "\ufffd")


def _raw(event: SourceEvent) -> list[Record]:
    """As a tool may put it on the wire: a NUL as an escape."""
    safe = event.model_copy(update={"payload": event.payload | {"text": "nul ", "title": "t"}})
    record = records([safe])[0]
    assert record.value is not None
    record.value = record.value.replace(b"nul ", b"nul \\u0000").replace(b'"t"', b'"t\\u0000"')
    return [record]


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(900_000)]))  # from here on anna is known
    counts = []
    for size in (1, 40):  # what is more is understood in several turns, each of which costs the same
        numbers = range(1003 * size, 1003 * size + size + 1)
        batch = records([memo(number, text=f"MEMO-{number // 7 * 7}") for number in numbers], first=1000 * size)
        with Counting(engine) as statements:
            await ingest_of(engine)(batch)
        counts.append(len(statements))
    assert counts[0] == counts[1]


class Counting:
    """The statements an engine runs."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine.sync_engine
        self.statements: list[str] = []

    def __enter__(self) -> list[str]:
        listen.listen(self.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        listen.remove(self.engine, "before_cursor_execute", self._note)

    def _note(self, _c: Any, _k: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)


async def test_a_new_name_reaches_the_records_that_show_the_person(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([memo(1, by="anna")]))
    renamed = memo(2, version=5, by="anna")

    def map_renamed(event: SourceEvent) -> Any:
        mapped = map_memo(event)
        return replace(mapped, identities=(replace(mapped.identities[0], name="Anna Berg"),))

    await Ingest(engine, {"memo": map_renamed}, lambda: NOW, "one")(records([renamed], first=1))
    stored = await rows(engine, tables.requests)
    assert [json.loads(row.record)["requester"]["name"] for row in stored] == ["Anna Berg", "Anna Berg"]


async def test_a_new_name_of_somebody_in_very_many_requests_is_left_to_recompute(engine: AsyncEngine) -> None:
    count = MANY_NAMED + 10
    ingest = ingest_of(engine)
    await ingest(records([memo(number, by="anna") for number in range(1, count + 1)]))

    def map_renamed(event: SourceEvent) -> Any:
        mapped = map_memo(event)
        return replace(mapped, identities=(replace(mapped.identities[0], name="Anna Berg"),))

    renaming = Ingest(engine, {"memo": map_renamed}, lambda: NOW, "one")
    await renaming(records([memo(5000, version=9, by="anna")], first=count))
    assert len(await rows(engine, tables.pending)) == count
    recompute = Recompute(engine, lambda: NOW, "here")
    while await recompute.once():
        pass
    stored = await rows(engine, tables.requests)
    assert {json.loads(row.record)["requester"]["name"] for row in stored} == {"Anna Berg"}
    assert await rows(engine, tables.pending) == []


async def test_a_record_whose_facts_no_code_can_store_is_set_aside_alone(engine: AsyncEngine) -> None:
    def map_odd(event: SourceEvent) -> Any:
        mapped = map_memo(event)
        if event.native_id == "2":
            return replace(mapped, fields=mapped.fields | {"title": object()})
        return mapped

    batch = records([memo(1), memo(2), memo(3, text="MEMO-1")])
    await Ingest(engine, {"memo": map_odd}, lambda: NOW, "one")(batch)
    assert list(await members(engine)) == ["1", "3"]
    letters = await rows(engine, tables.dead_letters)
    assert [row.cause.partition(" at ")[0] for row in letters] == ["failed: TypeError"]


async def test_people_told_in_an_odd_shape_name_nobody_and_stop_nothing(engine: AsyncEngine) -> None:
    def map_odd(event: SourceEvent) -> Any:
        mapped = map_memo(event)
        return replace(mapped, fields=mapped.fields | {"participants": ["x", {"identity": 7}, None]})

    await Ingest(engine, {"memo": map_odd}, lambda: NOW, "one")(records([memo(1)]))
    assert [row.problem for row in await rows(engine, tables.requests)] in ([None], [])
    assert len(await members(engine)) == 1
