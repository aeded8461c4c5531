"""One person over many requests: by address and by decision, whichever is read first, and whoever reads it."""

import random
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines import rebuild
from pipelines.correlate.rules import Rules
from pipelines.deciding import Deciding, Wish
from pipelines.rebuild import Rebuild
from pipelines.recompute import Recompute
from pipelines.search import name_term
from pipelines.store import people, tables
from pipelines.store.bulk import Bulk
from pipelines.store.components import MANY_NAMED
from pipelines.store.engine import reading
from pipelines.store.facts import Touched
from schemas.artifacts import request_id
from schemas.decisions import DecisionKind
from schemas.events import SourceEvent
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, Counting, ingest_of, outcome, rows
from tests.pipelines.test_order import empty, tell

SHARED = "desk@x.example"


def account(name: str) -> str:
    return f"memos/account/{name}"


def one(number: int, by: str, name: str | None = None, address: str | None = SHARED, **more: Any) -> SourceEvent:
    return memo(number, by=by, name=name, address=address, **more)


async def requesters(engine: AsyncEngine) -> dict[str, Any]:
    found = {row.id: orjson.loads(row.record)["requester"] for row in await rows(engine, tables.requests)}
    return {number: found[request_id(f"memos/memo/{number}")] for number in "12" if
            request_id(f"memos/memo/{number}") in found}  # fmt: skip


async def found_by(engine: AsyncEngine, person: str, kind: str = "person") -> set[str]:
    return {row.request for row in await rows(engine, tables.facets) if (row.kind, row.value) == (kind, person)}


async def test_a_name_that_is_known_elsewhere_is_shown_and_every_name_finds_the_same(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([one(1, "anna")]))
    assert (await requesters(engine))["1"]["name"] is None
    await ingest(records([one(2, "ben", "Benno Sand")], first=1))
    both = await requesters(engine)
    assert [(told["name"], told["id"]) for told in both.values()] == [
        ("Benno Sand", account("anna")), ("Benno Sand", account("ben")),
    ]  # fmt: skip
    assert both["1"]["elsewhere"] == [account("ben")]
    everywhere = {request_id("memos/memo/1"), request_id("memos/memo/2")}
    for kind in ("person", "requester"):
        for asked in (account("anna"), account("ben"), SHARED, "benno sand"):
            assert await found_by(engine, asked, kind) == everywhere


async def test_who_takes_another_address_is_somebody_else_from_then_on(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([one(1, "anna"), one(2, "ben", "Benno Sand")]))
    await ingest(records([one(2, "ben", "Benno Sand", "ben@x.example", version=2)], first=2))
    both = await requesters(engine)
    assert (both["1"]["name"], both["1"]["elsewhere"], both["2"]["elsewhere"]) == (None, [], [])
    assert await found_by(engine, account("ben")) == {request_id("memos/memo/2")}
    assert await Rebuild(engine, ingest.telling, lambda: NOW, "here").check() == []


async def test_an_address_of_very_many_accounts_brings_in_the_first_whatever_came_when(engine: AsyncEngine) -> None:
    many = people.MOST + 12
    events = [one(number, f"p{number:02}", f"Person {number}" if number % 5 == 0 else None) for number in range(many)]
    await tell(engine, events, random.Random(0), 1)
    expected = await outcome(engine)
    records_ = [orjson.loads(row.record) for row in await rows(engine, tables.requests)]
    assert {len(told["requester"]["elsewhere"]) for told in records_} == {people.MOST - 1, people.MOST}
    for seed in range(3):
        await empty(engine)
        chance = random.Random(seed)
        await tell(engine, chance.sample(events, many), chance, 1 + seed)
        assert await outcome(engine) == expected


