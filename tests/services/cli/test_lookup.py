"""lookup: what a person reads, word for word, and how it ends."""

import io
import json
from datetime import timedelta

import pytest
from rich.console import Console
from rich.text import Text

from pipelines.store.engine import writing
from schemas.artifacts import request_id
from schemas.canonical import instant
from schemas.records import LifecycleRecord
from services.cli.lookup import lookup
from services.cli.terminal import EXIT_NOT_FOUND, Screen
from services.feed import connections
from services.query.answers import LookupItem, Read
from tests.services.cli.company import BLOCKER, ISSUE, NOW, day, read, telling
from tests.services.cli.conftest import BOTH, Desk

REQUEST = request_id("inbox/mail/m1")

LIFE = """\
Payslip portal                                                                        R-PSDQN6UFBW34
In development since 7 March; 0 of 1 issue done; waiting on PAY-31; with Anna Berg

alignment     ███                       3 days          2 March to 5 March
requirements  ██                        2 days          5 March to 7 March
development   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  25 days so far  since 7 March
change        ·                                         still ahead
improvement   ·                                         still ahead

Now       development, waiting, blocked
Held by   Anna Berg since 5 March 09:00
Waits on  PAY-31 Single sign-on (active)
Asked by  Bert Cole
For       Payroll
Target    30 April, as deal 4711 says
Due       24 April, as issue PAY-12 says
Priority  High
Worth     12000.00 EUR
Next      PAY-31 to be done

In it (3)
  mail   2 March  done           Payslips in the portal, alignment
                                 It is the oldest part of the request
  deal   4711     Contract sent  Payslip portal, alignment, with Carla Dahl
                                 The deal 4711 is associated with the mail of 2 March 2026
  issue  PAY-12   In Progress    Portal shows payslips, with Anna Berg
                                 PAY-12 links to the deal 4711

Lately (5 things happened)
  11 March 15:00  Carla Dahl commented on the deal “Payslip portal”: “We begin next week.”
  7 March 11:00   Anna Berg moved PAY-12 from Analysis to In Progress
  5 March 09:00   Anna Berg created PAY-12
  3 March 09:00   Carla Dahl created the deal “Payslip portal”
  2 March 09:00   Bert Cole sent the mail “Payslips in the portal”

Up to when
  crm        true up to 31 March 18:42; HubSpot refuses the token (401). Enter a new one
  inbox      first read under way: 120 of about 400 read (30 %)
  jira-acme  true up to 14:40
"""

FRESHNESS = """
What is read, and up to when:
  crm        from its beginning, true up to 31 March 18:42; HubSpot refuses the token (401). Enter a new one
  inbox      mailbox it-requests@acme.example, since 3 March, first read under way: 120 of about 400 read (30 %)
  jira-acme  from its beginning, true up to 14:40

Your own mailbox is not read. Forward the mail to it-requests@acme.example: there it is found by its own subject, sender
and date. Or look for its words or its sender: `throughline requests --text … --person …`.
"""


async def look(desk: Desk, reference: str, *, as_json: bool = False, days: int | None = None) -> int:
    as_of = day(days) if days is not None else None
    return await lookup(desk.made, reference, NOW, desk.screen, as_json=as_json, as_of=as_of)


@pytest.mark.parametrize(
    "reference",
    [
        "PAY-12",
        "pay-12",
        "https://app.hubspot.example/contacts/77/record/0-3/4711?utm_source=mail",
        "<m1.2026030208@customer.example>",
        "4711",
        REQUEST,
        "jira-acme/issue/10012",
    ],
)
async def test_every_reference_shows_the_same_life(desk: Desk, reference: str) -> None:
    assert await look(desk, reference) == 0
    assert desk.printed == LIFE


async def test_the_id_of_a_part_says_where_it_went(desk: Desk) -> None:
    old = request_id("jira-acme/issue/10012")
    assert await look(desk, old) == 0
    assert desk.printed == f"{old} is part of {REQUEST} now.\n\n{LIFE}"


@BOTH
async def test_an_earlier_moment(desk: Desk) -> None:
    assert await look(desk, "PAY-12", days=4) == 0
    printed = desk.printed
    assert "As it stood on 6 March 09:00, by today's knowledge\n" in printed
    assert "requirements  " in printed
    assert "since 5 March\n" in printed
    assert "In Progress" not in printed.split("Lately")[1]


async def test_an_earlier_moment_of_today(desk: Desk) -> None:
    assert await lookup(desk.made, "PAY-12", NOW, desk.screen, as_json=False, as_of=NOW - timedelta(minutes=2)) == 0
    assert "As it stood at 14:40, by today's knowledge\n" in desk.printed


