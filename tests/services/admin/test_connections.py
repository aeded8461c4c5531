"""Connections are added, changed and steered through the API; secrets stay where they were given for."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from pipelines.store import configuration, tables
from pipelines.store.engine import reading
from services.admin.connection_told import OneConnection
from services.admin.tables import answered, audit
from services.feed import connections
from services.feed.connections import StoredConnection
from services.sandbox.hubspot import HubSpotServer
from services.security import KeyRing, new_key
from tests.services.admin.conftest import SQLITE, Office
from tests.services.admin.tools import hubspot_server, sales


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    async with hubspot_server() as server:
        yield server


async def stored(office: Office, name: str = "sales") -> StoredConnection:
    async with reading(office.engine) as connection:
        one = await connections.get(connection, name)
    assert one is not None
    return one


async def audited(office: Office) -> list[tuple[str, str, Any, Any]]:
    async with reading(office.engine) as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    return [(one.action, one.object, json.loads(one.before or "null"), json.loads(one.after or "null")) for one in rows]


def changed(server: HubSpotServer, **more: Any) -> dict[str, Any]:
    options = {"base_url": server.url, "share": 1, **more.pop("options", {})}
    return {"title": "Sales", "options": options, **more}


async def test_a_connection_is_added_after_its_check(office: Office, hubspot: HubSpotServer) -> None:
    told = await office.ask("POST", "/v1/connections", sales(hubspot) | {"title": "Sales"}, 201)
    OneConnection.model_validate(told)
    assert (told["id"], told["title"], told["state"], told["since"]) == ("sales", "Sales", "reading", None)
    assert told["secrets"] == [
        {"option": "token", "input": "token", "given_at": "2026-04-01T12:00:00.000000Z", "readable": True}
    ]
    one = await stored(office)
    assert connections.with_secrets(one, office.equipment.keys)["token"].get_secret_value() == hubspot.token
    async with reading(office.engine) as connection:
        rules = (await configuration.load(connection)).rules.connections["sales"]
        assert (await connection.execute(select(tables.pending.c.component))).first()
    assert "hubspot:4711" in rules.scopes
    (entry,) = await audited(office)
    assert entry[:3] == ("connection.added", "connection sales", None)
    assert entry[3]["given"] == ["token"]
    whole = json.dumps([told, one.options, one.secrets, entry])
    assert hubspot.token not in whole
    assert hubspot.writes == []


@SQLITE
async def test_one_tool_is_added_once(office: Office, hubspot: HubSpotServer) -> None:
    await office.ask("POST", "/v1/connections", sales(hubspot), 201)
    again = await office.ask("POST", "/v1/connections", sales(hubspot), 409)
    assert (again["type"], again["errors"][0]["field"]) == ("urn:throughline:problem:taken", "name")
    other = await office.ask("POST", "/v1/connections", sales(hubspot) | {"name": "sales-two"}, 409)
    assert other["detail"] == "The connection sales reads this tool already"
    assert other["anyway"] is False
    assert "--" not in other["mend"]


async def test_the_same_call_is_carried_out_once_and_answered_the_same(office: Office, hubspot: HubSpotServer) -> None:
    sent = [office.http.post("/v1/connections", json=sales(hubspot), headers={"Idempotency-Key": "k"}) for _ in "1234"]
    answers = await asyncio.gather(*sent)
    assert [one.status_code for one in answers] == [201] * 4
    assert len({(one.content, one.headers["etag"], one.headers["location"]) for one in answers}) == 1
    assert [action for action, *_ in await audited(office)] == ["connection.added"]
    await office.ask("PUT", "/v1/connections/sales", changed(hubspot, options={"keep": "full"}), If_Match="*")
    again = await office.ask("POST", "/v1/connections", sales(hubspot), 201, Idempotency_Key='"k"')
    assert again == answers[0].json()
    assert again["options"]["keep"] == "excerpt"
    for other in ({"name": "two"}, {"title": "Sales"}):
        told = await office.ask("POST", "/v1/connections", sales(hubspot) | other, 422, Idempotency_Key="k")
        assert told["type"].endswith("key-used")
        assert told["mend"] == "Give each change its own."
    typed = await office.ask("POST", "/v1/connections", sales(hubspot, token="CANARY"), 422, Idempotency_Key="k")
    assert typed["type"].endswith("key-used")
    async with reading(office.engine) as connection:
        (row,) = (await connection.execute(select(answered))).all()
    assert hubspot.token not in str(row)
    await office.ask("DELETE", "/v1/connections/sales", If_Match="*")
    again = await office.ask("POST", "/v1/connections", sales(hubspot), 201, Idempotency_Key="k")
    assert again == answers[0].json()
    await office.ask("GET", "/v1/connections/sales", status=404)


@SQLITE
async def test_what_was_refused_is_judged_anew_under_its_key(office: Office, hubspot: HubSpotServer) -> None:
    wrong = sales(hubspot, token="pat-na1-CANARY")
    await office.ask("POST", "/v1/connections", wrong, 422, Idempotency_Key="k")
    await office.ask("POST", "/v1/connections", sales(hubspot), 201, Idempotency_Key="k")
    lost = replace(office.equipment, keys=KeyRing([new_key()]))
    office.app.state.equipment = lost
    told = await office.ask("POST", "/v1/connections", sales(hubspot), 422, Idempotency_Key="k")
    assert told["type"].endswith("key-used")


@SQLITE
async def test_what_cannot_be_read_is_not_saved_unless_it_is_wanted(office: Office, hubspot: HubSpotServer) -> None:
    wrong = sales(hubspot, token="pat-na1-CANARY")
    told = await office.ask("POST", "/v1/connections", wrong, 422)
    assert told["type"] == "urn:throughline:problem:check"
    assert [one["ok"] for one in told["steps"]] == [True, False]
    assert "CANARY" not in str(told)
    await office.ask("GET", "/v1/connections/sales", status=404)
    assert (await office.ask("POST", "/v1/connections", wrong | {"unchecked": True}, 201))["id"] == "sales"


async def test_an_empty_secret_stays(office: Office, hubspot: HubSpotServer) -> None:
    etag = (await office.ask("POST", "/v1/connections", sales(hubspot), 201))["etag"]
    told = await office.ask("PUT", "/v1/connections/sales", changed(hubspot, options={"token": "", "keep": "full"}),
                            If_Match=f'"{etag}"')  # fmt: skip
    assert (told["title"], told["options"]["keep"], told["read_again"]) == ("Sales", "full", False)
    one = await stored(office)
    assert connections.with_secrets(one, office.equipment.keys)["token"].get_secret_value() == hubspot.token
    assert (await audited(office))[-1] == (
        "connection.changed", "connection sales", {"title": "HubSpot", "keep": "excerpt"},
        {"title": "Sales", "keep": "full"},
    )  # fmt: skip


@SQLITE
async def test_the_second_of_two_is_told_what_the_first_changed(office: Office, hubspot: HubSpotServer) -> None:
    etag = (await office.ask("POST", "/v1/connections", sales(hubspot), 201))["etag"]
    await office.ask("PUT", "/v1/connections/sales", changed(hubspot, options={"keep": "full"}), If_Match=etag)
    late = changed(hubspot, options={"keep": "references"})
    told = await office.ask("PUT", "/v1/connections/sales", late, 412, If_Match=f'"{etag}"')
    assert told["errors"] == [
        {"field": "keep", "problem": "is now: full", "mend": "Look at it, and save again what is still wanted"}
    ]
    assert told["versions"] == {"sales": "2"}
    assert (await stored(office)).options["keep"] == "full"
    await office.ask("PUT", "/v1/connections/sales", late, 428)
    for action in ("pause", "resume", "stop", "reset", "read-again"):
        await office.ask("POST", f"/v1/connections/sales/{action}", {}, 412, If_Match=f'"{etag}"')
        await office.ask("POST", f"/v1/connections/sales/{action}", {}, 428)


@SQLITE
async def test_a_stored_secret_is_never_sent_elsewhere(office: Office, hubspot: HubSpotServer) -> None:
    await office.ask("POST", "/v1/connections", sales(hubspot), 201)
    async with hubspot_server() as other:
        other.exchanges = []
        moved: dict[str, Any] = {"title": "", "options": {"base_url": other.url, "share": 1}}
        told = await office.ask("PUT", "/v1/connections/sales", moved, 422, If_Match="*")
        assert [(one["field"], one["problem"]) for one in told["errors"]] == [
            ("token", "is needed for the new address")
        ]
        tried = {"connector": "hubspot", "connection": "sales", "options": moved["options"]}
        for path in ("test", "preview", "estimate"):
            await office.ask("POST", f"/v1/connections/{path}", tried, 422)
        assert other.exchanges == []
        moved["options"] |= {"token": other.token}
        told = await office.ask("PUT", "/v1/connections/sales", moved, If_Match="*")
        assert told["read_again"] is True
    same = {"connector": "hubspot", "connection": "sales", "options": {"base_url": moved["options"]["base_url"]}}
    await office.ask("POST", "/v1/connections/test", same)


@SQLITE
async def test_another_way_of_signing_in_needs_its_own_secret(office: Office) -> None:
    auth = {"kind": "api_token", "email": "hub@acme.example", "token": "CANARY"}
    body = {"connector": "jira", "name": "j", "options": {"base_url": "https://other.example", "auth": auth}}
    await office.ask("POST", "/v1/connections", body | {"unchecked": True}, 201)
    scoped = {"base_url": "https://other.example", "cloud_id": "1-2",
              "auth": {"kind": "scoped_token", "email": "hub@acme.example"}}  # fmt: skip
    told = await office.ask("PUT", "/v1/connections/j", {"options": scoped, "unchecked": True}, 422, If_Match="*")
    assert [(one["field"], one["problem"]) for one in told["errors"]] == [("auth.scoped_token.token", "is missing")]
    one = await office.ask("GET", "/v1/connections/j")
    assert one["secrets"][0]["input"] == "auth.api_token.token"
    assert "CANARY" not in str([told, one])


async def test_paused_resumed_stopped_and_read_again(office: Office, hubspot: HubSpotServer) -> None:
    await office.ask("POST", "/v1/connections", sales(hubspot), 201)
    for action, state in (("pause", "paused"), ("resume", "reading"), ("stop", "stopped"), ("reset", "reading")):
        told = await office.ask("POST", f"/v1/connections/sales/{action}", {}, If_Match="*")
        assert told["state"] == state
    body = {"since": "2026-03-01T00:00:00Z"}
    told = await office.ask("POST", "/v1/connections/sales/read-again", body, If_Match=told["etag"])
    assert told["since"] == "2026-03-01T00:00:00.000000Z"
    assert (await stored(office)).cursor is None
    told = await office.ask("POST", "/v1/connections/sales/read-again", {}, If_Match="*")
    assert told["since"] == "2026-03-01T00:00:00.000000Z"
    told = await office.ask("POST", "/v1/connections/sales/read-again", {"since": "beginning"}, If_Match="*")
    assert told["since"] is None
    assert [one[0] for one in await audited(office)][1:5] == [
        "connection.paused", "connection.resumed", "connection.stopped", "connection.reset",
    ]  # fmt: skip
    await office.ask("POST", "/v1/connections/nowhere/pause", {}, 404, If_Match="*")
