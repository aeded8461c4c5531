"""A connection is tried through the API: step by step, with real things, and without anything being stored."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from pipelines.store.engine import reading
from pipelines.store.tables import source_events
from services.feed import connections
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from tests.services.admin.conftest import NOW, SQLITE, Office


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    """An account with two deals, and a ticket that belongs to the first and names an issue."""
    account = Account(lambda: NOW, lag=timedelta(0))
    begun = NOW - timedelta(days=5)
    owner = account.create_owner("Olga", "Owner", "olga@vendor.example", begun)
    deal = account.create_deal("Payroll rollout", begun + timedelta(hours=1), owner)
    ticket = account.create_ticket("Rollout fails on PAY-12", begun + timedelta(hours=2), owner)
    account.associate(("deal", deal), ("ticket", ticket), begun + timedelta(hours=2))
    account.create_deal("Printer", begun + timedelta(hours=3), owner)
    async with HubSpotServer(account, limits=Limits(on=False)) as server:
        yield server


def form(server: HubSpotServer, **options: Any) -> dict[str, Any]:
    return {"connector": "hubspot", "name": "sales",
            "options": {"base_url": server.url, "token": server.token, "share": "1", **options}}  # fmt: skip


async def counted(office: Office) -> tuple[int, int]:
    async with reading(office.engine) as connection:
        events = (await connection.execute(select(func.count()).select_from(source_events))).scalar_one()
        return events, len(await connections.every(connection))


@SQLITE
async def test_the_steps_of_a_test(office: Office, hubspot: HubSpotServer) -> None:
    before = await counted(office)
    told = await office.ask("POST", "/v1/connections/test", form(hubspot))
    assert told["ok"]
    steps = {one["name"]: one["says"] for one in told["steps"]}
    assert steps["address"] == "127.0.0.1 answers at 127.0.0.1"
    assert steps["Address and token"] == "Signed in to HubSpot account 4711"
    assert steps["Clock"].endswith("0 s apart")
    assert hubspot.writes == []
    assert await counted(office) == before


@SQLITE
async def test_the_first_failure_says_the_mend(office: Office, hubspot: HubSpotServer) -> None:
    told = await office.ask("POST", "/v1/connections/test", form(hubspot, token="pat-CANARY"))
    assert not told["ok"]
    assert [one["ok"] for one in told["steps"]] == [True, False]
    assert "enter them again" in told["steps"][-1]["says"]
    assert "CANARY" not in str(told)


async def test_a_preview_says_what_would_become_of_each(office: Office, hubspot: HubSpotServer) -> None:
    before = await counted(office)
    told = await office.ask("POST", "/v1/connections/preview", form(hubspot))
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
    assert await office.ask("POST", "/v1/connections/estimate", form(hubspot)) == {"things": 3}
    later = form(hubspot) | {"since": (NOW - timedelta(days=4, hours=21, minutes=20)).isoformat()}
    assert await office.ask("POST", "/v1/connections/estimate", later) == {"things": 1}


@SQLITE
async def test_what_is_wrong_is_named_as_its_input_is(office: Office) -> None:
    options = {"base_url": "acme", "auth": {"kind": "api_token", "email": "x", "token": "CANARY-1"}, "share": 3,
               "colour": "CANARY-2"}  # fmt: skip
    told = await office.ask("POST", "/v1/connections/test", {"connector": "jira", "options": options}, 422)
    assert told["type"] == "urn:throughline:problem:invalid"
    assert [one["field"] for one in told["errors"]] == ["base_url", "auth.api_token.email", "share", "colour"]
    assert all(one["mend"] for one in told["errors"])
    assert "CANARY-1" not in str(told)
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