async def test_a_stage_it_never_was_in(desk: Desk) -> None:
    await look(desk, "PAY-31")
    printed = desk.printed
    assert "\nalignment     ·  " in printed
    assert (printed.count("passed by\n"), printed.count("still ahead\n")) == (1, 3)
    fields = {"title": "Another ask", "opens": True, "type": "person", "created_at": instant(day(20))}
    await read(desk.engine, [telling("inbox", "mailbox", "mail", "m2", fields=fields)], first=90)
    await look(desk, request_id("inbox/mail/m2"))
    assert "\nrequirements  ·  " in (printed := desk.printed)
    assert printed.count("not reached\n") == 4


@BOTH
async def test_what_ended_at_an_unknown_time_has_nothing_ahead(desk: Desk) -> None:
    status = {"id": "10", "label": "Done", "category": "done"}
    fields = {"title": "Long done", "opens": True, "type": "Story", "natural_key": "PAY-90", "status": status}
    await read(desk.engine, [telling("jira-acme", "jira", "issue", "90", fields=fields)], first=95)
    await look(desk, request_id("jira-acme/issue/90"))
    printed = desk.printed
    assert "done" in printed.splitlines()[1]
    assert "still ahead" not in printed
    assert "so far" not in printed
    assert "length not known" in printed
    assert "not reached\n" in printed


