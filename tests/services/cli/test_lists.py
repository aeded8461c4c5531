"""requests and changes: what is listed, for people and for programs."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import typer
from sqlalchemy import delete

from schemas.artifacts import request_id
from schemas.records import LifecycleRecord
from services.cli import lists
from services.cli.terminal import EXIT_MISCONFIGURED
from services.cli.words import read_length, read_moment, read_start
from services.feed.tables import connections
from tests.services.cli.company import BERLIN, NOW, read, telling
from tests.services.cli.conftest import BOTH, Desk

PORTAL, SIGN_ON = request_id("inbox/mail/m1"), request_id("jira-acme/issue/10031")

TABLE = f"""\
request         title                         how it stands                               changed
{PORTAL}  Payslip portal                In development since 7 March; 0 of 1 issue  11 March
                                              done; waiting on PAY-31; with Anna Berg
{SIGN_ON}  Single sign-on                In requirements since 4 March; 0 of 1       4 March
                                              issue done
"""


async def listed(desk: Desk, capsys: pytest.CaptureFixture[str], limit: int = 25, **filters: Any) -> list[str]:
    """Ids, by way of the whole records for programs."""
    capsys.readouterr()
    await lists.requests(desk.made, lists.wanted(NOW, **filters), limit, NOW, desk.screen, as_json=True)
    return [LifecycleRecord.model_validate_json(line).id for line in capsys.readouterr().out.splitlines()]


@BOTH
async def test_a_table(desk: Desk) -> None:
    await lists.requests(desk.made, lists.wanted(NOW), 25, NOW, desk.screen, as_json=False)
    assert desk.printed == TABLE


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"text": "payslip"}, [PORTAL]),
        ({"stage": ["requirements"]}, [SIGN_ON]),
        ({"state": ["waiting", "done"]}, [PORTAL]),
        ({"tool": ["jira"]}, [PORTAL, SIGN_ON]),
        ({"connection": ["crm"]}, [PORTAL]),
        ({"person": ["bert@customer.example"]}, [PORTAL]),
        ({"unit": ["Payroll"]}, [PORTAL]),
        ({"project": ["PAY"], "stage": ["development"]}, [PORTAL]),
        ({"changed_since": "2026-03-10"}, [PORTAL]),
        ({"changed_since": "90d"}, [PORTAL, SIGN_ON]),
        ({"stuck_longer_than": "26d"}, [SIGN_ON]),
        ({"stuck_longer_than": "2w", "state": ["done"]}, []),
        ({"sort": "opened"}, [SIGN_ON, PORTAL]),
        ({"sort": "opened", "reverse": True}, [PORTAL, SIGN_ON]),
    ],
)
async def test_filters(
    desk: Desk, capsys: pytest.CaptureFixture[str], filters: dict[str, Any], found: list[str]
) -> None:
    assert await listed(desk, capsys, **filters) == found


async def test_more_than_the_limit(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await lists.requests(desk.made, lists.wanted(NOW), 1, NOW, desk.screen, as_json=True)
    out, said = capsys.readouterr()
    assert [LifecycleRecord.model_validate_json(line).id for line in out.splitlines()] == [PORTAL]
    assert said == "There are more; these are the first 1 (--limit).\n"
    await lists.requests(desk.made, lists.wanted(NOW), 2, NOW, desk.screen, as_json=True)
    out, said = capsys.readouterr()
    assert (len(out.splitlines()), said) == (2, "")
    await lists.requests(desk.made, lists.wanted(NOW), 1, NOW, desk.screen, as_json=False)
    assert desk.printed.endswith("There are more; these are the first 1 (--limit).\n")
    await lists.requests(desk.made, lists.wanted(NOW, text="nowhere"), 1, NOW, desk.screen, as_json=False)
    assert desk.printed == "No request fits.\n"


@BOTH
async def test_more_than_a_page(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    many = [
        telling("inbox", "mailbox", "mail", f"x{n}", fields={"title": f"Ask {n}", "opens": True, "type": "person"})
        for n in range(230)
    ]
    await read(desk.engine, many, first=100)
    every = await listed(desk, capsys, 1000)
    assert len(every) == len(set(every)) == 232
    assert len(await listed(desk, capsys, 150)) == 150
    assert len(await listed(desk, capsys, 200)) == 200


@pytest.mark.parametrize(
    "wrong",
    [{"state": ["open"]}, {"sort": "name"}, {"text": "?"}, {"changed_since": "soon"}, {"changed_since": "2027-01-01"},
     {"stuck_longer_than": "1 fortnight"}],
)  # fmt: skip
def test_wrong_use_names_the_option(wrong: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        lists.wanted(NOW, **wrong)
    assert refused.value.param_hint == "--" + next(iter(wrong)).replace("_", "-")


@BOTH
async def test_values_that_nothing_can_have_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "stage": "give alignment, requirements, development, change, improvement or not mapped",
        "tool": "give hubspot, jira or mailbox",
        "connection": "give crm, inbox or jira-acme",
    }
    for name, mend in cases.items():
        with pytest.raises(typer.BadParameter) as refused:
            await listed(desk, capsys, 25, **{name: ["jirra"]})
        assert (refused.value.message, refused.value.param_hint) == (f"there is no such {name}: {mend}", f"--{name}")
    async with desk.engine.begin() as connection:
        await connection.execute(delete(connections))
    assert await listed(desk, capsys, connection=["crm"]) == [PORTAL]
    with pytest.raises(typer.BadParameter, match="add a connection first"):
        await listed(desk, capsys, tool=["jirra"])


async def changes(desk: Desk, since: int, *, as_json: bool = False, follow: bool = False) -> int:
    return await lists.changes(desk.made, since, lambda: NOW, desk.screen, print, follow=follow, as_json=as_json)


async def test_changes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await changes(desk, 0) == 0
    printed = desk.printed
    lines = [line for line in printed.splitlines() if line[:7].strip()]
    assert [line.split()[0] for line in lines] == ["1", "2"]
    assert {line.split()[1] for line in lines} == {PORTAL, SIGN_ON}
    assert f"{PORTAL}  just now        Payslip portal\n" in printed
    assert "\n                                         In development since 7 March; 0 of 1 issue done;" in printed
    assert await changes(desk, 1, as_json=True) == 0
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (told["number"], told["merged_into"]) == (2, None)


async def test_a_change_of_an_id_that_is_no_more_says_so(desk: Desk) -> None:
    mail = telling("inbox", "mailbox", "mail", "m2", fields={"title": "Another ask", "opens": True, "type": "person"})
    await read(desk.engine, [mail], first=90)
    later = telling("inbox", "mailbox", "mail", "m2", 2, fields={"title": "[bold]Ask", "opens": False, "type": "list"})
    await read(desk.engine, [later], first=91)
    assert await changes(desk, 2) == 0
    assert desk.printed.count("ended: what was in it is in no request any more") == 2


async def test_a_change_of_an_id_that_leads_elsewhere_since_says_where(desk: Desk) -> None:
    fields = {"title": "Another ask", "opens": True, "type": "person", "created_at": "2026-03-10T08:00:00.000000Z"}
    await read(desk.engine, [telling("inbox", "mailbox", "mail", "m2", fields=fields)], first=90)
    alone = request_id("inbox/mail/m2")
    assert await changes(desk, 2) == 0
    assert f"{alone}  just now        Another ask" in desk.printed
    names = [["message-id", "mail", "m1.2026030208@customer.example", "explicit", "reply"]]
    await read(desk.engine, [telling("inbox", "mailbox", "mail", "m2", 2, fields=fields, references=names)], first=91)
    assert await changes(desk, 2) == 0
    printed = desk.printed
    assert printed.count(f"{alone}  just now        is part of {PORTAL} now") == 2
    assert "ended" not in printed


async def test_changes_of_an_older_database(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await changes(desk, 7) == EXIT_MISCONFIGURED
    assert "The newest change is 2: the database is older" in capsys.readouterr().out


async def test_changes_are_followed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    following = asyncio.create_task(changes(desk, 2, as_json=True, follow=True))
    mail = telling("inbox", "mailbox", "mail", "m2", fields={"title": "Another ask", "opens": True, "type": "person"})
    await read(desk.engine, [mail], first=90)
    seen = ""
    async with asyncio.timeout(60):
        while not (seen := seen + capsys.readouterr().out):
            await asyncio.sleep(0.05)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert json.loads(seen)["request"] == request_id("inbox/mail/m2")


def test_moments_as_people_type_them() -> None:
    assert read_moment("2026-03-05", NOW, "x") == datetime(2026, 3, 5, 23, 59, 59, 999999, BERLIN)
    assert read_moment("20260305", NOW, "x") == datetime(2026, 3, 5, 23, 59, 59, 999999, BERLIN)
    assert read_moment("20260401", NOW, "x") == NOW
    assert read_moment("2026-03-05 14:30", NOW, "x") == datetime(2026, 3, 5, 14, 30, tzinfo=BERLIN)
    assert read_moment("2026-03-05T14:30:00Z", NOW, "x").hour == 14
    assert read_moment("2026-04-01", NOW, "x") == NOW
    assert read_start("2026-03-05", NOW, "x") == datetime(2026, 3, 5, tzinfo=BERLIN)
    assert read_start("2d", NOW, "x") == NOW - timedelta(days=2)
    assert read_length("36h", "x") == timedelta(hours=36)


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "999999d"])
def test_moments_and_lengths_beyond_all_calendars_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="give a date or a time"):
        read_start(text, NOW, "x")


def test_a_length_of_centuries_is_refused() -> None:
    assert read_length("36525d", "x") == timedelta(days=36_525)
    with pytest.raises(typer.BadParameter, match="give a length of time"):
        read_length("999999w", "x")
