"""Webhooks that the hub enters in Jira: said first, never two, mended, set anew after a kill, and taken away."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
import requests
import uvicorn
from sqlalchemy import select

from connectors.catalogue import catalogue
from pipelines.store.engine import reading, writing
from services.admin.tables import audit
from services.feed import connections, registrations, watching
from services.feed.connections import StoredConnection
from services.feed.tables import inbox
from services.feed.webhooks import Webhooks
from services.sandbox.jira import FakeJira
from services.sandbox.jira_registry import OLDER
from tests.services.admin.conftest import NOW, SQLITE, Office
from tests.services.admin.test_tools import jira_form

HOOK = "/v1/connections/j/webhook"
PREVIEW = f"{HOOK}?preview=true"


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    with FakeJira(now=lambda: NOW, lag=timedelta(0), administrator=True, burst=100_000) as fake:
        for key, name in (("PAY", "Payments"), ("OPS", "Operations")):
            fake.state.add_project(key, name)
        yield fake


@pytest.fixture
async def site(office: Office, jira: FakeJira) -> Office:
    """The office with this Jira connected, and read to some place."""
    await office.ask("POST", "/v1/connections", jira_form(jira), 201)
    async with writing(office.engine) as connection:
        await connections.change(connection, "j", cursor={"place": 7}, first_read_done=True)
    return office


@pytest.fixture
async def listening(site: Office) -> AsyncIterator[Office]:
    """With a listener that can be reached."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    moved(site, f"http://127.0.0.1:{bound.getsockname()[1]}")
    hooks = Webhooks(site.engine, catalogue(), site.equipment.keys, site.equipment.hooks_url, lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(hooks.app(), log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield site
    server.should_exit = True
    await serving


def moved(office: Office, url: str, *, public: bool = True) -> None:
    parts = replace(office.equipment, hooks_url=url, hooks_public=public)
    office.equipment = office.app.state.equipment = parts


async def stored(office: Office) -> StoredConnection:
    async with reading(office.engine) as connection:
        found = await connections.get(connection, "j")
    assert found is not None
    return found


async def secret_of(office: Office, option: str = "webhook_secret") -> str:
    return office.equipment.keys.open("j", option, (await stored(office)).secrets[option]).get_secret_value()


async def audited(office: Office) -> list[tuple[str, Any, Any]]:
    async with reading(office.engine) as connection:
        rows = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    return [(row.action, *(orjson.loads(one) if one else None for one in (row.before, row.after))) for row in rows]


def by_hand(fake: FakeJira, url: str, secret: str = "a-persons-own") -> int:
    body = {"name": "By hand", "url": url, "events": ["jira:issue_created"], "secret": secret}
    return requests.post(fake.url + OLDER, json=body, auth=(fake.email, fake.token), timeout=10).status_code


async def test_said_first_then_entered_once_and_found_again(site: Office, jira: FakeJira) -> None:
    before = await stored(site)
    told = await site.ask("POST", PREVIEW, {})
    assert (told["preview"], told["does"], told["found"]) == (True, "enter", [])
    assert told["writes"]["url"] == "https://hub.acme.example/hooks/j"
    assert told["writes"]["filter"] == 'project in ("OPS", "PAY")'
    assert "Jira gets the webhook “Throughline (j)”, which sends to https://hub.acme.example/hooks/j" in told["says"]
    assert jira.registry.written == []
    assert await stored(site) == before

    done = await site.ask("POST", HOOK, {})
    assert (done["preview"], done["does"]) == (False, "enter")
    (entered,) = jira.registry.entered.values()
    now = await stored(site)
    assert (now.cursor, now.first_read_done, now.since) == ({"place": 7}, True, before.since)
    assert now.epoch == before.epoch + 1
    assert entered.secret == await secret_of(site)
    assert len(entered.secret) >= 43
    set_up = (await site.ask("GET", HOOK))["webhook"]
    assert set_up["secret_stored"]
    assert set_up["registration"]["says"] == "The hub entered it on 2026-04-01."

    again = await site.ask("POST", HOOK, {})
    assert (again["does"], again["found"]) == ("keep", ["“Throughline (j)” is enabled"])
    assert entered.secret == await secret_of(site)
    renewed = await site.ask("POST", HOOK, {"renew": True})
    assert renewed["does"] == "write over"
    (anew,) = jira.registry.entered.values()
    assert anew.secret == await secret_of(site) != entered.secret
    assert [method for method, _ in jira.registry.written] == ["POST", "PUT"]
    actions = [action for action, _, _ in await audited(site) if "webhook" in action]
    assert actions == ["connection.webhook begun", "connection.webhook registered"] * 2
    for secret in (entered.secret, anew.secret):
        assert secret not in str([told, done, again, renewed, set_up, await audited(site)])
        assert secret not in str(await stored(site))


@SQLITE
async def test_deliveries_come_and_are_counted_as_others(listening: Office, jira: FakeJira) -> None:
    await listening.ask("POST", HOOK, {})
    jira.hands.create("PAY", "Refunds", at=NOW, by=jira.account)
    jira.hands.create("PAY", "Returns", at=NOW, by=jira.account)
    assert await asyncio.to_thread(jira.registry.send) == [204, 204]
    async with reading(listening.engine) as connection:
        assert len((await connection.execute(select(inbox.c.number))).all()) == 2
        told = await watching.told(connection, "j", NOW)
    assert told is not None
    assert told.webhook is not None
    assert told.webhook.received_at == NOW
    assert (await listening.ask("POST", f"{HOOK}/test", {}))["ok"]
    tried = jira_form(jira) | {"connection": "j"}
    steps = {one["name"]: one for one in (await listening.ask("POST", "/v1/connections/test", tried))["steps"]}
    assert steps["webhook address"]["ok"]
    assert steps["webhook in the tool"] == {
        "name": "webhook in the tool", "ok": True, "says": "“Throughline (j)” is enabled in Jira", "needed": False,
    }  # fmt: skip
    jira.registry.entered.clear()
    steps = {one["name"]: one for one in (await listening.ask("POST", "/v1/connections/test", tried))["steps"]}
    assert not steps["webhook in the tool"]["ok"]
    assert "Jira has none that sends to" in steps["webhook in the tool"]["says"]


async def test_taken_away_with_the_secret_that_was_made_for_it(listening: Office, jira: FakeJira) -> None:
    await listening.ask("POST", HOOK, {})
    assert by_hand(jira, "https://else.example/hooks/j") == 201
    jira.hands.create("PAY", "Refunds", at=NOW, by=jira.account)
    await asyncio.to_thread(jira.registry.send)
    told = await listening.ask("DELETE", PREVIEW)
    assert (told["preview"], told["number"]) == (True, 1)
    assert len(jira.registry.entered) == 2
    told = await listening.ask("DELETE", HOOK)
    assert (told["number"], told["says"].partition(".")[0]) == (1, "Removed in Jira: “Throughline (j)”")
    assert [one.told["name"] for one in jira.registry.entered.values()] == ["By hand"]
    now = await stored(listening)
    assert "webhook_secret" not in now.secrets
    assert now.cursor == {"place": 7}
    set_up = (await listening.ask("GET", HOOK))["webhook"]
    assert (set_up["registration"], set_up["received_at"], set_up["secret_stored"]) == (None, None, False)
    assert (await listening.ask("DELETE", HOOK))["number"] == 0
    (_, before, after), *_ = [one for one in await audited(listening) if one[0] == "connection.webhook unregistered"]
    assert before == {"found": ["“Throughline (j)”"]}
    assert after == {"forgotten": ["webhook_secret"]}


@SQLITE
async def test_one_at_an_older_address_is_moved(site: Office, jira: FakeJira) -> None:
    await site.ask("POST", HOOK, {})
    moved(site, "https://new.acme.example")
    set_up = (await site.ask("GET", HOOK))["webhook"]
    assert "reached before" in set_up["registration"]["says"]
    told = await site.ask("POST", PREVIEW, {})
    assert told["does"] == "write over"
    assert "it sends to where this hub was reached before" in told["says"]
    await site.ask("POST", HOOK, {})
    (entered,) = jira.registry.entered.values()
    assert (entered.told["url"], entered.secret) == ("https://new.acme.example/hooks/j", await secret_of(site))
    assert [method for method, _ in jira.registry.written] == ["POST", "PUT"]


@SQLITE
async def test_those_of_others_stay_and_doubles_of_ours_go(site: Office, jira: FakeJira) -> None:
    for url in ("https://hub.acme.example/hooks/j", "https://hub.acme.example/hooks/j", "https://hub.acme.example/hooks/jj",
                "https://test.acme.example/hooks/j"):  # fmt: skip
        assert by_hand(jira, url) == 201
    told = await site.ask("POST", PREVIEW, {})
    assert told["does"] == "write over"
    assert told["found"] == ["“By hand” is enabled"] * 2
    assert "sends to us, too, and goes" in told["says"]
    await site.ask("POST", HOOK, {})
    assert sorted((one.told["name"], one.told["url"]) for one in jira.registry.entered.values()) == [
        ("By hand", "https://hub.acme.example/hooks/jj"), ("By hand", "https://test.acme.example/hooks/j"),
        ("Throughline (j)", "https://hub.acme.example/hooks/j"),
    ]  # fmt: skip


@SQLITE
@pytest.mark.parametrize("written", [True, False], ids=["written", "not written"])
async def test_a_kill_between_the_tool_and_here_is_mended_by_asking_again(
    site: Office, jira: FakeJira, *, written: bool
) -> None:
    """What is noted before anything is written is all that a killed hub leaves."""
    url = "https://hub.acme.example/hooks/j"
    async with writing(site.engine) as connection:
        await registrations.begin(connection, "j", url, "of the killed one", NOW)
    if written:
        assert by_hand(jira, url, "known to nobody") == 201
    moved(site, "https://new.acme.example")
    says = (await site.ask("GET", HOOK))["webhook"]["registration"]["says"]
    assert says == "Entering it was begun and not ended: have it entered again, which finds what is there."
    assert (
        "A webhook that sends to https://hub.acme.example/hooks/j stays in the tool"
        in (await site.ask("DELETE", "/v1/connections/j?preview=true", If_Match="*"))["left"]
    )
    assert (await site.ask("POST", HOOK, {}))["does"] == ("write over" if written else "enter")
    (entered,) = jira.registry.entered.values()
    assert (entered.told["url"], entered.secret) == ("https://new.acme.example/hooks/j", await secret_of(site))


@SQLITE
async def test_a_tool_that_goes_away_meanwhile_leaves_what_is_found_again(site: Office, jira: FakeJira) -> None:
    jira.fault("503", on=True)
    told = await site.ask("POST", HOOK, {}, 503)
    assert told["type"].endswith("tool-away")
    jira.fault("503", on=False)
    await site.ask("POST", HOOK, {})
    assert len(jira.registry.entered) == 1


@SQLITE
async def test_two_at_once_enter_one(site: Office, jira: FakeJira) -> None:
    first, second = await asyncio.gather(site.ask("POST", HOOK, {}), site.ask("POST", HOOK, {}))
    assert sorted([first["does"], second["does"]]) == ["enter", "keep"]
    (entered,) = jira.registry.entered.values()
    assert entered.secret == await secret_of(site)


async def test_whoever_was_overtaken_by_another_process_says_so(site: Office, jira: FakeJira) -> None:
    del jira
    async with writing(site.engine) as connection:
        await registrations.begin(connection, "j", "https://hub.acme.example/hooks/j", "first", NOW)
        await registrations.begin(connection, "j", "https://hub.acme.example/hooks/j", "second", NOW)
        secret = site.equipment.keys.open("j", "auth.token", (await stored(site)).secrets["auth.token"])
        for attempt in ("first", "second"):  # which secret the tool has is not known any more, to neither
            assert not await registrations.end(
                connection, site.equipment.keys, "j", "https://hub.acme.example/hooks/j", attempt, "webhook_secret",
                secret, NOW,
            )  # fmt: skip
    assert "webhook_secret" not in (await stored(site)).secrets
    assert (await site.ask("POST", PREVIEW, {}))["does"] == "enter"


@SQLITE
async def test_an_account_that_may_not_is_told_both_ways_out(site: Office, jira: FakeJira) -> None:
    jira.answers.administrator = jira.administrator = False
    for path in (HOOK, PREVIEW):
        told = await site.ask("POST", path, {}, 422)
        assert "no Jira administrator" in told["detail"]
        assert "Administer Jira" in told["mend"]
        assert "by hand in Jira, System, WebHooks" in told["mend"]
    assert jira.registry.written == []
    assert jira.writes == []
    assert (await site.ask("GET", HOOK))["webhook"]["registration"] is None
    assert [action for action, _, _ in await audited(site) if "webhook" in action] == []


@SQLITE
async def test_what_the_tool_refuses_leaves_no_trace_of_having_been_written(site: Office, jira: FakeJira) -> None:
    await site.ask("PUT", "/v1/connections/j", {"unchecked": True, "options": jira_form(
        jira, extra_jql="colour = blue")["options"]}, If_Match="*")  # fmt: skip
    told = await site.ask("POST", HOOK, {}, 422)
    assert "HTTP 400" in told["detail"]
    assert (await site.ask("GET", HOOK))["webhook"]["registration"] is None


@SQLITE
async def test_tools_that_take_none_say_why(site: Office) -> None:
    body = {"connector": "hubspot", "name": "h", "unchecked": True, "options": {"token": "pat-na1-CANARY"}}
    await site.ask("POST", "/v1/connections", body, 201)
    told = await site.ask("POST", "/v1/connections/h/webhook", {}, 422)
    assert "enter it in the app by hand" in told["mend"]
    told = await site.ask("POST", "/v1/connections/inbox/webhook", {}, 422)
    assert told["type"].endswith("misconfigured")
    await site.ask("POST", "/v1/connections/nobody/webhook", {}, 404)
    await site.ask("DELETE", "/v1/connections/nobody/webhook", status=404)


@SQLITE
async def test_removing_a_connection_takes_its_webhook_away_where_that_is_wished(site: Office, jira: FakeJira) -> None:
    await site.ask("POST", HOOK, {})
    etag = (await site.ask("GET", "/v1/connections/j"))["etag"]
    told = await site.ask("DELETE", "/v1/connections/j?preview=true", If_Match=f'"{etag}"')
    assert told["left"] == (
        "A webhook that sends to https://hub.acme.example/hooks/j stays in the tool: "
        "remove it in Jira, System, WebHooks."
    )
    assert len(jira.registry.entered) == 1
    told = await site.ask("DELETE", "/v1/connections/j?unregister=true", If_Match=f'"{etag}"')
    assert told["left"] is None
    assert jira.registry.entered == {}
    async with reading(site.engine) as connection:
        assert await connections.get(connection, "j") is None
        assert await registrations.of(connection, "j") is None


@SQLITE
async def test_a_tool_that_is_away_keeps_no_connection(site: Office, jira: FakeJira) -> None:
    await site.ask("POST", HOOK, {})
    jira.fault("401", on=True)
    told = await site.ask("DELETE", "/v1/connections/j?unregister=true", If_Match="*")
    assert "stays in the tool: remove it in Jira, System, WebHooks" in told["left"]
    assert len(jira.registry.entered) == 1
    async with reading(site.engine) as connection:
        assert await connections.get(connection, "j") is None


@SQLITE
async def test_a_stored_secret_that_was_changed_since_is_seen(site: Office, jira: FakeJira) -> None:
    await site.ask("POST", HOOK, {})
    options = jira_form(jira, webhook_secret="typed-by-a-person-0123456789")["options"]
    await site.ask("PUT", "/v1/connections/j", {"options": options}, If_Match="*")
    assert "changed here since" in (await site.ask("GET", HOOK))["webhook"]["registration"]["says"]
    assert (await site.ask("POST", HOOK, {}))["does"] == "write over"
    (entered,) = jira.registry.entered.values()
    assert entered.secret == await secret_of(site)
    # Taken away, only what the hub made is forgotten.
    await site.ask("PUT", "/v1/connections/j", {"options": options}, If_Match="*")
    await site.ask("DELETE", HOOK)
    assert await secret_of(site) == "typed-by-a-person-0123456789"


@SQLITE
async def test_a_data_center_that_signs_nothing_gets_an_address_of_its_own(office: Office) -> None:
    with FakeJira("datacenter", now=lambda: NOW, version=(9, 12, 8), administrator=True) as fake:
        fake.state.add_project("PAY", "Payments")
        form = jira_form(fake, edition="datacenter", projects="PAY", auth={
            "kind": "personal_access_token", "token": fake.token})  # fmt: skip
        await office.ask("POST", "/v1/connections", form, 201)
        told = await office.ask("POST", HOOK, {})
        (entered,) = fake.registry.entered.values()
        token = await secret_of(office, "webhook_token")
        assert entered.told["url"] == f"https://hub.acme.example/hooks/j/{token}"
        assert told["writes"]["url"] == "https://hub.acme.example/hooks/j"
        assert token not in str([told, await office.ask("GET", HOOK), await audited(office)])
        assert (await office.ask("POST", HOOK, {}))["does"] == "keep"
        assert (await office.ask("DELETE", HOOK))["number"] == 1
        assert fake.registry.entered == {}