async def test_before_its_beginning(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await look(desk, "PAY-12", days=-3) == EXIT_NOT_FOUND
    assert desk.printed == "\n"
    assert "Nothing of this request existed at 27 February 09:00; give a later --as-of." in capsys.readouterr().err


async def test_json_before_its_beginning(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await look(desk, "PAY-12", as_json=True, days=-3) == EXIT_NOT_FOUND
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["as_of"]) == ("not found", instant(day(-3)))


async def test_json_of_what_is_not_found_is_as_the_api_tells_it(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await look(desk, "PAY-77", as_json=True) == EXIT_NOT_FOUND
    told = json.loads(capsys.readouterr().out)
    fields = LookupItem.model_fields.keys() - {"place"} | {"freshness"}
    assert (told.keys(), told["outcome"], told["requests"]) == (fields, "not found", [])
    assert [Read.model_validate(one).connection for one in told["freshness"]] == ["crm", "inbox", "jira-acme"]


async def test_json_is_the_record(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await look(desk, "PAY-12", as_json=True) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert LifecycleRecord.model_validate_json(line).id == REQUEST
    assert json.loads(line)["current"]["stage"] == "development"


async def test_an_address_of_another_tool_is_told_from_ours(desk: Desk) -> None:
    assert await look(desk, "https://acme.example/browse/PAY-12") == 0
    ours = desk.printed
    assert await look(desk, "https://other.example/browse/PAY-12") == 0
    assert desk.printed == f"Nothing that is read lies at other.example. By its key alone it may be this:\n\n{ours}"
    assert await look(desk, f"https://{'x' * 1000}.example/browse/PAY-12") == 0
    printed = desk.printed
    assert printed.startswith(f"Nothing that is read lies at\n{'x' * 60}")
    assert len(printed) < len(ours) + 200


@BOTH
async def test_known_but_in_no_request(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await look(desk, "PAY-99") == EXIT_NOT_FOUND
    assert desk.printed.startswith("Known, but in no request:\n  issue PAY-99 (jira-acme)\nIt joins one when ")
    assert await look(desk, "PAY-99", as_json=True) == EXIT_NOT_FOUND
    out, said = capsys.readouterr()
    told = json.loads(out)
    assert (said, told["outcome"]) == ("It is known, but in no request.\n", "in no request")
    assert [(one["kind"], one["natural_key"]) for one in told["artifacts"]] == [("issue", "PAY-99")]
    assert {one["connection"]: one["mailbox"] for one in told["freshness"]}.keys() == {"crm", "inbox", "jira-acme"}


EPIC = telling(
    "jira-acme", "jira", "issue", "10030",
    fields={"title": "Payroll year", "natural_key": "PAY-30", "type": "Epic", "type_level": 1,
            "created_at": instant(day(0)), "status": {"id": "1", "label": "Analysis"},
            "url": "https://acme.example/browse/PAY-30"},
    references=[["jira.key", "jira-acme", "PAY-30", "identity", "is"]],
)  # fmt: skip

PROGRAMME = f"""\
PAY-30 is a programme (epic): 2 requests belong to it
https://acme.example/browse/PAY-30
request         title                         how it stands                               changed
{REQUEST}  Payslip portal                In development since 7 March; 0 of 1 issue  11 March
                                              done; waiting on PAY-31; with Anna Berg
{request_id("jira-acme/issue/10031")}  Single sign-on                In requirements since 4 March; 0 of 1       4 March
                                              issue done

"""


async def read_programme(desk: Desk) -> None:
    """An epic that two requests belong to."""
    inside = [
        one.model_copy(update={"order": 2, "version": "2", "payload": one.payload | {
            "references": [*one.payload["references"], ["jira.key", "jira-acme", "PAY-30", "explicit", "epic"]]}})
        for one in (ISSUE, BLOCKER)
    ]  # fmt: skip
    await read(desk.engine, [EPIC, *inside], first=50)


@BOTH
async def test_a_programme_lists_its_requests(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await read_programme(desk)
    assert await look(desk, "PAY-30") == 0
    assert desk.printed == PROGRAMME
    assert await look(desk, "PAY-30", as_json=True) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    told, records = json.loads(first), [LifecycleRecord.model_validate_json(line) for line in lines]
    assert (told["outcome"], told["requests"]) == ("programme", [one.id for one in records])
    assert "read_as" not in LifecycleRecord.model_fields, "by which that line is told from records"
    assert [one.title for one in records] == ["Payslip portal", "Single sign-on"]
    assert await look(desk, "PAY-30", days=2) == 0
    assert "In alignment since 2 March" in desk.printed


async def test_not_found_says_what_is_read(desk: Desk) -> None:
    reads = {"host": "imap.acme.example", "auth": {"kind": "password", "user": "it-requests@acme.example"}}
    async with writing(desk.engine) as connection:
        await connections.change(connection, "inbox", options=json.dumps(reads), since=day(1))
    desk.screen.width = 120
    assert await look(desk, "PAY-77") == EXIT_NOT_FOUND
    said = "Not found: PAY-77\nRead as the issue key PAY-77; nothing that is read so far is known by that.\n"
    assert desk.printed == said + FRESHNESS
    assert await look(desk, "payslips please") == EXIT_NOT_FOUND
    printed = desk.printed
    assert "That is no reference: give a key, an address, a Message-ID, a number or a request id.\n" in printed
    assert printed.endswith(FRESHNESS)
    async with writing(desk.engine) as connection:
        await connections.remove(connection, "inbox")
    assert await look(desk, "PAY-77") == EXIT_NOT_FOUND
    assert desk.printed.endswith("\nNo mailbox is read, so that a mail is found only by what else names it.\n")


@BOTH
async def test_a_number_of_two_tools_shows_both_requests(desk: Desk) -> None:
    ticket = telling(
        "crm", "hubspot", "ticket", "4711",
        fields={"title": "Where is my payslip?", "opens": True, "natural_key": "4711"},
        references=[["hubspot.ticket", "crm", "4711", "identity", "is"]],
    )  # fmt: skip
    await read(desk.engine, [ticket], first=50)
    assert await look(desk, "4711") == 0
    printed = desk.printed
    assert printed.startswith("2 requests are meant by this, one after the other:\n")
    assert "Payslip portal" in printed
    assert "Where is my payslip?" in printed


async def test_what_has_no_status_is_neither_active_nor_unmapped(desk: Desk) -> None:
    note = telling("crm", "hubspot", "note", "9", fields={"title": "A call", "created_at": instant(day(8))},
                   references=[["hubspot.deal", "crm", "4711", "explicit", "association"]])  # fmt: skip
    await read(desk.engine, [note], first=50)
    assert await look(desk, "PAY-12") == 0
    (line,) = [line for line in desk.printed.splitlines() if line.startswith("  note ")]
    assert line.split() == ["note", "10", "March", "A", "call"]


@pytest.mark.parametrize("width", [40, 60, 200])
async def test_it_keeps_to_the_width_there_is(desk: Desk, width: int) -> None:
    paper = io.StringIO()
    await lookup(desk.made, "PAY-12", NOW, Console(file=paper, width=width), as_json=False, as_of=None)
    lines = paper.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "Payslip portal" in paper.getvalue()


async def test_markup_in_a_title_is_only_text(desk: Desk) -> None:
    later = ISSUE.model_copy(update={"order": 2, "version": "2", "payload": ISSUE.payload | {
        "fields": ISSUE.payload["fields"] | {"title": "[red]Alarm[/red] [/]"}}})  # fmt: skip
    await read(desk.engine, [later], first=60)
    assert await look(desk, "PAY-12") == 0
    assert "[red]Alarm[/red] [/], with Anna Berg" in desk.printed


async def test_lengths_grow_with_the_clock_only(desk: Desk) -> None:
    await lookup(desk.made, "PAY-12", NOW + timedelta(days=2), desk.screen, as_json=False, as_of=None)
    assert "development   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓  27 days so far  since 7 March\n" in desk.printed


async def test_a_long_reference_is_told_in_short(desk: Desk) -> None:
    long = "https://jira.example/browse/PAY-77?note=" + 3000 * "x"
    assert await lookup(desk.made, long, NOW, desk.screen, as_json=False, as_of=None) == EXIT_NOT_FOUND
    said = desk.printed
    assert "https://jira.example/browse/PAY-77?note=x" in said
    assert ("…" in said, 200 * "x" in said.replace("\n", "")) == (True, False)


def test_what_a_tool_says_commands_no_terminal() -> None:
    paper = io.StringIO()
    screen = Screen(file=paper, force_terminal=True, width=80, highlight=False)
    screen.print(Text("a\x1b]0;title\x07\x9b31mb\r\nc"))
    assert paper.getvalue() == "a\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}31mb\nc\n"
