"""Somebody who is only on copy is known otherwise: records and what is compared say so, whatever they are in."""

from collections.abc import Iterator

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import suggested_anew
from pipelines.rebuild import Rebuild
from pipelines.store import suggestion_tables, suggestions, tables
from pipelines.suggesting import Suggesting
from schemas.artifacts import request_id
from schemas.events import SourceEvent
from tests.pipelines.memos import memo
from tests.pipelines.test_ingest import NOW, ingest_of, rows
from tests.pipelines.test_large_beside import Meanwhile
from tests.pipelines.test_suggesting import MODEL, settle, suggesting_of, tell

BEN, OLD, NEW = "memos/account/ben", "ben@example.com", "ben@new.example"


@pytest.fixture
def pages() -> Iterator[None]:
    before = suggestions.PAGE
    suggestions.PAGE = 3
    yield
    suggestions.PAGE = before


def on_copy(number: int, *names: str, opens: bool = False, version: int = 1) -> SourceEvent:
    return memo(number, version=version, title=f"Matter {number}", copy=list(names), opens=opens)


def ben(version: int = 1, address: str = OLD) -> SourceEvent:
    return memo(90, version=version, by="ben", address=address, title="Something else")


async def compared(engine: AsyncEngine) -> dict[str, set[str]]:
    """Who is on each unit, by the memo or the request."""
    found = {row.unit: orjson.loads(row.body) for row in await rows(engine, suggestion_tables.units)}
    return {name: {key for face in told["faces"] for key in face.get("people", ())} for name, told in found.items()}


async def agrees(engine: AsyncEngine) -> None:
    assert await suggested_anew.check(engine, suggesting_of(engine)) == []
    assert await rows(engine, suggestion_tables.unit_marks) == []
    assert await Rebuild(engine, ingest_of(engine).telling, lambda: NOW, "here").check() == []


async def test_a_new_address_of_who_is_on_copy_is_seen_in_what_is_in_no_request(engine: AsyncEngine) -> None:
    await tell(engine, [on_copy(1, "ben"), on_copy(2, "carl"), ben()])
    await settle(engine)
    assert (await compared(engine))["memos/memo/1"] == {OLD}
    await tell(engine, [ben(2, NEW)], first=3)
    await settle(engine)
    assert (await compared(engine))["memos/memo/1"] == {NEW}
    assert (await compared(engine))["memos/memo/2"] == {"memos/account/carl"}
    await agrees(engine)


async def test_records_show_it_and_are_found_by_it(engine: AsyncEngine) -> None:
    await tell(engine, [on_copy(1, "ben", opens=True), ben()])
    await tell(engine, [ben(2, NEW)], first=2)
    one = request_id("memos/memo/1")
    (stored,) = [row for row in await rows(engine, tables.requests) if row.id == one]
    people = {person["id"]: person.get("address") for person in orjson.loads(stored.record)["people"]}
    assert NEW in people.values()
    assert OLD not in people.values()
    facets = {row.value for row in await rows(engine, tables.facets) if (row.request, row.kind) == (one, "person")}
    assert {BEN, NEW} <= facets
    assert OLD not in facets
    await settle(engine)
    await agrees(engine)


async def test_who_comes_on_copy_or_leaves_it_is_followed(engine: AsyncEngine) -> None:
    await tell(engine, [on_copy(1, "ben"), on_copy(2), ben()])
    await settle(engine)
    await tell(engine, [on_copy(1, version=2), on_copy(2, "ben", version=2)], first=3)
    await settle(engine)
    named = {(row.identity, row.unit) for row in await rows(engine, suggestion_tables.unit_people)}
    assert (BEN, "memos/memo/1") not in named
    assert (BEN, "memos/memo/2") in named
    await tell(engine, [ben(2, NEW)], first=5)
    await settle(engine)
    assert (await compared(engine))["memos/memo/2"] == {NEW}
    await agrees(engine)


@pytest.mark.usefixtures("pages")
async def test_of_very_many_units_a_page_at_a_time(engine: AsyncEngine) -> None:
    events = [on_copy(number, "ben", "carl") for number in range(1, 9)] + [
        on_copy(number, "carl") for number in (9, 10)
    ]
    await tell(engine, [*events, ben(), memo(91, by="carl")])
    await settle(engine)
    await tell(engine, [ben(2, NEW), memo(91, version=2, by="carl", address="carl@new.example")], first=12)
    await settle(engine)
    found = await compared(engine)
    assert all(found[f"memos/memo/{number}"] == {NEW, "carl@new.example"} for number in range(1, 9))
    assert all(found[f"memos/memo/{number}"] == {"carl@new.example"} for number in (9, 10))
    await agrees(engine)


async def test_what_was_looked_at_while_somebody_changed_is_looked_at_again(
    engine: AsyncEngine, database_url: str
) -> None:
    """Somebody gets another address after a unit that is new was read, and before it says who takes part in it."""

    async def deed(other: AsyncEngine) -> None:
        await tell(other, [ben(2, NEW)], first=2)

    await tell(engine, [on_copy(1, "ben"), ben()])
    watch = Meanwhile(database_url, deed, at="units")
    assert await Suggesting(engine, lambda: NOW, "here", model=MODEL, watch=watch).once()
    assert (await compared(engine))["memos/memo/1"] == {OLD}
    await settle(engine)
    assert (await compared(engine))["memos/memo/1"] == {NEW}
    await agrees(engine)