async def test_who_is_in_very_many_requests_is_seen_to_in_steps(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = MANY_NAMED + 50
    ingest = ingest_of(engine)
    await ingest(records([one(number, "anna") for number in range(1, many + 1)]))
    await ingest(records([one(many + 1, "ben", "Benno Sand")], first=many))
    assert (await requesters(engine))["1"]["name"] is None
    recompute = Recompute(engine, lambda: NOW, "here")
    while await recompute.once():
        pass
    named = {orjson.loads(row.record)["requester"]["name"] for row in await rows(engine, tables.requests)}
    assert named == {"Benno Sand"}
    monkeypatch.setattr(rebuild, "_BYTES", 1_000)  # so that it takes in what is named in steps, and the name at last
    assert await Rebuild(engine, ingest.telling, lambda: NOW, "here").check() == []
    before = await outcome(engine)
    await Rebuild(engine, ingest.telling, lambda: NOW, "here").swap()
    while await recompute.once():
        pass
    assert await outcome(engine) == before


async def test_what_is_folded_at_this_moment_is_not_missed(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([one(1, "anna")]))
    async with reading(engine) as folding:
        await people.hold(Bulk(folding), Touched(Rules()))
        await ingest(records([one(2, "ben", "Benno Sand")], first=1))
        waits = {row.name for row in await rows(engine, tables.deferred) if row.kind == "identity"}
        if engine.dialect.name == "postgresql":
            assert waits == {account("ben")}
            assert (await requesters(engine))["1"]["name"] is None
    await Recompute(engine, lambda: NOW, "here").late()
    assert [told["name"] for told in (await requesters(engine)).values()] == ["Benno Sand"] * 2
    assert await rows(engine, tables.deferred) == []


async def test_who_is_folded_while_a_decision_is_taken_is_not_missed(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([one(1, "anna", address="anna@x.example"), one(2, "ben", "Benno Sand")]))
    same = Wish(DecisionKind.SAME_PERSON, "Carla", left=(account("anna"),), right=(account("ben"),))
    await Deciding(engine, lambda: NOW).decide(same)
    # Nobody sees it before it is committed: it is looked at again after that.
    again = {row.name for row in await rows(engine, tables.deferred) if row.kind == "identity"}
    assert again == (set() if engine.dialect.name == "sqlite" else {account("anna"), account("ben")})
    await Recompute(engine, lambda: NOW, "here").late()
    assert await rows(engine, tables.deferred) == []
    assert [told["name"] for told in (await requesters(engine)).values()] == ["Benno Sand"] * 2


async def test_what_the_database_refuses_of_somebody_is_tried_again(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    await ingest(records([one(1, "anna")]))
    refused = request_id("memos/memo/1")
    refuse, mend = {
        "sqlite": (f"""CREATE TRIGGER refusing BEFORE INSERT ON requests WHEN NEW.id = '{refused}'
            BEGIN SELECT RAISE(ABORT, 'no'); END""", "DROP TRIGGER refusing"),
        "postgresql": (
            f"ALTER TABLE requests ADD CONSTRAINT refusing CHECK (id <> '{refused}' OR record NOT LIKE '%Benno%')",
            "ALTER TABLE requests DROP CONSTRAINT refusing",
        ),
    }[engine.dialect.name]  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(text(refuse))
    await ingest(records([one(2, "ben", "Benno Sand")], first=1))
    assert [row.kind for row in await rows(engine, tables.deferred)] == ["refused identity"]
    assert (await requesters(engine))["1"]["name"] is None
    async with engine.begin() as connection:
        await connection.execute(text(mend))
    recompute = Recompute(engine, lambda: NOW, "here")
    await recompute.retry()
    await recompute.once()
    assert (await requesters(engine))["1"]["name"] == "Benno Sand"
    await recompute.refused()
    await recompute.late()
    assert await rows(engine, tables.deferred) == []


async def test_a_name_longer_than_an_index_takes_stops_nothing(engine: AsyncEngine) -> None:
    chance, ingest = random.Random(1), ingest_of(engine)
    long = " ".join("".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=40)) for _ in range(150))
    await ingest(records([one(1, "anna"), one(2, "ben", long)]))
    assert {row.problem for row in await rows(engine, tables.requests)} == {None}
    assert (await requesters(engine))["1"]["name"] == long
    assert await found_by(engine, name_term(long)) == {request_id("memos/memo/1"), request_id("memos/memo/2")}


async def test_the_cost_does_not_grow_with_how_many_there_are(engine: AsyncEngine) -> None:
    events = [one(number, f"p{number}", address=f"{number % 40}@x.example") for number in range(200)]
    await ingest_of(engine)(records(events))
    everybody = {account(f"p{number}") for number in range(200)}
    alike = {account(f"p{number}") for number in range(1, 200, 40)}
    counted = []
    for names, expected in (({account("p1")}, alike), (everybody, everybody)):
        async with reading(engine) as connection:
            with Counting(engine) as statements:
                known = await people.load(Bulk(connection), names)
                concerned = await people.concerned(Bulk(connection), names)
        counted.append(len(statements))
        assert known.around(names) == concerned == expected
    assert counted[0] == counted[1] <= 5
