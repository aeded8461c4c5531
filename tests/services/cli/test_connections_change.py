"""connections change: a new secret or other options, tested first, read on from where it was."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import pytest
import typer
from sqlalchemy import delete, select

from pipelines.store import configuration, tables
from pipelines.store.engine import reading, writing
from schemas.canonical import canonical_json
from schemas.errors import Misconfigured
from services.cli import changing, connections
from services.cli.terminal import EXIT_MISCONFIGURED, EXIT_UNAVAILABLE
from services.feed import connections as feed
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from services.sandbox.standing import Folder, Standing
from services.security import key_id_of, new_key
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_connections import FILE, answering, filed, now, reachable, stored

__all__ = ["reachable"]

NEW = "pat-na1-CANARY-new"


def account(portal: int = 4711) -> Account:
    """An account with a deal, whose address shows the account's number."""
    made = Account(lambda: NOW.astimezone(UTC), portal=portal, lag=timedelta(0))
    begun = NOW.astimezone(UTC) - timedelta(days=5)
    made.create_deal("Printer", begun, made.create_owner("Olga", "Owner", "olga@vendor.example", begun))
    return made


@dataclass
class Sales:
    """A connection `sales` that has read a while, and its tool."""

    desk: Desk
    server: HubSpotServer
    cursor: dict[str, str]

    async def change(self, *settings: str, secrets: tuple[str, ...] = (), typed: str = NEW, yes: bool = True) -> int:
        asked = changing.Asked(None, settings, secrets, yes)
        answers = answering({"token": typed, "Save it": "no"})
        return await changing.change(self.desk.made, "sales", asked, now, self.desk.screen, answers)

    async def stored(self) -> feed.StoredConnection:
        return await stored(self.desk, "sales")

    async def token(self) -> str:
        told = feed.with_secrets(await self.stored(), self.desk.made.keys)
        secret: str = told["token"].get_secret_value()
        return secret


@pytest.fixture
async def sales(reachable: Desk, tmp_path: Path) -> AsyncIterator[Sales]:
    async with HubSpotServer(account(), limits=Limits(on=False)) as server:
        (tmp_path / "token").write_text(server.token)
        text = FILE.format(url=server.url, token=tmp_path / "token").replace("  portal: 4711\n", "")
        assert await filed(reachable, tmp_path, text) == 0
        cursor = {"deal": "2026-03-30"}
        async with writing(reachable.engine) as connection:
            await feed.change(connection, "sales", cursor=cursor, problem="The token ended", attention=True)
            await connection.execute(delete(tables.pending))
        assert reachable.printed
        yield Sales(reachable, server, cursor)


@BOTH
async def test_a_new_secret_keeps_the_cursor(sales: Sales) -> None:
    before = await sales.stored()
    sales.server.token = NEW
    assert await sales.change(secrets=("token",)) == 0
    after = await sales.stored()
    assert await sales.token() == NEW
    assert (after.cursor, after.since, after.options) == (sales.cursor, before.since, before.options)
    assert (after.epoch, after.problem, after.attention, after.wanted) == (before.epoch + 1, None, False, True)
    printed = sales.desk.printed
    assert "  token: a new secret\n" in printed
    assert "sales is changed, and reads on from where it was." in printed
    assert NEW not in printed
    async with reading(sales.desk.engine) as connection:
        assert (await connection.execute(select(tables.pending))).all() == []


async def test_a_secret_that_does_not_work_is_not_stored(sales: Sales) -> None:
    before = await sales.stored()
    assert await sales.change(secrets=("token",)) == EXIT_MISCONFIGURED
    assert await sales.stored() == before
    assert sales.desk.printed.endswith("Nothing is changed.\n")


async def test_a_new_key_seals_what_is_given_again(sales: Sales) -> None:
    """The same secret, under the key that is the first now."""
    made, old = sales.desk.made, sales.desk.made.settings.secret_key_file.read_text()
    made.settings.secret_key_file.write_text(new_key().get_secret_value() + "\n" + old)
    sales.desk.made = made.of(sales.desk.environ)
    assert await sales.change(secrets=("token",), typed=sales.server.token) == 0
    assert "  token: sealed with the new key\n" in sales.desk.printed
    assert key_id_of((await sales.stored()).secrets["token"]) == sales.desk.made.keys.key_ids[0]


async def test_a_token_of_another_account_is_refused(sales: Sales) -> None:
    """The number is in no option: it was seen when the connection was added."""
    before = await sales.stored()
    sales.server.token = NEW
    sales.server.account.portal = 4712
    assert await sales.change(secrets=("token",)) == EXIT_MISCONFIGURED
    assert "The token belongs to account 4712, not to 4711" in sales.desk.printed
    assert await sales.stored() == before


@BOTH
async def test_options_are_changed_and_what_follows_is_computed_again(sales: Sales) -> None:
    before = await sales.stored()
    assert await sales.change("objects=deal,ticket", "app_url=https://app-eu1.hubspot.com", "page_size=") == 0
    after = await sales.stored()
    assert (after.options["objects"], after.options["page_size"]) == (["deal", "ticket"], 200)
    assert (after.cursor, after.epoch) == (sales.cursor, before.epoch + 1)
    assert await sales.token() == sales.server.token
    assert "  objects: deal → deal, ticket\n" in sales.desk.printed
    async with reading(sales.desk.engine) as connection:
        scopes = (await configuration.every(connection))["sales"].scopes
        assert (await connection.execute(select(tables.pending))).all() != []
    assert {"hubspot:4711", "app-eu1.hubspot.com"} <= scopes


