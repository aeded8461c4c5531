"""Webhooks: what to enter, and a delivery that proves the way to our own listener."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select

from connectors.catalogue import catalogue
from pipelines.store.engine import reading
from services.feed.tables import inbox
from services.feed.webhooks import Webhooks
from tests.services.admin.conftest import NOW, SQLITE, Office

SECRET, TOKEN = "CANARY-of-the-webhook", "CANARY-token-of-32-characters-and-more"


@pytest.fixture
async def listening(office: Office) -> AsyncIterator[Office]:
    """The office with its webhook listener, at the address that tools are told."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    parts = office.equipment = office.app.state.equipment = replace(office.equipment, hooks_url=url)
    hooks = Webhooks(office.engine, catalogue(), parts.keys, url, lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(hooks.app(), log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield office
    server.should_exit = True
    await serving


async def jira(office: Office, **options: Any) -> None:
    auth = {"kind": "api_token", "email": "hub@acme.example", "token": "CANARY-api"}
    body = {"connector": "jira", "name": "j", "unchecked": True,
            "options": {"base_url": "https://other.example", "auth": auth, **options}}  # fmt: skip
    await office.ask("POST", "/v1/connections", body, 201)


async def waiting(office: Office) -> int:
    async with reading(office.engine) as connection:
        return len((await connection.execute(select(inbox.c.number).where(inbox.c.connection == "j"))).all())


@SQLITE
@pytest.mark.parametrize("options", [{"webhook_secret": SECRET}, {"webhook_token": TOKEN}])
async def test_a_delivery_of_our_own_arrives(listening: Office, options: dict[str, str]) -> None:
    await jira(listening, **options)
    told = await listening.ask("POST", "/v1/connections/j/webhook/test", {})
    assert told["ok"], told
    assert await waiting(listening) == 1
    set_up = (await listening.ask("GET", "/v1/connections/j/webhook"))["webhook"]
    assert set_up["url"] == f"{listening.equipment.hooks_url}/hooks/j"
    assert set_up["secret_stored"] is ("webhook_secret" in options)
    assert set_up["path_token_stored"] is ("webhook_token" in options)
    assert "by hand" in set_up["registered"]
    assert "CANARY" not in str([told, set_up])


@SQLITE
async def test_hubspot_too(listening: Office) -> None:
    options = {"token": "pat-na1-CANARY", "client_secret": SECRET}
    body = {"connector": "hubspot", "name": "j", "unchecked": True, "options": options}
    await listening.ask("POST", "/v1/connections", body, 201)
    assert (await listening.ask("POST", "/v1/connections/j/webhook/test", {}))["ok"]
    assert await waiting(listening) == 1


@SQLITE
async def test_what_stands_in_the_way_is_said(listening: Office) -> None:
    await jira(listening)
    told = await listening.ask("POST", "/v1/connections/j/webhook/test", {}, 422)
    assert told["errors"][0]["field"] == "webhook_secret"
    nobody = replace(listening.equipment, hooks_url="http://127.0.0.1:9")
    listening.app.state.equipment = nobody
    await listening.ask("PUT", "/v1/connections/j", {"unchecked": True, "options": {
        "base_url": "https://other.example", "webhook_secret": SECRET,
        "auth": {"kind": "api_token", "email": "hub@acme.example"}}}, If_Match="*")  # fmt: skip
    told = await listening.ask("POST", "/v1/connections/j/webhook/test", {})
    assert not told["ok"]
    assert "THROUGHLINE_PUBLIC_URL" in told["says"]
    told = await listening.ask("GET", "/v1/connections/inbox/webhook")
    assert told == {"webhook": None}


@SQLITE
async def test_a_new_secret_is_long_and_never_the_same(office: Office) -> None:
    made = {(await office.ask("POST", "/v1/webhook-secrets", {}))["secret"] for _ in range(3)}
    assert len(made) == 3
    assert all(len(one) >= 43 for one in made)
