"""connections: added by form or file after a real test, shown without secrets, paused, read again, removed."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select

from pipelines.store import configuration, tables
from pipelines.store.engine import reading
from schemas.errors import Misconfigured
from services.admin.removal import Loss
from services.cli import adding, connections, removing
from services.cli.form import Question
from services.cli.installation import Installation
from services.cli.terminal import EXIT_MISCONFIGURED
from services.feed import connections as feed
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_limits import Limits
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk


def now() -> datetime:
    return NOW


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    """A HubSpot account with a deal, a ticket that belongs to it, and a note that names an issue."""
    account = Account(lambda: NOW.astimezone(UTC), lag=timedelta(0))
    begun = NOW.astimezone(UTC) - timedelta(days=5)
    owner = account.create_owner("Olga", "Owner", "olga@vendor.example", begun)
    deal = account.create_deal("Payroll rollout", begun + timedelta(hours=1), owner)
    ticket = account.create_ticket("Rollout fails on PAY-12", begun + timedelta(hours=2), owner)
    account.associate(("deal", deal), ("ticket", ticket), begun + timedelta(hours=2))
    account.create_deal("Printer", begun + timedelta(hours=3), owner)
    async with HubSpotServer(account, limits=Limits(on=False)) as server:
        yield server


@pytest.fixture
def reachable(desk: Desk) -> Desk:
    """The desk, with tools on this machine allowed."""
    desk.environ["THROUGHLINE_ALLOW_LOOPBACK_TOOLS"] = "true"
    desk.made = Installation.of(desk.environ)
    return desk


def answering(answers: dict[str, Any], asked: list[str] | None = None) -> Any:
    """A person who gives these answers by title, several in turn where it is a list; else Enter, also after them."""

    def ask(question: Question) -> str:
        if asked is not None:
            asked.append(question.title)
        given = answers.get(question.title, question.default)
        if isinstance(given, list):
            given = given.pop(0) if given else question.default
        assert given is not None, f"{question.title} needs an answer"
        return str(given)

    return ask


async def add(desk: Desk, answers: dict[str, Any], connector: str = "hubspot", *, every: bool = True,
              asked: list[str] | None = None) -> int:  # fmt: skip
    typed = adding.Asked(connector, None, None, None, every, yes=False)
    return await adding.add(desk.made, typed, now, desk.screen, answering(answers, asked))


async def stored(desk: Desk, name: str) -> feed.StoredConnection:
    async with reading(desk.engine) as connection:
        one = await feed.get(connection, name)
    assert one is not None
    return one


PREVIEW = """\
thing                             what would become of it          what it names
deal 10000000002                  opens a request, which 1 other   10000000003 (association,
Payroll rollout                   thing here joins                 explicit)
deal 10000000004                  opens a request                  nothing
Printer
ticket 10000000003                joins issue PAY-12, read         10000000002 (association,
Rollout fails on PAY-12           already, in R-PSDQN6UFBW34       explicit), PAY-12 (mentions,
                                                                   title)
"""


async def test_added_by_the_form(reachable: Desk, hubspot: HubSpotServer) -> None:
    desk = reachable
    answers = {"API address": hubspot.url, "Token": hubspot.token, "Read from": "beginning", "Name": "sales",
               "Share of the limit": "1"}  # fmt: skip
    assert await add(desk, answers) == 0
    printed = desk.printed
    assert "  ok    sign-in: Signed in to HubSpot account 4711\n" in printed
    assert PREVIEW in printed
    assert printed.endswith("Saved as sales. The running hub begins to read within seconds, or when it runs next.\n")
    assert hubspot.token not in printed
    assert hubspot.writes == []
    one = await stored(desk, "sales")
    assert (one.connector, one.title, one.since, one.state) == ("hubspot", "HubSpot", None, "reading")
    assert hubspot.token not in json.dumps([one.options, one.secrets])
    assert feed.with_secrets(one, desk.made.keys)["token"].get_secret_value() == hubspot.token


@BOTH
async def test_what_it_adds_is_stored_with_it(reachable: Desk, hubspot: HubSpotServer) -> None:
    """The account's number is in no option: it is read off the addresses of its records."""
    desk = reachable
    answers = {"API address": hubspot.url, "Token": hubspot.token, "Read from": "90d", "Share of the limit": "1"}
    assert await add(desk, answers) == 0
    async with reading(desk.engine) as connection:
        rules = (await configuration.load(connection)).rules.connections["hubspot"]
        pending = (await connection.execute(select(tables.pending.c.component))).scalars().all()
        components = (await connection.execute(select(tables.components.c.id))).scalars().all()
    assert "hubspot:4711" in rules.scopes
    assert rules.connector == "hubspot"
    assert sorted(pending) == sorted(components) != []
    assert (await stored(desk, "hubspot")).since == NOW - timedelta(days=90)


