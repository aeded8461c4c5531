"""What a person decides at the terminal: told beforehand, taken on what was shown, told again; and what outlives it."""

import asyncio
import json
import os
import pwd
import threading
from typing import Any

import pytest

from pipelines.store import tables
from pipelines.store.engine import writing
from pipelines.store.pending import ask_everything
from schemas.artifacts import request_id
from schemas.canonical import instant
from services.cli import deciding, lookup, removing
from services.cli.deciding import Filters, Manner
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED, EXIT_WRONG_USE, WrongUse
from services.feed.tables import connections as connections_table
from tests.services.cli.company import ANNA, BERT, COMPANY, NOW, day, read, row, telling
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_commands import typed
from tests.services.cli.test_rules import asked, computed

PORTAL, SIGN_ON = request_id("inbox/mail/m1"), request_id("jira-acme/issue/10031")
LINK = {"kind": "link", "a": "PAY-12", "b": "PAY-31", "by": "Anna", "reason": "Agreed"}


async def decide(desk: Desk, told: dict[str, Any], answer: bool = True, **manner: bool) -> tuple[int, list[str]]:
    ask, questions = asked(answer)
    form = deciding.form({"by": "Anna", **told})
    return await deciding.decide(desk.made, form, Manner(**manner), lambda: NOW, desk.screen, ask), questions


async def looked_up(desk: Desk, reference: str) -> str:
    await lookup.lookup(desk.made, reference, NOW, desk.screen, as_json=False, as_of=None)
    return desk.printed


@BOTH
async def test_it_is_told_beforehand_and_afterwards(desk: Desk) -> None:
    assert await decide(desk, LINK, answer=False) == (0, ["Decide this?"])
    assert desk.printed == (
        "Would be decided: PAY-12 and PAY-31 belong together\n"
        f"  PAY-31 would come from {SIGN_ON} (Single sign-on) into {PORTAL} (Payslip portal)\n"
        f"  {SIGN_ON} would lead to {PORTAL} from then on\n"
    )
    assert (await looked_up(desk, "PAY-31")).count("In it (1)") == 1
    assert (await decide(desk, LINK))[0] == 0
    assert desk.printed.endswith("This is decision 1; `throughline undo 1` takes it back.\n")
    told = await looked_up(desk, SIGN_ON)
    assert told.startswith(f"{SIGN_ON} is part of {PORTAL} now.\n")
    assert "In it (4)" in told
    assert (await decide(desk, {"kind": "undo", "decision": 1}))[0] == 0
    assert f"{SIGN_ON} is a request of its own" in desk.printed


@BOTH
async def test_it_is_taken_on_the_versions_that_were_shown(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """While the person thinks, somebody else decides."""
    other = deciding.form({"kind": "link", "a": "PAY-12", "b": "PAY-99", "by": "Ben"})
    codes: list[int] = []

    def thinking(_: str) -> bool:
        work = deciding.decide(desk.made, other, Manner(yes=True), lambda: NOW, desk.screen, asked(True)[0])
        elsewhere = threading.Thread(target=lambda: codes.append(asyncio.run(work)))
        elsewhere.start()
        elsewhere.join()
        return True

    form = deciding.form(LINK)
    codes.append(await deciding.decide(desk.made, form, Manner(), lambda: NOW, desk.screen, thinking))
    assert codes == [0, EXIT_REFUSED]
    assert capsys.readouterr().err == (
        "Refused: A request that it is about changed meanwhile.\n  Look at it as it is now, and decide again.\n"
    )
    assert "In it (4)" in await looked_up(desk, "PAY-99")


async def test_a_contradiction_is_refused_with_the_decision_in_the_way(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await decide(desk, LINK, yes=True)
    assert (await decide(desk, LINK | {"kind": "unlink"}))[0] == EXIT_REFUSED
    assert capsys.readouterr().err == (
        "Refused: Anna decided on 1 April 2026 that PAY-12 and PAY-31 belong together (decision 1).\n"
        "  Undo that decision first, if it no longer holds.\n"
    )
    assert (await decide(desk, {"kind": "undo", "decision": 7}))[0] == EXIT_NOT_FOUND
    assert "There is no decision 7." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        (LINK | {"b": "PAY-77"}, EXIT_NOT_FOUND, "PAY-77 names nothing that is read so far. Give a key,"),
        ({"kind": "merge", "requests": ["PAY-12", "PAY-99"]}, EXIT_NOT_FOUND, "PAY-99 is in no request. Name"),
        ({"kind": "merge", "requests": ["PAY-12", PORTAL]}, EXIT_WRONG_USE, "requests are one request already. Name"),
        ({"kind": "same person", "identities": [ANNA, "x@y.example"]}, EXIT_NOT_FOUND, "x@y.example is nobody that"),
    ],
)
async def test_what_leads_nowhere_names_what_was_typed(
    desk: Desk, capsys: pytest.CaptureFixture[str], told: dict[str, Any], code: int, said: str
) -> None:
    assert await decide(desk, told) == (code, [])
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"reason": "x" * 1001}, "reason is longer than 1000 characters"),
        ({"by": "Anna\nBerg"}, "by holds more than one line"),
        ({"by": " "}, "by is empty"),
        ({"a": ""}, "a is empty"),
    ],
)
def test_what_is_too_much_or_too_little_names_the_option(told: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse) as error:
        deciding.form(LINK | told)
    assert error.value.format_message() == said


