"""Lists: filters, words, sorting, paging; and what the databases do for them."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from schemas.canonical import instant
from services.query.searching import Search, Sort
from services.query.steps import Bounds, Steps
from tests.services.query.conftest import Hub, owned


async def ids(hub: Hub, **parameters: Any) -> list[str]:
    """All requests of a list, one a page."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = await hub.get("/v1/requests", limit=1, **more, **parameters)
        found += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return found


ONE, FOUR, FIVE = owned(1), owned(4), owned(5)


async def test_sorting_and_paging(hub: Hub) -> None:
    assert await ids(hub) == [FIVE, FOUR, ONE] or await ids(hub) == [FIVE, ONE, FOUR]
    assert await ids(hub, sort="opened", order="asc") == [ONE, FOUR, FIVE]
    assert await ids(hub, sort="opened") == [FIVE, FOUR, ONE]
    assert sorted(await ids(hub, sort="stage_since")) == sorted([ONE, FOUR, FIVE])


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"text": "payroll"}, {ONE}),
    ({"text": "PAY"}, {ONE, FOUR}),
    ({"text": "zoe"}, {ONE}),
    ({"text": "ZAHLUNGSÜBER"}, {ONE}),
    ({"text": "portal zahl"}, {ONE}),
    ({"text": "payroll printer"}, set()),
    ({"text": "memo-4"}, {FOUR}),
    ({"text": "'); --payroll' OR \\"}, set()),
    ({"text": "\\';payroll\"%"}, {ONE}),
    ({"text": "bert"}, {ONE, FOUR}),
    ({"person": "bert@example.com"}, {ONE, FOUR}),
    ({"person": "CARLA"}, {ONE}),
    ({"person": "memos/account/bert"}, {ONE, FOUR}),
    ({"person": ["carla", "anna"]}, {ONE, FIVE}),
    ({"requester": "memos/account/anna"}, {ONE, FIVE}),
    ({"requester": "BERT"}, {FOUR}),
    ({"requester": ["bert", "anna"], "text": "pay"}, {ONE, FOUR}),
    ({"requester": "carla"}, set()),
    ({"holder": "anna"}, set()),
    ({"stage": "not mapped"}, {ONE, FOUR, FIVE}),
    ({"state": "unknown"}, {ONE, FOUR, FIVE}),
    ({"state": ["unknown", "active"], "requester": "bert"}, {FOUR}),
    ({"state": "active"}, set()),
    ({"stage": ["not mapped", "change"], "state": ["unknown", "done"]}, {ONE, FOUR, FIVE}),
    ({"stage": "not mapped", "state": "done", "person": "bert"}, set()),
    ({"stage": ["change", "not mapped"], "state": ["unknown", "new", "active", "waiting", "done"]}, {ONE, FOUR, FIVE}),
    ({"stage": "development"}, set()),
    ({"tool": "memo"}, {ONE, FOUR, FIVE}),
    ({"connection": ["memos", "memos"]}, {ONE, FOUR, FIVE}),
    ({"project": "none"}, set()),
    ({"unit": "-"}, set()),
    ({"changed_since": "2026-03-01T14:00:00Z"}, {ONE, FOUR, FIVE}),
    ({"changed_since": "2026-03-01T14:30:00Z"}, {FIVE}),
    ({"changed_since": "2026-03-01T14:00:00Z", "person": "bert", "text": "pay"}, {ONE, FOUR}),
    ({"changed_since": "2026-03-01T14:00:00Z", "text": "pay"}, {ONE, FOUR}),
    ({"changed_since": "2026-03-01T14:30:00Z", "text": "pri"}, {FIVE}),
    ({"tool": "memo", "text": "pay"}, {ONE, FOUR}),
]


async def test_filters_under_every_order(hub: Hub) -> None:
    for filters, expected in CASES:
        for sort in ("updated", "opened", "stage_since"):
            for order in ("asc", "desc"):
                found = await ids(hub, sort=sort, order=order, **filters)
                assert len(found) == len(set(found)), filters
                assert set(found) == expected, filters


async def test_the_key_of_a_project_is_known_in_small_letters(hub: Hub) -> None:
    at = "2026-03-01T14:00:00.000000Z"
    async with hub.engine.begin() as connection:
        bulk = Bulk(connection)
        for request, key in ((ONE, "PAY"), (FOUR, "pay"), (FIVE, "OPS")):
            await bulk.insert(tables.facets, [(request, "project", key, at, at)])
            await bulk.insert(tables.latest_facets, [("project", key, at, request)])
    cases = {"PAY": {ONE}, "Pay": {ONE}, "pay": {ONE, FOUR}, "ops": {FIVE}, "payroll": set()}
    for key, expected in cases.items():
        for sort in SORTS:
            assert set(await ids(hub, project=key, sort=sort)) == expected, key
    assert set(await ids(hub, project=["pay", "OPS"], text="memo")) == {ONE, FOUR, FIVE}