async def test_what_is_wrong_is_asked_again(reachable: Desk, hubspot: HubSpotServer,
                                            capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    asked: list[str] = []
    answers = {"API address": hubspot.url, "Token": hubspot.token, "Records a page": ["9999", "50"], "Save it": "no",
               "Share of the limit": "1"}  # fmt: skip
    assert await add(reachable, answers, asked=asked) == 0
    assert asked.count("Records a page") == 2
    assert asked.count("Token") == 1
    assert "Records a page: give a number of at most 200" in capsys.readouterr().err
    assert reachable.printed.endswith("Nothing is saved.\n")
    async with reading(reachable.engine) as connection:
        assert await feed.get(connection, "hubspot") is None


async def test_name_and_beginning_are_judged_where_they_are_asked(
    reachable: Desk, hubspot: HubSpotServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody fills in a form and waits for a test to learn then that the name will not do."""
    asked: list[str] = []
    answers = {"Name": ["Sales team", "jira-acme", "sales"], "Read from": ["soon", "2999-01-01", "30d"],
               "Save it": "no", "API address": hubspot.url, "Token": hubspot.token,
               "Share of the limit": "1"}  # fmt: skip
    assert await add(reachable, answers, asked=asked) == 0
    assert asked[:4] == ["Name"] * 3 + ["Title"]
    assert asked.count("Read from") == 3
    told = capsys.readouterr().err
    assert "  name: use at most 40 lower-case letters, digits and hyphens" in told
    assert "  There is a connection jira-acme already. " in told
    assert "  Give a date or a time, such as 2026-03-05" in told
    assert "  That lies ahead; give a moment up to now\n" in told


@pytest.mark.parametrize(("name", "since"), [("Sales team", "30d"), ("jira-acme", "30d"), ("sales", "soon")])
async def test_what_is_typed_with_the_command_is_judged_first(desk: Desk, name: str, since: str) -> None:
    asked: list[str] = []
    typed = adding.Asked("hubspot", None, name, since, every=False, yes=False)
    with pytest.raises((Misconfigured, typer.BadParameter)):
        await adding.add(desk.made, typed, now, desk.screen, answering({}, asked))
    assert asked == []


async def test_a_check_that_fails_saves_nothing(reachable: Desk, hubspot: HubSpotServer) -> None:
    answers = {"API address": hubspot.url, "Token": "pat-na1-wrong", "Share of the limit": "1", "Correct it": "no"}
    assert await add(reachable, answers) == EXIT_MISCONFIGURED
    printed = reachable.printed
    assert printed.count("  ok    ") == 1  # the address
    assert printed.count("  fails ") == 1
    assert printed.endswith("Nothing is saved. Mend it, then add it again.\n")
    assert "pat-na1-wrong" not in printed


@pytest.mark.parametrize("wrong", ["Token", "API address"])
async def test_one_answer_is_corrected_after_a_check_that_fails(
    reachable: Desk, hubspot: HubSpotServer, wrong: str
) -> None:
    """All others are the defaults of the second time, the secret unseen."""
    answers = {"API address": [hubspot.url], "Token": [hubspot.token], "Name": ["sales"], "Records a page": ["50"],
               "Share of the limit": ["1"], "Read from": ["beginning"], "Hub ID": [""]}  # fmt: skip
    answers[wrong].insert(0, {"Token": "pat-na1-wrong", "API address": "http://127.0.0.1:1"}[wrong])
    asked: list[str] = []
    assert await add(reachable, answers, asked=asked) == 0
    assert asked.count("Correct it") == 1
    assert asked.count("Token") == asked.count("Name") == 2
    printed = reachable.printed
    assert printed.count("  fails ") == 1
    assert "Nothing is saved" not in printed
    assert hubspot.token not in printed
    one = await stored(reachable, "sales")
    assert (one.options["base_url"].rstrip("/"), one.options["page_size"], one.since) == (hubspot.url, 50, None)
    assert feed.with_secrets(one, reachable.made.keys)["token"].get_secret_value() == hubspot.token


FILE = """\
# The sales team's account.
connector: hubspot
name: sales
title: Sales
since: 2026-01-15
options:
  base_url: {url}
  token: file:{token}
  portal: 4711
  share: 1
  objects: [deal]
"""


async def filed(desk: Desk, tmp_path: Path, text: str) -> int:
    path = tmp_path / "connection.yaml"
    path.write_text(text, encoding="utf-8")
    typed = adding.Asked(None, path, None, None, every=False, yes=True)
    return await adding.add(desk.made, typed, now, desk.screen, answering({}))


async def test_added_from_a_file(reachable: Desk, hubspot: HubSpotServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{hubspot.token}\n")
    assert await filed(reachable, tmp_path, FILE.format(url=hubspot.url, token=tmp_path / "token")) == 0
    one = await stored(reachable, "sales")
    assert one.title == "Sales"
    assert one.since == datetime(2026, 1, 15, tzinfo=NOW.tzinfo)
    assert one.options["objects"] == ["deal"]
    with pytest.raises(Misconfigured, match="There is a connection sales already"):
        await filed(reachable, tmp_path, FILE.format(url=hubspot.url, token=tmp_path / "token"))


async def test_what_leads_nowhere_is_said_and_the_rest_is_read(
    reachable: Desk, hubspot: HubSpotServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(hubspot.token)
    text = FILE.format(url=hubspot.url, token=tmp_path / "token") + "  opening_pipelines: [default, '77']\n"
    said = "  look  The tool does not have the pipeline 77, which opening_pipelines names. Correct opening_pipelines,"
    assert await filed(reachable, tmp_path, text) == 0
    assert said in " ".join(reachable.printed.split("\n"))
    assert await connections.test(reachable.made, "sales", now, reachable.screen) == 0
    assert said in " ".join(reachable.printed.split("\n"))


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ("title: Sales", "titel: Sales", "line 4, column 1: titel is no key of a connection"),
        ("  portal: 4711", "  portall: 4711", "line 9, column 3: portall is no option. Is portal meant?"),
        ("  portal: 4711", "  portal: none", "line 9, column 3: portal: give a whole number. Correct it"),
        ("  objects: [deal]", "  objects: []", "line 11, column 3: objects: name at least one record type. Correct it"),
        ("  share: 1", "  share: 2", "line 10, column 3: share: give a number of at most 1. Correct it"),
        ("  share: 1", "  share: 2\n  page_size: 0", "give a number of at most 1. Correct it. Wrong too: page_size"),
        (
            "  objects: [deal]",
            "  objects: [deal, lead]",
            "line 11, column 19: objects.1: give deal or ticket. Correct it",
        ),
        ("  token: file:{token}", "  portal: 4", "line 9, column 3: portal stands twice"),
        ("  token: file:{token}", "", "line 6, column 1: token is missing"),
        ("  token: file:{token}", "  token: pat-na1-CANARY", "line 8, column 3: token is a secret in clear"),
        ("  token: file:{token}", "  token: env:NO_SUCH", "line 8, column 3: token: The variable NO_SUCH is not set"),
        (
            "  token: file:{token}",
            "  token: file:/no/such",
            "line 8, column 3: token: The file /no/such cannot",
        ),
        ("since: 2026-01-15", "since: soon", "line 5, column 1: since: give a date or a time"),
        ("since: 2026-01-15", "since: 2999-01-01", "line 5, column 1: since: that lies ahead"),
        ("name: sales", "name: Sales", "name: use at most 40 lower-case letters"),
        ("connector: hubspot", "connector: hubspott", "There is no connector hubspott"),
        ("connector: hubspot", "", "connector is missing"),
        ("title: Sales", "title: [", "line 6, column 8: this is no YAML"),
    ],
)
async def test_a_wrong_file_is_refused_by_line_and_column(
    reachable: Desk, tmp_path: Path, line: str, instead: str, said: str
) -> None:
    (tmp_path / "token").write_text("pat-na1-CANARY")
    text = FILE.replace(line, instead).format(url="http://127.0.0.1:9", token=tmp_path / "token")
    with pytest.raises(Misconfigured) as refused:
        await filed(reachable, tmp_path, text)
    assert said in str(refused.value)
    assert "CANARY" not in str(refused.value)


async def test_secrets_are_never_shown(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await connections.show(desk.made, "crm", NOW, desk.screen, for_programs=False)
    await connections.show(desk.made, "crm", NOW, desk.screen, for_programs=True)
    await connections.list_all(desk.made, NOW, desk.screen, for_programs=True)
    printed, told = desk.printed, capsys.readouterr().out
    assert "token        stored, sealed\n" in printed
    assert json.loads(told.splitlines()[0])["secrets"] == ["token"]
    assert "CANARY" not in printed + told


LIST = """\
connection  connector  state      how fresh
crm         hubspot    needs you  true up to 31 March 18:42
                                  HubSpot refuses the token (401). Enter a new one
inbox       mailbox    reading    first read under way: 120 of about 400 read (30 %)
jira-acme   jira       reading    true up to 14:40
"""


async def test_listed(desk: Desk) -> None:
    await connections.list_all(desk.made, NOW, desk.screen, for_programs=False)
    assert desk.printed == LIST


async def test_paused_and_resumed(desk: Desk) -> None:
    await connections.pause(desk.made, "crm", desk.screen)
    assert (await stored(desk, "crm")).state == "paused"
    await connections.resume(desk.made, "crm", desk.screen)
    one = await stored(desk, "crm")
    assert (one.state, one.wanted, one.problem, one.attention) == ("reading", True, None, False)


@pytest.mark.parametrize(
    ("since", "begin"),
    [
        ("30d", NOW - timedelta(days=30)),
        ("beginning", None),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=NOW.tzinfo)),
    ],
)
@BOTH
async def test_read_again(desk: Desk, since: str, begin: datetime | None) -> None:
    before = await stored(desk, "jira-acme")
    await connections.reread(desk.made, "jira-acme", since, NOW, desk.screen)
    one = await stored(desk, "jira-acme")
    assert (one.since, one.cursor, one.first_read_done, one.wanted) == (begin, None, False, True)
    assert one.epoch == before.epoch + 1
    said = " ".join(desk.printed.split())
    assert ("What it brought from before stays, though it is told as read since" in said) is (begin is not None)
    assert ("`throughline connections reread jira-acme --since beginning` sets that back" in said) is bool(begin)


async def test_removed_after_asking(desk: Desk) -> None:
    await removing.remove(desk.made, "crm", lambda: NOW, desk.screen, lambda _: False)
    assert (await stored(desk, "crm")).id == "crm"
    await removing.remove(desk.made, "crm", lambda: NOW, desk.screen, lambda _: True)
    printed = desk.printed
    assert "forgets its credentials" in printed
    assert "unless you add it again under this name" in " ".join(printed.split())
    assert printed.endswith("crm is removed.\n")
    with pytest.raises(Misconfigured, match=r"There is no connection crm\. There are inbox, jira-acme"):
        await connections.show(desk.made, "crm", NOW, desk.screen, for_programs=False)


@BOTH
async def test_removed_with_what_it_brought(reachable: Desk, hubspot: HubSpotServer) -> None:
    """It brought nothing yet; what others brought is computed anew, and stays."""
    desk = reachable
    answers = {"API address": hubspot.url, "Token": hubspot.token, "Read from": "90d", "Share of the limit": "1"}
    assert await add(desk, answers) == 0
    await removing.remove_all(desk.made, "hubspot", lambda: NOW, desk.screen, lambda _: False)
    assert "It brought nothing yet." in " ".join(desk.printed.split())
    assert (await stored(desk, "hubspot")).id == "hubspot"
    await removing.remove_all(desk.made, "hubspot", lambda: NOW, desk.screen, lambda _: True)
    assert desk.printed.endswith("hubspot and what it brought are removed.\n")
    async with reading(desk.engine) as connection:
        assert "hubspot" not in await configuration.every(connection)


def test_what_goes_is_said_in_words() -> None:
    loss = Loss({"deal": 1, "note": 2}, 9, 4, 1, 2)
    assert removing.said(loss) == (
        "It brought 1 deal, 2 notes. 1 request ends, holding nothing else; 3 requests go on without, 2 of them under "
        "another id. What people decided stays. This cannot be undone."
    )
