"""A connection is tried through the API: step by step, with real things, and without anything being stored."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from pipelines.store.engine import reading
from pipelines.store.tables import source_events
from services.feed import connections
from services.sandbox.hubspot import HubSpotServer
from tests.services.admin.conftest import NOW, SQLITE, Office
from tests.services.admin.tools import hubspot_server, sales


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    async with hubspot_server() as server:
        yield server


async def counted(office: Office) -> tuple[int, int]:
    async with reading(office.engine) as connection:
        events = (await connection.execute(select(func.count()).select_from(source_events))).scalar_one()
        return events, len(await connections.every(connection))


@SQLITE
async def test_the_steps_of_a_test(office: Office, hubspot: HubSpotServer) -> None:
    before = await counted(office)
    told = await office.ask("POST", "/v1/connections/test", sales(hubspot))
    assert told["ok"]
    steps = {one["name"]: one["says"] for one in told["steps"]}
    assert steps["address"] == "127.0.0.1 answers at 127.0.0.1"
    assert steps["sign-in"] == "Signed in to HubSpot account 4711"
    assert steps["clock"].endswith("0 s apart")
    assert hubspot.writes == []
    assert await counted(office) == before


@SQLITE
async def test_the_first_failure_says_the_mend(office: Office, hubspot: HubSpotServer) -> None:
    told = await office.ask("POST", "/v1/connections/test", sales(hubspot, token="pat-CANARY"))
    assert not told["ok"]
    assert [one["ok"] for one in told["steps"]] == [True, False]
    assert "enter them again" in told["steps"][-1]["says"]
    assert "CANARY" not in str(told)


async def test_a_preview_says_what_would_become_of_each(office: Office, hubspot: HubSpotServer) -> None:
    before = await counted(office)
    told = await office.ask("POST", "/v1/connections/preview", sales(hubspot))
    assert [one["title"] for one in told["things"]] == ["Printer", "Rollout fails on PAY-12", "Payroll rollout"]
    printer, ticket, deal = told["things"]
    assert (printer["becomes"], deal["becomes"], ticket["becomes"]) == ("opens", "opens", "joins")
    assert (ticket["joins"], ticket["request"], ticket["why"]) == ("issue PAY-12", "R-PSDQN6UFBW34", "mentions, title")
    assert told["counts"] == {"opens": 2, "joins": 1, "outside": 0, "programme": 0}
    assert all(one["mapped"] and one["stage"] for one in told["things"])
    assert not told["cut"]
    assert await counted(office) == before


@SQLITE
async def test_an_estimate_counts_from_a_day_on(office: Office, hubspot: HubSpotServer) -> None:
    assert await office.ask("POST", "/v1/connections/estimate", sales(hubspot)) == {"things": 3}
    later = sales(hubspot) | {"since": (NOW - timedelta(days=4, hours=21, minutes=20)).isoformat()}
    assert await office.ask("POST", "/v1/connections/estimate", later) == {"things": 1}


@SQLITE
async def test_what_is_wrong_is_named_as_its_input_is(office: Office) -> None:
    options = {"base_url": "acme", "auth": {"kind": "api_token", "email": "x", "token": "CANARY-1"}, "share": 3,
               "colour": "CANARY-2"}  # fmt: skip
    told = await office.ask("POST", "/v1/connections/test", {"connector": "jira", "options": options}, 422)
    assert told["type"] == "urn:throughline:problem:invalid"
    assert [one["field"] for one in told["errors"]] == ["base_url", "auth.api_token.email", "share", ""]
    assert all(one["mend"] for one in told["errors"])
    assert told["errors"][-1]["problem"] == "there is an option that is not known"
    assert not [word for word in ("CANARY", "colour") if word in str(told)]
    missing = {"connector": "jira", "options": {"base_url": "https://acme.example", "auth": {"kind": "api_token"}}}
    told = await office.ask("POST", "/v1/connections/test", missing, 422)
    assert [one["field"] for one in told["errors"]] == ["auth.api_token.email", "auth.api_token.token"]
    none = {"connector": "jira", "options": {"base_url": "https://acme.example"}}
    assert (await office.ask("POST", "/v1/connections/test", none, 422))["errors"][0]["field"] == "auth"
    other = {"connector": "jira", "options": {"base_url": "https://acme.example", "auth": {"kind": "magic"}}}
    assert (await office.ask("POST", "/v1/connections/test", other, 422))["errors"][0]["field"] == "auth"


@SQLITE
async def test_an_unknown_kind_and_an_unknown_connection(office: Office) -> None:
    told = await office.ask("POST", "/v1/connections/test", {"connector": "tape", "options": {}}, 422)
    assert told["errors"] == [
        {"field": "connector", "problem": "is no kind of tool", "mend": "Give one of hubspot, jira, mailbox"}
    ]
    body = {"connector": "jira", "options": {}, "connection": "nowhere"}
    await office.ask("POST", "/v1/connections/test", body, 404)


@SQLITE
async def test_a_page_of_another_origin_cannot_try(office: Office) -> None:
    body = {"connector": "jira", "options": {}}
    for path in ("test", "preview", "estimate"):
        await office.ask("POST", f"/v1/connections/{path}", body, 403, Origin="https://evil.example")


@SQLITE
async def test_the_steps_as_lines_one_by_one(office: Office, hubspot: HubSpotServer) -> None:
    whole = await office.ask("POST", "/v1/connections/test", sales(hubspot))
    answer = await office.http.post(
        "/v1/connections/test", json=sales(hubspot), headers={"Accept": "application/x-ndjson"}
    )
    assert answer.headers["content-type"] == "application/x-ndjson"
    *steps, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["name"] for one in steps] == [one["name"] for one in whole["steps"]]
    assert last == {"ok": True}
    wrong = await office.http.post("/v1/connections/test", json={"connector": "hubspot", "options": {}},
                                   headers={"Accept": "application/x-ndjson"})  # fmt: skip
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "token")
