"""why: what a person reads, word for word, and how it ends."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.deciding import Deciding, Wish
from pipelines.references import find
from pipelines.store import configuration
from pipelines.store.engine import reading
from pipelines.why import Why, Words, version_of
from schemas.artifacts import Evidence, Text, request_id
from schemas.canonical import instant
from schemas.decisions import DecisionKind
from services.cli.reasons import ask, shown
from services.cli.terminal import EXIT_NOT_FOUND
from services.query.finding import Found
from services.query.reading import Known
from tests.pipelines.company import issue, mail, reply
from tests.pipelines.test_correlate_reasons import asked
from tests.services.cli.company import NOW, day, read, telling
from tests.services.cli.conftest import BOTH, WIDTH, Desk
from tests.services.cli.test_commands import typed

MAIL = "m1.2026030208@customer.example"


def _mail(name: str, number: int, subject: str, text: str) -> object:
    return telling(
        "inbox", "mailbox", "mail", name,
        fields={"title": subject, "natural_key": f"{name}@x", "type": "person", "opens": True,
                "created_at": instant(day(number))},
        references=[["message-id", "mail", f"{name}@x", "identity", "is"]],
        texts=[["subject", subject, "title"], ["body", text, "written"]],
    )  # fmt: skip


WEEKLY = _mail("m2", 5, "Weekly", "In short: PAY-12, PAY-31, PAY-99, PAY-1, PAY-2 and PAY-3 go on")
ASKS = _mail("m3", 6, "Could PAY-31 be sooner?", "")


async def said(desk: Desk, reference: str, other: str | None = None, *, code: int = 0) -> str:
    assert await ask(desk.made, reference, other, NOW, desk.screen, as_json=False) == code
    return desk.printed


@BOTH
async def version(desk: Desk) -> str:
    """Of the rules that hold."""
    async with reading(desk.engine) as connection:
        return version_of((await configuration.load(connection)).rules)


async def test_the_chain_with_its_words(desk: Desk) -> None:
    await read(desk.engine, [WEEKLY, ASKS], first=10)  # type: ignore[list-item]
    assert (
        await said(desk, "PAY-31", "m3@x")
        == f"""\
The mail of 8 March 2026 names PAY-31 in its subject.
{request_id("jira-acme/issue/10031")}

How
  1  “Could [PAY-31] be sooner?”
     named in title (rules version {await version(desk)}), field subject, character 7, since when is not known

What speaks against it
  The mail of 7 March 2026 names PAY-31 in its text, but the text names 6 things ({request_id("inbox/mail/m2")})
"""
    )


async def test_by_default_to_the_oldest_part(desk: Desk) -> None:
    told = await said(desk, "PAY-12")
    assert told == await said(desk, "PAY-12", MAIL)
    assert told.startswith("PAY-12 and the mail of 2 March 2026 belong to one request, over 2 links.\nR-")
    assert "  1  PAY-12 links to the deal 4711\n" in told
    assert "  2  The deal 4711 is associated with the mail of 2 March 2026\n" in told
    oldest = await said(desk, MAIL)
    assert oldest.endswith("\nIt is the oldest part of its request; --with names another thing.\n")


async def test_why_not(desk: Desk) -> None:
    assert (
        await said(desk, "PAY-12", "PAY-31")
        == f"""\
PAY-12 and PAY-31 are apart: PAY-12 is blocked by PAY-31, but waiting for something is shown and
joins nothing.
{request_id("inbox/mail/m1")} and {request_id("jira-acme/issue/10031")}

The nearest that leads from one to the other
  1  PAY-12 is blocked by PAY-31, but waiting for something is shown and joins nothing
     link type (rules version {await version(desk)}), since when is not known

What would bring them together
  In a tool: a link between them of a kind that joins, or the key of one in the other's title.
  By a decision, which stands before all evidence: `throughline link PAY-12 PAY-31`
"""
    )


async def test_what_is_in_no_request(desk: Desk) -> None:
    assert (
        await said(desk, "PAY-99", "PAY-12")
        == f"""\
Nothing that was read links PAY-99 and PAY-12.
in no request and {request_id("inbox/mail/m1")}

PAY-99 is in no request: it is a sub-task, which only joins one, and it is joined to nothing.

What would bring them together
  In a tool: a link between them of a kind that joins, or the key of one in the other's title.
  By a decision, which stands before all evidence: `throughline link PAY-99 PAY-12`