async def test_a_stored_secret_is_never_sent_to_another_address(sales: Sales) -> None:
    before = await sales.stored()
    async with HubSpotServer(account(), limits=Limits(on=False), exchanges=[]) as other:
        with pytest.raises(Misconfigured, match=r"never sent to another address .* Give them again: --secret token"):
            await sales.change(f"base_url={other.url}")
        assert other.exchanges == []
        assert await sales.stored() == before
        assert await sales.change(f"base_url={other.url}", secrets=("token",), typed=other.token) == 0
    after = await sales.stored()
    assert (after.options["base_url"], after.cursor, after.wanted) == (other.url, None, True)
    assert "read again from the start" in sales.desk.printed


async def test_nothing_is_changed_without_a_yes(sales: Sales) -> None:
    before = await sales.stored()
    assert await sales.change("objects=ticket", yes=False) == 0
    assert await sales.change("objects=deal") == 0
    assert await sales.stored() == before
    assert sales.desk.printed.endswith("Nothing is changed.\nsales is so already. Nothing is changed.\n")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("object=deal", "object is no option. Is objects meant?"),
        ("objects=", "objects: name at least one record type"),
        ("share=much", "share: give a number, such as 0.25"),
        ("token=pat-na1-CANARY", "token is a secret, .* Say --secret token and be asked, or --set token=env:NAME"),
        ("objects.first=deal", "objects.first is no option"),
    ],
)
async def test_what_is_wrong_is_named_with_its_mend(sales: Sales, setting: str, said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        await sales.change(setting)
    assert "CANARY" not in str(refused.value)
    assert "much" not in str(refused.value)


async def test_what_is_no_secret_is_refused_before_anything_is_typed(sales: Sales) -> None:
    with pytest.raises(Misconfigured, match=r"portal is no secret .* Its secrets are token, client_secret"):
        await sales.change(secrets=("portal",))


async def test_a_file_says_all(sales: Sales, tmp_path: Path) -> None:
    path = tmp_path / "connection.yaml"
    path.write_text(path.read_text().replace("title: Sales", "title: Sales team").replace("[deal]", "[ticket]"))
    assert await changing.change(sales.desk.made, "sales", changing.Asked(path, yes=True), now, sales.desk.screen) == 0
    after = await sales.stored()
    assert (after.title, after.options["objects"], after.cursor) == ("Sales team", ["ticket"], sales.cursor)
    with pytest.raises(Misconfigured, match="is about sales"):
        await changing.change(sales.desk.made, "crm", changing.Asked(path), now, sales.desk.screen)


async def test_something_to_change_is_needed(desk: Desk) -> None:
    with pytest.raises(typer.BadParameter, match="Say what to change"):
        await changing.change(desk.made, "crm", changing.Asked(), now, desk.screen)


async def test_the_sandbox_can_be_tested(sales: Sales) -> None:
    """Loopback is closed, but for the ports that this hub's sandbox keeps for its tools."""
    desk = sales.desk
    desk.made = desk.made.of({k: v for k, v in desk.environ.items() if k != "THROUGHLINE_ALLOW_LOOPBACK_TOOLS"})
    assert await connections.test(desk.made, "sales", now, desk.screen) == EXIT_MISCONFIGURED
    assert "is this machine itself" in desk.printed
    with Folder.held(desk.made.settings.data_dir / "sandbox") as folder:
        folder.keep(Standing("2026-03-01T00:00:00Z"), {"hubspot": sales.server.port})
    assert await connections.test(desk.made, "sales", now, desk.screen) == 0
    with Folder.held(desk.made.settings.data_dir / "sandbox") as folder:
        folder.keep(Standing("2026-03-01T00:00:00Z"), {"hubspot": sales.server.port + 1})
    assert await connections.test(desk.made, "sales", now, desk.screen) == EXIT_MISCONFIGURED


async def test_where_nothing_answers_is_told_from_what_a_person_must_mend(sales: Sales) -> None:
    desk, one = sales.desk, await sales.stored()
    with socket.create_server(("127.0.0.1", 0)) as other:
        nobody = f"http://127.0.0.1:{other.getsockname()[1]}"
    for address, code in ((nobody, EXIT_UNAVAILABLE), ("http://192.0.2.1", EXIT_MISCONFIGURED)):
        async with writing(desk.engine) as connection:
            await feed.change(connection, "sales", options=canonical_json(one.options | {"base_url": address}))
        assert await connections.test(desk.made, "sales", now, desk.screen) == code
        assert desk.printed.startswith("  fails address: ")
    assert await sales.change(f"base_url={nobody}", secrets=("token",)) == EXIT_UNAVAILABLE
    assert desk.printed.endswith("Nothing is changed.\n")


async def test_a_busy_tool_is_waited_for(sales: Sales) -> None:
    """A hub beside it has taken all searches of this second."""
    limits = sales.server.limits = Limits()
    for _ in range(limits.searches):
        assert limits.refusal(search=True) is None
    assert await connections.test(sales.desk.made, "sales", now, sales.desk.screen) == 0
    printed = sales.desk.printed
    assert limits.refused
    assert "fails" not in printed
    assert printed.count("sign-in:") == 1