async def test_items_say_how_the_request_stands(hub: Hub) -> None:
    item = (await hub.get("/v1/requests", text="payroll"))["items"][0]
    assert item["title"] == "Payroll portal for Zoë"
    assert item["summary"].startswith("Not mapped to a stage")
    assert (item["requester"], item["holder"], item["due"], item["amount"]) == ("Anna", None, None, None)
    assert item["expected"]
    assert "record" not in item
    whole = (await hub.get("/v1/requests", text="payroll", whole="true"))["items"][0]
    assert whole["record"]["id"] == ONE


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"limit": "0"}, "query.limit"),
    ({"limit": "101"}, "query.limit"),
    ({"limit": "CANARY"}, "query.limit"),
    ({"CANARY": "1"}, "query"),
    ({"state": "CANARY"}, "query.state"),
    ({"stage": "CANARY"}, "query.stage"),
    ({"tool": ["memo", "CANARY"]}, "query.tool"),
    ({"connection": "CANARY\x00"}, "query.connection"),
    ({"sort": "CANARY"}, "query.sort"),
    ({"changed_since": "CANARY"}, "query.changed_since"),
    ({"changed_since": "1700000000"}, "query.changed_since"),
    ({"changed_since": "0001-01-01T00:00:00+05:00"}, "query.changed_since"),
    ({"changed_since": "2026-03-01T14:00:00"}, "query.changed_since"),
    ({"in_stage_longer_than": "P1CANARY"}, "query.in_stage_longer_than"),
    ({"text": "-"}, "query.text"),
    ({"text": "CANARY" * 100}, "query.text"),
]


async def test_bad_input_is_named_with_its_mend_and_never_echoed(hub: Hub) -> None:
    for parameters, field in REFUSED:
        answer = await hub.http.get("/v1/requests", params=parameters)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.status_code == answer.json()["status"] == 422
        assert answer.json()["errors"][0]["field"] == field
        assert answer.json()["errors"][0]["mend"]
        assert "CANARY" not in answer.text


async def test_unknown_values_are_answered_with_the_known_ones(hub: Hub) -> None:
    told = (await hub.get("/v1/requests", 422, stage="nope"))["errors"]
    assert told == [
        {
            "field": "query.stage",
            "problem": "is none of the known values",
            "mend": "give alignment, requirements, development, change, improvement or not mapped",
        }
    ]
    assert (await hub.get("/v1/requests", 422, tool="nope"))["errors"][0]["mend"] == "give memo"
    assert (await hub.get("/v1/requests", 422, connection="nope"))["errors"][0]["mend"] == "give memos"
    assert "cancelled" in (await hub.get("/v1/requests", 422, state="nope"))["errors"][0]["mend"]


async def test_cursors_of_elsewhere_are_refused(hub: Hub) -> None:
    cursor = (await hub.get("/v1/requests", limit=1))["next"]
    for otherwise in ({"order": "asc"}, {"sort": "opened"}, {"text": "memo"}, {"tool": "memo"}):
        told = await hub.get("/v1/requests", 400, cursor=cursor, **otherwise)
        assert told["type"] == "urn:throughline:problem:cursor"
    await hub.get("/v1/requests", cursor=cursor, limit=3, whole=True)
    for made_up in ("x", "CANARY", "e30", "WyJ1cGRhdGVkIGRlc2MiLDEsMl0", "ü"):
        answer = await hub.http.get("/v1/requests", params={"cursor": made_up})
        assert answer.status_code == 400
        assert "CANARY" not in answer.text


# --- what the databases do ------------------------------------------------------------------------------------------

MANY = 6000
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _requests() -> Iterator[tuple[tuple[Any, ...], list[tuple[str, str]]]]:
    """Requests with facets: values that few, some and most of them have."""
    for number in range(MANY):
        name = f"R-{number:012d}"
        opened, updated = (instant(DAY + timedelta(minutes=number * step % MANY)) for step in (1, 7))
        since = instant(DAY + timedelta(minutes=number * 11 % MANY))
        row = (name, name, json.dumps({"filler": "x" * 400}), "e", "b", None, "t", "development", "active",
               opened, updated, since, "")  # fmt: skip
        facets = [
            ("stage", ("alignment", "development", "change")[number % 3]), ("state", ("active", "done")[number % 2]),
            ("tool", "jira"), ("connection", f"jira-{number % 20}"), ("person", f"mail/address/p{number % 300}"),
            ("unit", f"unit {number % 10}"), ("project", f"P{number % 60}"), ("word", f"w{number % 1500:04d}"),
            ("word", f"common{number % 4}"),
        ]  # fmt: skip
        if number % 30 == 10:  # of the others it would only be more of the same
            facets.append(("standing", "development/active"))
        yield row, facets


async def store(bulk: Bulk, found_by: list[tuple[tuple[Any, ...], str, str]]) -> None:
    """Of each request's row a kind and a value by which it is found."""
    await bulk.insert(tables.facets, [(row[0], kind, value, row[9], row[11]) for row, kind, value in found_by])
    await bulk.insert(tables.latest_facets, [(kind, value, row[10], row[0]) for row, kind, value in found_by])