"""
    )
    assert "is in no request: it is a sub-task" in await said(desk, "PAY-99")


async def test_what_a_person_decided_is_told_once(desk: Desk) -> None:
    issue, deal = "jira-acme/issue/10012", "crm/deal/4711"
    await Deciding(desk.engine, lambda: NOW).decide(Wish(DecisionKind.UNLINK, "Anna", left=(issue,), right=(deal,)))
    assert (
        await said(desk, "PAY-12", "4711")
        == f"""\
PAY-12 and the deal 4711 are apart: Anna decided on 1 April 2026 that they do not belong together
(decision 1).
{request_id(issue)} and {request_id("inbox/mail/m1")}

The nearest that leads from one to the other
  1  PAY-12 links to the deal 4711, but decision 1 keeps it from joining
     remote link (rules version {await version(desk)}), since when is not known

What would bring them together
  `throughline undo 1`: no evidence overrules what a person decided.
"""
    )


async def test_of_what_is_no_request_the_decision_is_told_and_how_to_take_it_back(desk: Desk) -> None:
    issue, deal = "jira-acme/issue/10012", "crm/deal/4711"
    await Deciding(desk.engine, lambda: NOW).decide(Wish(DecisionKind.NO_REQUEST, "Anna", left=(issue, deal)))
    told = await said(desk, "PAY-12", "4711")
    assert told.count("Anna decided") == 1
    assert "PAY-12 links to the deal 4711, but decision 1 keeps it from joining" in told
    assert "\nPAY-12 is in no request, by decision 1.\nThe deal 4711 is in no request, by decision 1.\n" in told
    assert told.endswith("`throughline undo 1`: no evidence overrules what a person decided.\n")
    alone = await said(desk, "PAY-12")
    assert alone.count("Anna decided") == 1
    assert alone.endswith("\n`throughline undo 1` takes that back.\n")
    other = await said(desk, "PAY-12", "PAY-99")
    assert "\n  First `throughline undo 1`: no evidence overrules" in other
    assert other.endswith("`throughline link PAY-12 PAY-99`\n")


@pytest.mark.parametrize("other", [None, "PAY-12"])
async def test_what_is_not_known(desk: Desk, capsys: pytest.CaptureFixture[str], other: str | None) -> None:
    assert await said(desk, "PAY-77", other, code=EXIT_NOT_FOUND) == "\n"
    assert capsys.readouterr().err == (
        "Not found in what is read so far: PAY-77\n"
        "  `throughline lookup PAY-77` tells how it was read, what is read and since when.\n"
    )


def test_the_example_of_the_page_is_what_is_printed() -> None:
    page = Path("docs/correlation.md").read_text("utf-8")
    (example,) = re.findall(r"```\n(The mail of .*?)```", page, re.DOTALL)
    sent, answered = datetime(2026, 5, 3, 15, 40, tzinfo=UTC), datetime(2026, 5, 4, 7, 12, tzinfo=UTC)
    (mention,) = find(Text("subject", "Your PAY-12: payslips in the portal", Evidence.TITLE, sent))
    first, second = mail("m1", mention), mail("m2", replace(reply("m1"), since=answered), day=4)
    answer = asked(second, issue("PAY-12", day=1), first)
    words = {step.link: Words(step.link.around or None, (5, 11) if step.link.around else None) for step in answer.steps}
    nobody = Found((), ()), Found((), ())
    ends = [Known(name, "", "", "", None, None, None) for name in (answer.left, answer.right)]
    paper = io.StringIO()
    told = shown(Why(answer, words, "8-3f9a1c04", {}), nobody, (ends[0], ends[1]), NOW)
    Console(file=paper, width=WIDTH, highlight=False).print(told)
    printed = "".join(line.rstrip() + "\n" for line in paper.getvalue().splitlines())
    assert printed.replace(request_id("jira-a/issue/PAY-12"), "R-MZXW6YTBOI3D") == example


async def test_from_the_shell(desk: Desk) -> None:
    found = typed(desk.environ, "why", "PAY-12", "--with", f"<{MAIL}>", "--json")
    assert (found.returncode, found.stderr) == (0, "")
    told = json.loads(found.stdout)
    assert (told["together"], told["left"], told["right"]) == (True, "jira-acme/issue/10012", "inbox/mail/m1")
    assert len(told["chain"]) == 2
    assert typed(desk.environ, "why", "PAY-12", "--with", " ").returncode == 2
    assert typed(desk.environ, "why", "PAY-77").returncode == EXIT_NOT_FOUND