@BOTH
async def test_of_several_accounts_with_one_address_each_can_be_chosen(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    async with writing(desk.engine) as connection:
        values = ("mail/address/anna@acme.example", 1, 1, "", "Anna Berg", "anna@acme.example", False)
        await connection.execute(tables.identities.insert().values(values))
    part = {"kind": "other person", "identities": ["anna@acme.example", BERT]}
    assert await decide(desk, part) == (EXIT_WRONG_USE, [])
    assert capsys.readouterr().err == (
        "anna@acme.example is the address of 2 identities. Say which is meant:\n"
        f"  jira-acme:anna@acme.example, the account in jira-acme (jira) with the id {ANNA}\n"
        "  mail:anna@acme.example, the address in mail with the id mail/address/anna@acme.example\n"
    )
    part["identities"] = ["mail:anna@acme.example", "jira-acme:anna@acme.example"]
    assert await decide(desk, part, preview=True) == (0, [])
    # They are called the same, and have one address.
    assert " ".join(desk.printed.split()).startswith(
        "Would be decided: Anna Berg (anna@acme.example) [mail/address/anna@acme.example] and "
        f"Anna Berg (anna@acme.example) [{ANNA}] are two people No artifact"
    )


@BOTH
async def test_two_mails_of_one_day_are_told_apart(desk: Desk) -> None:
    same_day = telling(
        "inbox", "mailbox", "mail", "m8",
        fields={"title": "Another matter", "natural_key": "m8@customer.example", "type": "person", "opens": True,
                "created_at": instant(day(0))},
        references=[["message-id", "mail", "m8@customer.example", "identity", "is"]],
    )  # fmt: skip
    await read(desk.engine, [same_day], first=50)
    link = {"kind": "link", "a": "m1.2026030208@customer.example", "b": "m8@customer.example"}
    await decide(desk, link, preview=True)
    told = " ".join(desk.printed.split())
    assert told.startswith(
        "Would be decided: the mail of 2 March 2026 [inbox/mail/m1] and the mail of 2 March 2026 [inbox/mail/m8] belong"
    )
    await decide(desk, {**link, "b": "PAY-12"}, yes=True)
    assert "[" not in desk.printed


async def test_what_decides_nothing_is_wrong_use(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await decide(desk, LINK | {"b": "PAY-12"}))[0] == EXIT_WRONG_USE
    assert "It names one thing twice.\n  Name two different things." in capsys.readouterr().err
    outside = {"kind": "split", "request": "PAY-12", "artifacts": ["PAY-31"], "by": "Anna"}
    assert (await decide(desk, outside))[0] == EXIT_WRONG_USE
    assert "1 of the artifacts is not in R-" in capsys.readouterr().err


async def test_from_the_shell(desk: Desk) -> None:
    """By the user's own name, for programs, without a terminal; whatever the environment says of a user."""
    environ = desk.environ | {"USER": "CANARY", "LOGNAME": "CANARY"}
    alone = typed(environ, "link", "PAY-12", "PAY-31")
    assert (alone.returncode, alone.stdout.splitlines()[0]) == (
        2,
        "Would be decided: PAY-12 and PAY-31 belong together",
    )
    assert "Without a terminal, pass --yes to agree" in " ".join(alone.stderr.replace("│", " ").split())
    foretold = json.loads(typed(environ, "link", "PAY-12", "PAY-31", "--preview", "--json").stdout)
    taken = typed(environ, "link", "PAY-12", "PAY-31", "--yes", "--json", "--reason", "Agreed")
    assert (taken.returncode, taken.stderr) == (0, "")
    told = json.loads(taken.stdout)
    assert (foretold["preview"], told["preview"]) == (True, False)
    assert told["moved"] == foretold["moved"] != []
    assert told["decision"]["by"] == pwd.getpwuid(os.getuid()).pw_name
    again = typed(environ, "unlink", "PAY-12", "PAY-31", "--yes")
    assert (again.returncode, again.stdout) == (EXIT_REFUSED, "")
    (listed,) = typed(environ, "decisions", "list", "--json", "--artifact", "PAY-31").stdout.splitlines()
    assert json.loads(listed) == told["decision"]
    shown = typed(environ, "decisions", "show", "1").stdout.splitlines()
    assert shown[:2] == [f"{told['decision']['said']}.", "Reason: Agreed"]
    assert shown[3].startswith(f"  PAY-31 came from {SIGN_ON}")
    assert typed(environ, "decisions", "show", "2").returncode == EXIT_NOT_FOUND
    both = typed(environ, "no-request", PORTAL, "PAY-99")
    assert (both.returncode, "Give one request id by itself" in both.stderr) == (2, True)


async def test_asked_for_programs_only_the_answer_is_printed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await decide(desk, LINK, as_json=True) == (0, ["Decide this?"])
    printed = capsys.readouterr()
    assert json.loads(printed.out)["decision"]["number"] == 1
    assert printed.err.startswith("Would be decided: PAY-12 and PAY-31 belong together\n")
    assert desk.printed == "\n"


async def test_the_list(desk: Desk) -> None:
    await decide(desk, LINK, yes=True)
    await decide(desk, {"kind": "same person", "identities": [ANNA, BERT]}, yes=True)
    assert "  No artifact comes into another request\n  1 request changed\n" in desk.printed
    await decide(desk, {"kind": "undo", "decision": 1, "by": "Ben"}, yes=True)
    assert desk.printed != "\n"
    for filters, numbers in (
        (Filters(), "3 2 1"), (Filters(holds=True), "3 2"), (Filters(holds=False), "1"), (Filters(by="Ben"), "3"),
        (Filters(kind="same person"), "2"), (Filters(identity=ANNA), "2"), (Filters(request="PAY-12"), "3 1"),
    ):  # fmt: skip
        assert await deciding.show_all(desk.made, filters, 25, NOW, desk.screen, as_json=False) == 0
        lines = desk.printed.splitlines()
        assert " ".join(line.split()[0] for line in lines[1:] if line[:8].strip().isdecimal()) == numbers, filters
    await deciding.show_all(desk.made, Filters(), 1, NOW, desk.screen, as_json=False)
    assert "Ben: decision 1 no longer holds" in (told := desk.printed)
    assert "these are the newest 1" in told
    with pytest.raises(WrongUse, match="joined is no kind of decision; give one of link, unlink"):
        await deciding.show_all(desk.made, Filters(kind="joined"), 1, NOW, desk.screen, as_json=False)


async def test_what_a_decision_keeps_out_is_told_by_lookup(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await decide(desk, {"kind": "no request", "artifacts": ["PAY-31"], "reason": "A test ticket"}, yes=True)
    assert f"PAY-31 came out of {SIGN_ON}, and is in no request now" in (told := desk.printed)
    assert f"{SIGN_ON} is no request any more" in told
    assert await looked_up(desk, "PAY-31") == (
        "Known, but in no request:\n"
        "  issue PAY-31 (jira-acme)\n"
        "  Anna decided on 1 April 2026 that PAY-31 is no request (decision 1).\n"
        "  Reason: A test ticket\n"
        "  `throughline undo 1` takes that back.\n"
    )
    await lookup.lookup(desk.made, SIGN_ON, NOW, desk.screen, as_json=True, as_of=None)
    assert "that PAY-31 is no request (decision 1)" in capsys.readouterr().err


async def test_what_a_decision_keeps_apart_is_told_by_lookup(desk: Desk) -> None:
    await decide(desk, {"kind": "unlink", "a": "PAY-31", "b": "PAY-99", "reason": "Two customers"}, yes=True)
    assert desk.printed
    told = await looked_up(desk, "PAY-31")
    assert told.endswith(
        "\n  Anna decided on 1 April 2026 that PAY-31 and PAY-99 do not belong together (decision 1).\n"
        "  Reason: Two customers\n"
        "  `throughline undo 1` takes that back.\n"
    )


@BOTH
async def test_decisions_outlive_their_connection(desk: Desk) -> None:
    """Removed by the command, added again under its permanent name, read from the start."""
    await decide(desk, LINK, yes=True)
    await decide(desk, {"kind": "no request", "artifacts": ["PAY-99"]}, yes=True)
    assert desk.printed
    before = await looked_up(desk, "PAY-12")
    await removing.remove(desk.made, "jira-acme", lambda: NOW, desk.screen, asked(True)[0])
    await computed(desk)
    assert "In it (4)" in await looked_up(desk, "PAY-31")
    async with writing(desk.engine) as connection:
        await connection.execute(connections_table.insert(), [row("jira-acme", "jira")])
        await ask_everything(connection, "connection jira-acme added", NOW)
    await read(desk.engine, COMPANY, first=100)
    await computed(desk)
    assert await looked_up(desk, "PAY-12") == before
    assert "that PAY-99 is no request (decision 2)" in await looked_up(desk, "PAY-99")


def test_who_decides_is_the_user_of_the_system() -> None:
    assert deciding.who() == pwd.getpwuid(os.getuid()).pw_name
