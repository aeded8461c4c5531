"""A connection that was removed, and whose things were kept, is added again under its name and goes on with them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.references import scope_of
from pipelines.store import configuration
from pipelines.store.configuration import Chosen, ConnectionConfiguration
from pipelines.store.engine import reading, writing
from schemas.canonical import canonical_json
from services.feed import connections
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from services.sandbox.jira import FakeJira
from services.sandbox.mailbox import MailServer
from services.sandbox.post import PASSWORD, USER
from tests.services.admin.conftest import NOW, SQLITE, Office
from tests.services.admin.test_tools import jira_form, mail_form
from tests.services.admin.tools import sales

CHOSEN = Chosen(projects=frozenset({"OPS"}))
REQUEST = "R-PSDQN6UFBW34"


@pytest.fixture
async def crm() -> AsyncIterator[HubSpotServer]:
    """Account 77, as the company's, with nothing in it."""
    account = Account(lambda: NOW, lag=timedelta(0), portal=77)
    async with HubSpotServer(account, limits=Limits(on=False)) as server:
        yield server


async def rules_of(office: Office, name: str) -> ConnectionConfiguration:
    async with reading(office.engine) as connection:
        return (await configuration.every(connection))[name]


async def removed(office: Office, name: str, *scopes: str) -> None:
    """After somebody chose something for it, and said who may read it."""
    async with writing(office.engine) as connection:
        before = (await configuration.every(connection))[name]
        known = replace(before, scopes=before.scopes | {*scopes})
        await configuration.write(connection, name, known)
        assert await configuration.choose(connection, name, CHOSEN)
    await office.ask("PUT", f"/v1/connections/{name}/audience", {"kind": "participants"}, If_Match="*")
    await office.ask("DELETE", f"/v1/connections/{name}?keep=true", If_Match="*")
    await office.ask("GET", f"/v1/connections/{name}", status=404)


async def goes_on(office: Office, name: str) -> None:
    """What it brought, what was chosen and who may read it are as they were."""
    assert (await rules_of(office, name)).chosen == CHOSEN
    assert (await office.ask("GET", f"/v1/connections/{name}/audience"))["kind"] == "participants"
    request = (await office.ask("GET", f"/v1/requests/{REQUEST}"))["request"]
    assert name in {one["connection"] for one in request["artifacts"]}


async def test_hubspot_goes_on_with_what_it_knew(office: Office, crm: HubSpotServer) -> None:
    await removed(office, "crm")
    again = sales(crm) | {"name": "crm"}
    added = await office.ask("POST", "/v1/connections", again, 201)
    assert added["options"]["portal"] is None
    await goes_on(office, "crm")
    assert "hubspot:77" in (await rules_of(office, "crm")).scopes


@SQLITE
async def test_another_account_is_refused_under_the_name_and_the_same_under_another(
    office: Office, crm: HubSpotServer
) -> None:
    await removed(office, "crm")
    told = await office.ask("POST", "/v1/connections", sales(crm) | {"name": "crm-two"}, 409)
    assert told["mend"] == "Add it again under its old name, crm"
    crm.account.portal = 78
    for insist in ({}, {"anyway": True}):
        told = await office.ask("POST", "/v1/connections", sales(crm) | {"name": "crm"} | insist, 409)
        assert told["detail"] == "The connection crm was another tool, and what it brought is kept"
        assert told["anyway"] is False
    crm.account.portal = 77
    untried = sales(crm) | {"name": "crm", "unchecked": True}
    told = await office.ask("POST", "/v1/connections", untried, 409)
    assert told["mend"] == "Type its number, 77, or let it be tested"
    untried["options"] |= {"portal": 77}
    await office.ask("POST", "/v1/connections", untried, 201)
    await goes_on(office, "crm")


async def test_jira_goes_on_with_what_it_knew(office: Office) -> None:
    with FakeJira(now=lambda: NOW, lag=timedelta(0)) as fake:
        for key in ("PAY", "OPS"):
            fake.state.add_project(key, key)
        await removed(office, "jira-acme", scope_of(fake.url))
        await office.ask("POST", "/v1/connections", jira_form(fake) | {"name": "jira-acme"}, 201)
    await goes_on(office, "jira-acme")


async def test_a_mailbox_goes_on_with_what_it_knew(office: Office) -> None:
    async with MailServer(now=lambda: NOW) as server:
        await removed(office, "inbox")
        await office.ask("POST", "/v1/connections", mail_form(server) | {"name": "inbox"}, 201)
    await goes_on(office, "inbox")


async def test_a_mailbox_is_known_again_under_whatever_name(office: Office) -> None:
    async with MailServer(now=lambda: NOW) as server:
        form = mail_form(server)
        async with writing(office.engine) as connection:
            reads = {"host": "127.0.0.1", "auth": {"kind": "password", "user": USER.upper()}}
            await connections.change(connection, "inbox", options=canonical_json(reads))
        await removed(office, "inbox")
        told = await office.ask("POST", "/v1/connections", form | {"name": "mail-two"}, 409)
        assert (
            told["detail"] == "The connection inbox read this tool before it was removed, and what it brought is kept"
        )
        assert told["mend"].startswith("Add it again under its old name, inbox")
        assert told["anyway"] is True
        other = form | {"name": "inbox", "options": form["options"] | {"auth": {"kind": "password", "user": "else"}}}
        other["options"]["auth"]["password"] = PASSWORD
        told = await office.ask("POST", "/v1/connections", other | {"unchecked": True}, 409)
        assert (told["detail"], told["anyway"]) == (
            "The connection inbox was another tool, and what it brought is kept",
            True,
        )
        await office.ask("POST", "/v1/connections", form | {"name": "inbox"}, 201)
    await goes_on(office, "inbox")
    assert not any(scope.startswith("mailbox:") for scope in (await rules_of(office, "inbox")).scopes)