@pytest.fixture
async def many(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A database with many requests, with statistics."""
    rows = list(_requests())
    async with engine.begin() as connection:
        bulk = Bulk(connection)
        await bulk.insert(tables.requests, [row for row, _ in rows])
        await store(bulk, [(row, kind, value) for row, each in rows for kind, value in each])
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if engine.dialect.name == "postgresql":  # of every row, so that each run plans alike
            await connection.execute(text("SET default_statistics_target = 1000"))
            await connection.execute(text("VACUUM"))
        await connection.execute(text("ANALYZE"))
        yield connection


SORTS: tuple[Sort, ...] = ("updated", "opened", "stage_since")
FILTERS: dict[str, Search] = {
    "none": Search(),
    "one word": Search(text="w0007"),
    "words": Search(text="common1 w000"),
    "a word that many have": Search(text="common1"),
    "the beginning of words that many have": Search(text="common"),
    "the beginning of many words": Search(text="w0"),
    "rare person": Search(person=["mail/address/p7"]),
    "project": Search(project=["P7"]),
    "projects": Search(project=["P7", "P8"]),
    "a project in small letters": Search(project=["p7"]),
    "unit": Search(unit=["unit 7"]),
    "connection": Search(connection=["jira-7"]),
    "stage": Search(stage=["development"]),
    "states": Search(state=["active", "done"]),
    "stage and states": Search(stage=["development"], state=["new", "active", "waiting", "unknown"]),
    "tool": Search(tool=["jira"]),
    "nothing has it": Search(tool=["hubspot"]),
    "changed since": Search(changed_since=instant(DAY + timedelta(minutes=MANY - 60))),
    "long in its stage": Search(in_stage_since=instant(DAY + timedelta(minutes=60))),
}


SMALL = Bounds(rare=100, few=100, requests=100, places=100)
"""As small as this store beside one of a company's."""


async def test_no_filter_under_any_order_looks_through_all_requests(many: AsyncConnection) -> None:
    for name, search in FILTERS.items():
        for sort in SORTS:
            for descending in (True, False):
                asked = replace(search, sort=sort, descending=descending)
                later = replace(asked, after=(instant(DAY + timedelta(minutes=MANY // 2)), "R-000000003000"))
                for each in (asked, later):
                    await _cheap(many, each, name)


async def _cheap(connection: AsyncConnection, search: Search, name: str) -> None:
    touched: list[float] = []

    async def ask(wanted: Select[Any]) -> Sequence[Any]:
        sql = str(wanted.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
        if connection.dialect.name == "sqlite":
            await _by_index(connection, sql, name)
        else:
            plan = (await connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)).scalar_one()
            touched.extend(visited((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        rows: Sequence[Any] = (await connection.exec_driver_sql(sql)).all()
        return rows

    await Steps(ask, search, SMALL).next()
    assert sum(touched) < 600, (touched, name, search.sort, search.descending, search.after)


async def _by_index(connection: AsyncConnection, sql: str, name: str) -> None:
    steps = [row.detail for row in (await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + sql)).all()]
    looked = [
        step for step in steps if step.startswith(("SCAN requests", "SCAN driver", "SCAN facets", "SCAN latest_facets"))
    ]
    if name == "none" or "OFFSET" in sql:  # the first of all, in their order
        looked = [step for step in looked if "COVERING INDEX" not in step]
    assert not looked, (name, sql, steps)


def visited(node: dict[str, Any]) -> Iterator[float]:
    """Rows that each scan of the plan touched."""
    if "Scan" in node["Node Type"] and node["Node Type"] not in ("Subquery Scan", "CTE Scan"):
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield (node["Actual Rows"] + removed) * node["Actual Loops"]
    for inner in node.get("Plans", ()):
        yield from visited(inner)


async def test_long_in_its_stage(hub: Hub) -> None:
    async with hub.engine.begin() as connection:
        for request, since in ((ONE, ""), (FOUR, "2026-03-20T12:00:00.000000Z"), (FIVE, "2026-04-01T11:58:00.000000Z")):
            for table, key in (("requests", "id"), ("facets", "request")):
                sql = text(f"UPDATE {table} SET stage_since = :since WHERE {key} = :request")
                await connection.execute(sql, {"since": since, "request": request})
    # ONE entered its stage at an unknown time: nobody knows that it is long ago.
    cases: dict[str, set[str]] = {"P11D": {FOUR}, "12": {FOUR}, "P12DT1H": set(), "PT288H": {FOUR}, "P2W": set()}
    for longer, expected in (cases | {"PT1M": {FOUR, FIVE}}).items():
        assert set(await ids(hub, in_stage_longer_than=longer)) == expected, longer
        assert set(await ids(hub, in_stage_longer_than=longer, tool="memo", sort="stage_since")) == expected, longer
