"""A tool that gives another secret while a connection is tried: what is stored is the one that holds."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from pipelines.store.engine import reading, writing
from services.admin.renewing import Renewing
from services.feed import connections
from services.feed.connections import StoredConnection, parse_options
from services.sandbox.mailbox import MailServer
from services.sandbox.post import USER
from tests.connectors.mailbox.letters import letter
from tests.connectors.mailbox.test_oauth import CLIENT, SECRET, Provider, serving
from tests.services.admin.conftest import NOW, Office

TOKEN = "auth.refresh_token"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Of a mailbox that holds a mail; each refresh token is good once."""
    async with MailServer(now=lambda: NOW) as mail:
        mail.mailbox.append("INBOX", letter().as_bytes(), NOW)
        with serving(Provider(mail)) as made:
            yield made


def form(provider: Provider, **auth: str) -> dict[str, Any]:
    told = {"kind": "oauth_client", "user": USER, "provider": "microsoft", "client_id": CLIENT,
            "token_url": provider.address, **auth}  # fmt: skip
    return {"connector": "mailbox", "options": {
        "host": "127.0.0.1", "port": str(provider.mail.port), "security": "plain", "auth": told}}  # fmt: skip


async def added(office: Office, provider: Provider) -> StoredConnection:
    sent = form(provider, client_secret=SECRET, refresh_token="refresh-1") | {"name": "post"}
    await office.ask("POST", "/v1/connections", sent, 201)
    return await stored(office)


async def stored(office: Office) -> StoredConnection:
    async with reading(office.engine) as connection:
        found = await connections.get(connection, "post")
    assert found is not None
    return found


async def held(office: Office) -> str:
    told = connections.with_secrets(await stored(office), office.equipment.keys)
    token: SecretStr = told["auth"]["refresh_token"]
    return token.get_secret_value()


async def test_what_is_added_holds_the_token_that_its_test_was_given(office: Office, provider: Provider) -> None:
    await added(office, provider)
    assert await held(office) == provider.refresh != "refresh-1"


@pytest.mark.parametrize("path", ["test", "preview", "estimate"])
async def test_a_trial_of_a_stored_connection_keeps_it_and_changes_nothing_else(
    office: Office, provider: Provider, path: str
) -> None:
    before, good = await added(office, provider), provider.refresh
    sent = form(provider) | {"connection": "post"}
    for _ in range(2):
        await office.ask("POST", f"/v1/connections/{path}", sent)
    assert await held(office) == provider.refresh != good
    after = await stored(office)
    assert (after.epoch, after.options, after.secrets.keys()) == (before.epoch, before.options, before.secrets.keys())
    assert str(provider.refresh) not in str(after)


async def test_a_token_that_was_typed_and_is_not_the_stored_one_is_not_kept(office: Office, provider: Provider) -> None:
    await added(office, provider)
    mine, provider.refresh = await held(office), "another"
    sent = form(provider, refresh_token="another") | {"connection": "post"}
    told = await office.ask("POST", "/v1/connections/test", sent)
    assert told["ok"]
    assert provider.refresh != "another"
    assert await held(office) == mine


@pytest.mark.parametrize("path", ["test", "preview", "estimate"])
async def test_what_a_trial_was_given_for_a_typed_token_is_saved_afterwards(
    office: Office, provider: Provider, path: str
) -> None:
    """The trial spends what was typed, and the form still holds it."""
    sent = form(provider, client_secret=SECRET, refresh_token="refresh-1") | {"name": "post"}
    for _ in range(2):
        told = await office.ask("POST", f"/v1/connections/{path}", sent)
        assert told.get("ok", True)
    assert provider.refresh != "refresh-1"
    await office.ask("POST", "/v1/connections", sent, 201)
    assert await held(office) == provider.refresh
    provider.refresh = "another"
    changed = form(provider, refresh_token="another") | {"connection": "post"}
    await office.ask("POST", f"/v1/connections/{path}", changed)
    spent = provider.refresh
    await office.ask("PUT", "/v1/connections/post", {"options": changed["options"]}, If_Match="*")
    assert await held(office) == provider.refresh not in ("another", spent)


async def test_what_was_given_goes_nowhere_else_than_what_was_typed(office: Office, provider: Provider) -> None:
    sent = form(provider, client_secret=SECRET, refresh_token="refresh-1") | {"name": "post"}
    await office.ask("POST", "/v1/connections/test", sent)
    with serving(Provider(provider.mail)) as other:
        moved = form(other, client_secret=SECRET, refresh_token="refresh-1") | {"name": "post"}
        await office.ask("POST", "/v1/connections/test", moved)
        assert [one["refresh_token"] for one in other.forms] == ["refresh-1"]
    assert provider.refresh != "refresh-1"


async def test_it_is_kept_though_the_check_of_a_change_fails(office: Office, provider: Provider) -> None:
    before, good = await added(office, provider), provider.refresh
    sent = form(provider)["options"] | {"folders": "NOWHERE"}
    told = await office.ask("PUT", "/v1/connections/post", {"options": sent}, 422, If_Match="*")
    assert told["type"].endswith("check")
    assert await held(office) == provider.refresh != good
    assert (await stored(office)).options == before.options


async def test_a_change_saves_what_its_trial_was_given(office: Office, provider: Provider) -> None:
    before = await added(office, provider)
    sent = form(provider)["options"] | {"keep": "references"}
    await office.ask("PUT", "/v1/connections/post", {"options": sent}, If_Match=f'"{before.epoch}"')
    assert await held(office) == provider.refresh
    provider.refresh = "mine"
    sent = form(provider, refresh_token="mine")["options"]
    await office.ask("PUT", "/v1/connections/post", {"options": sent}, If_Match="*")
    assert await held(office) == provider.refresh != "mine"


async def test_a_change_does_not_bring_back_what_the_tool_replaced_meanwhile(
    office: Office, provider: Provider
) -> None:
    before = await added(office, provider)
    keys = office.equipment.keys
    mailbox = office.equipment.catalogue["mailbox"].Options
    options = parse_options(mailbox, connections.with_secrets(before, keys))
    async with writing(office.engine) as connection:
        await connections.keep_secret(connection, "post", TOKEN, keys.seal("post", TOKEN, SecretStr("by the reader")))
    async with writing(office.engine) as connection:
        assert await connections.reconfigure(connection, before, "Post", options, keys)
    assert await held(office) == "by the reader"
    typed = connections.with_others(options, {TOKEN: SecretStr("typed")})
    async with writing(office.engine) as connection:
        assert await connections.reconfigure(connection, await stored(office), "Post", typed, keys)
    assert await held(office) == "typed"


async def test_who_was_given_a_newer_one_meanwhile_keeps_it(office: Office, provider: Provider) -> None:
    before = await added(office, provider)
    keys = office.equipment.keys
    mailbox = office.equipment.catalogue["mailbox"].Options
    options = parse_options(mailbox, connections.with_secrets(before, keys))
    trial = Renewing.of(office.equipment, before, options)
    reader = replace(trial, _last=dict(trial._last))
    assert await reader.keep(TOKEN, SecretStr("newer"))
    assert await trial.keep(TOKEN, SecretStr("older"))
    assert await held(office) == "newer"
    assert not await Renewing.of(office.equipment, None, options).keep(TOKEN, SecretStr("nobody's"))
    assert await held(office) == "newer"
