"""connections: one tool is read by one connection; a removed one keeps its name."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.catalogue import catalogue
from connectors.hubspot.options import Options as HubSpotOptions
from connectors.jira.options import JiraOptions
from connectors.mailbox.options import MailboxOptions
from pipelines.store import tables
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.admin import sameness
from services.admin.sameness import Tool, refuse_another
from services.cli import removing
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_connections import FILE, filed, reachable

__all__ = ["reachable"]


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    """An account with a deal, whose address shows the account's number."""
    account = Account(lambda: NOW.astimezone(UTC), lag=timedelta(0))
    begun = NOW.astimezone(UTC) - timedelta(days=5)
    account.create_deal("Printer", begun, account.create_owner("Olga", "Owner", "olga@vendor.example", begun))
    async with HubSpotServer(account, limits=Limits(on=False)) as server:
        yield server


def jira(*projects: str, address: str = "https://acme.atlassian.net", name: str = "jira") -> Tool:
    auth = {"kind": "api_token", "email": "hub@acme.example", "token": "s3cret"}
    options = JiraOptions.model_validate({"base_url": address, "auth": auth, "projects": projects})
    return sameness.tool_of(name, catalogue()["jira"], options)


def mailbox(user: str, host: str = "imap.acme.example", name: str = "mail") -> Tool:
    auth = {"kind": "password", "user": user, "password": "s3cret"}
    options = MailboxOptions.model_validate({"host": host, "auth": auth})
    return sameness.tool_of(name, catalogue()["mailbox"], options)


def account(token: str, portal: int | None, name: str, seen: tuple[str, ...] = ()) -> Tool:
    options = HubSpotOptions.model_validate({"token": token, "portal": portal})
    return sameness.tool_of(name, catalogue()["hubspot"], options, seen)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (jira("PAY", name="two"), jira("PAY")),
        (jira("PAY", name="two"), jira()),
        (jira(address="https://ACME.atlassian.net/", name="two"), jira("PAY")),
        (account("a", 4711, "two"), account("b", 4711, "one")),
        (account("a", 4711, "two"), account("b", None, "one", ("hubspot:4711",))),
        (account("a", None, "two"), account("a", None, "one")),
    ],
)
def test_the_same_tool_is_refused_whatever_is_said(new: Tool, old: Tool) -> None:
    for anyway in (False, True):
        with pytest.raises(Misconfigured, match=f"The connection {old.connection} reads this tool already"):
            refuse_another(new, [old], anyway=anyway)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (jira("OPS", name="two"), jira("PAY")),
        (mailbox("Team@acme.example", name="two"), mailbox("team@acme.example")),
    ],
)
def test_what_loses_nothing_may_be_added_anyway(new: Tool, old: Tool) -> None:
    with pytest.raises(Misconfigured, match="to have both, say --anyway"):
        refuse_another(new, [old])
    refuse_another(new, [old], anyway=True)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (jira(address="https://other.atlassian.net", name="two"), jira()),
        (mailbox("sales@acme.example", name="two"), mailbox("team@acme.example")),
        (mailbox("team", host="imap.other.example", name="two"), mailbox("team")),
        (account("a", 4711, "two"), account("b", 4712, "one")),
        (account("a", None, "two"), account("b", None, "one")),
    ],
)
def test_other_tools_are_no_obstacle(new: Tool, old: Tool) -> None:
    refuse_another(new, [old])


def test_of_two_that_were_removed_each_goes_on_under_its_own_name() -> None:
    gone = [replace(mailbox("team", name=name), removed=True) for name in ("one", "two")]
    refuse_another(mailbox("team", name="two"), gone)
    with pytest.raises(Misconfigured, match="The connection one read this tool before it was removed"):
        refuse_another(mailbox("team", name="three"), gone)
    refuse_another(mailbox("team", name="three"), gone, anyway=True)
    with pytest.raises(Misconfigured, match="The connection four reads this tool already"):
        refuse_another(mailbox("team", name="two"), [*gone, mailbox("team", name="four")])


async def test_an_account_is_not_added_twice(reachable: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    """Another token of the same account: its number is seen in what it holds."""
    (tmp_path / "token").write_text(hubspot.token)
    text = FILE.format(url=hubspot.url, token=tmp_path / "token")
    assert await filed(reachable, tmp_path, text) == 0
    second = text.replace("name: sales", "name: sales-two").replace("  portal: 4711\n", "")
    with pytest.raises(Misconfigured, match="The connection sales reads this tool already"):
        await filed(reachable, tmp_path, second)


@BOTH
async def test_a_removed_connection_keeps_its_name(reachable: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    """crm brought a deal of account 77."""
    desk = reachable
    await removing.remove(desk.made, "crm", lambda: NOW, desk.screen, lambda _: True)
    (tmp_path / "token").write_text(hubspot.token)
    text = FILE.format(url=hubspot.url, token=tmp_path / "token")
    with pytest.raises(Misconfigured, match="Add it again under its old name: --name crm"):
        await filed(desk, tmp_path, text.replace("4711", "77"))
    await removing.remove(desk.made, "inbox", lambda: NOW, desk.screen, lambda _: True)
    with pytest.raises(Misconfigured, match="inbox was another tool, and what it brought is kept"):
        await filed(desk, tmp_path, text.replace("name: sales", "name: inbox"))
    assert await filed(desk, tmp_path, text.replace("name: sales", "name: crm-two")) == 0


@BOTH
async def test_what_brought_nothing_leaves_nothing(reachable: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    desk = reachable
    (tmp_path / "token").write_text(hubspot.token)
    text = FILE.format(url=hubspot.url, token=tmp_path / "token")
    assert await filed(desk, tmp_path, text) == 0
    await removing.remove(desk.made, "sales", lambda: NOW, desk.screen, lambda _: True)
    async with reading(desk.engine) as connection:
        left = await connection.execute(select(tables.rules).where(tables.rules.c.connection == "sales"))
        assert left.all() == []
    assert await filed(desk, tmp_path, text.replace("name: sales", "name: sales-two")) == 0
