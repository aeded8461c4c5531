"""Terminals of 40 columns: nothing is squeezed into columns too thin to be read, nothing is lost."""

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli import connections, lists, lookup, status
from services.cli.narrow import by_width
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk

COLUMNS = 40


@pytest.fixture
def slim(desk: Desk) -> Desk:
    desk.screen = Console(file=desk.paper, width=COLUMNS, highlight=False)
    return desk


def lines(desk: Desk) -> list[str]:
    found = desk.printed.splitlines()
    assert max(map(len, found)) <= COLUMNS
    return found


async def test_requests(slim: Desk) -> None:
    await lists.requests(slim.made, lists.wanted(NOW, text="payslip"), 1, NOW, slim.screen, as_json=False)
    assert lines(slim)[:4] == [
        "R-PSDQN6UFBW34  11 March",
        "  Payslip portal",
        "  In development since 7 March; 0 of 1",
        "  issue done; waiting on PAY-31; with",
    ]


async def test_a_life(slim: Desk) -> None:
    await lookup.lookup(slim.made, "PAY-12", NOW, slim.screen, as_json=False, as_of=None)
    found = lines(slim)
    assert found[:2] == ["Payslip portal", "R-PSDQN6UFBW34"]
    assert "requirements  2 days, 5 March to 7 March" in found
    place = found.index("deal 4711  Contract sent")
    assert found[place + 1] == "  Payslip portal, alignment, with Carla"


async def test_connections_and_status(slim: Desk) -> None:
    for work in (
        connections.list_all(slim.made, NOW, slim.screen, for_programs=False),
        status.status(slim.made, NOW, slim.screen, for_programs=False),
    ):
        await work
        assert lines(slim)[:4] == [
            "crm (hubspot) needs you",
            "  true up to 31 March 18:42",
            "  HubSpot refuses the token (401). Enter",
            "  a new one",
        ]


async def test_changes(slim: Desk) -> None:
    await lists.changes(slim.made, 0, lambda: NOW, slim.screen, follow=False, as_json=False)
    found = lines(slim)
    assert [found[0].split("  ")[0], found[1][:2]] == ["1", "  "]


def test_any_other_table() -> None:
    table = Table("thing", "what it names", "at")
    table.add_row("issue PAY-12", Text("10000000037 (mentions, written)"), "")
    table.add_row("deal 4711", "[bold]nothing[/]", Text("12 March"))
    assert printed(table, COLUMNS) == [
        "issue PAY-12", "  what it names: 10000000037 (mentions,", "  written)",
        "deal 4711", "  what it names: nothing", "  at: 12 March",
    ]  # fmt: skip
    assert "what it names" in printed(table, 100)[1]


def printed(table: Table, width: int) -> list[str]:
    paper = io.StringIO()
    Console(file=paper, width=width, highlight=False).print(by_width(table))
    return [line.rstrip() for line in paper.getvalue().splitlines()]
