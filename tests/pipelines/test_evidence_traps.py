"""What happens in companies, as the tools tell it: what hangs together in the end, in whatever order it comes."""

from collections.abc import Iterable

import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import tables
from schemas.artifacts import request_id
from schemas.events import SourceEvent
from tests.connectors.jira.recorded import teller
from tests.connectors.mailbox.letters import letter
from tests.connectors.mailbox.letters import told as told_by_server
from tests.pipelines.evidence_table import EPIC, STORY, Events, associated, beside, comment, crm, deal, issue, mail
from tests.pipelines.test_evidence import configured, tell
from tests.pipelines.test_ingest import rows
from tests.pipelines.test_order import empty

INITIATIVE = {"name": "Initiative", "subtask": False, "hierarchyLevel": 2}


async def requests(engine: AsyncEngine) -> set[frozenset[str]]:
    """Who is with whom; what is in no request is left out."""
    together: dict[str, set[str]] = {}
    for row in await rows(engine, tables.members):
        if row.request:
            together.setdefault(row.request, set()).add(row.artifact)
    return {frozenset(each) for each in together.values()}


async def outcomes(engine: AsyncEngine, events: Events) -> Iterable[set[frozenset[str]]]:
    """What comes of events told at once, one by one, and the other way round."""
    found = []
    for batches in ([events], [(one,) for one in events], [(one,) for one in reversed(events)]):
        await empty(engine)
        await configured(engine)
        for batch in batches:
            await tell(engine, batch)
        found.append(await requests(engine))
    return found


def logged(number: str, text: str) -> SourceEvent:
    """An e-mail that the CRM logged."""
    properties = {"hs_email_text": text, "hs_timestamp": "2026-03-01T08:00:00Z"}
    return crm("email", "email", number, object={"id": number, "properties": properties})


def passing_on(*mails: int) -> SourceEvent:
    """A mail to which others are attached."""
    whole = letter("Fwd: please have a look", "FYI.\n", 90)
    for number in mails:
        whole.add_attachment(letter(f"Matter {number}", "Please.\n", number))
    return told_by_server(whole.as_bytes())


def issues(*numbers: int) -> frozenset[str]:
    return frozenset(f"jira/issue/{number}" for number in numbers)


async def test_an_initiative_older_than_its_epics_joins_none_of_them(engine: AsyncEngine) -> None:
    """Each epic belongs to the one request below it, and the initiative is the programme of both."""
    told = (
        issue(1, kind=INITIATIVE), issue(2, kind=EPIC, parent=beside(1)), issue(3, kind=EPIC, parent=beside(1)),
        issue(4, parent=beside(2)), issue(5, parent=beside(3)),
    )  # fmt: skip
    for found in await outcomes(engine, told):
        assert found == {issues(2, 4), issues(3, 5)}


async def test_each_request_of_a_programme_says_why_it_belongs_to_it(engine: AsyncEngine) -> None:
    await configured(engine)
    epics = (issue(1, kind=INITIATIVE), *(issue(number, kind=EPIC, parent=beside(1)) for number in (2, 3)))
    await tell(engine, (*epics, issue(4, parent=beside(2)), issue(5, parent=beside(2)), issue(6, parent=beside(3))))
    records = [orjson.loads(row.record) for row in await rows(engine, tables.requests)]
    said = {why for one in records for why in [tuple(each["why"] for each in one["programmes"])]}
    assert said == {
        ("PAY-2 belongs to the epic PAY-1", "PAY-4 belongs to the epic PAY-2"),
        ("PAY-2 belongs to the epic PAY-1", "PAY-5 belongs to the epic PAY-2"),
        ("PAY-3 belongs to the epic PAY-1",),
    }


@pytest.mark.parametrize(
    "text", ["- {0} is done\n- {1} waits\n- {2} is new\n", "{0}, {1}, {2}, {3}, {4} and {5} go well.\n"]
)
async def test_a_report_of_request_ids_joins_none_of_them(engine: AsyncEngine, text: str) -> None:
    ids = [request_id(f"jira/issue/{number}") for number in range(1, 7)]
    report = mail(9, "Status of this week", text.format(*ids))
    told = (*(issue(number) for number in range(1, 7)), report)
    for found in await outcomes(engine, told):
        assert found == {*(issues(number) for number in range(1, 7)), frozenset({report.artifact})}


async def test_what_names_a_key_from_before_its_project_was_renamed_stays(engine: AsyncEngine) -> None:
    """Jira's histories say nothing of it: the issue bears another key from one reading to the next."""
    renamed = {"id": "1", "key": "BILL-1", "fields": {"summary": "Payslips", "issuetype": STORY}}
    before, after = mail(8, "About PAY-1"), mail(9, "Also about PAY-1")
    told = (issue(1), before, teller(connection="jira").issue_fields(renamed, 2, []), after)
    for found in await outcomes(engine, told):
        assert found == {issues(1) | {before.artifact, after.artifact}}


_QUOTES = "Thanks.\n\nOn Mon, 2 Mar 2026 at 10:00 Ben <ben@acme.example> wrote:\n> PAY-1 is due\n"
_PASTED = "From: Ben\nSent: 2 March 2026\nTo: Anna\nSubject: Payslips\n\nPAY-1 is due"
_SIGNED = "We want it.\n\nBest regards,\nAnna\nProject office PAY-1\n"


@pytest.mark.parametrize(
    "told",
    [
        (issue(2), comment(2, _QUOTES)),
        (issue(2, description=_PASTED),),
        (deal("20001", kind="ticket", content=_QUOTES),),
        (deal("10001", description="<p>Wrote:</p><blockquote>PAY-1 is due</blockquote>"),),
        (deal("10001"), associated("email", "40001", "10001"), logged("40001", _SIGNED)),
    ],
)
async def test_quotes_and_signatures_count_in_no_tool(engine: AsyncEngine, told: Events) -> None:
    others = frozenset(one.artifact for one in told)
    for found in await outcomes(engine, (issue(1), *told)):
        assert found == {issues(1), others}


async def test_a_mail_that_passes_on_several_joins_none_of_them(engine: AsyncEngine) -> None:
    passes = passing_on(1, 2, 3)
    told = (mail(1, "Payslips"), mail(2, "Single sign-on"), passes)
    for found in await outcomes(engine, told):
        assert found == {frozenset({one.artifact}) for one in told}


async def test_a_mail_that_passes_on_a_whole_thread_joins_it(engine: AsyncEngine) -> None:
    told = (mail(1, "Payslips"), mail(2, "Re: Payslips", In_Reply_To="<m1@example.com>"), passing_on(1, 2, 3))
    for found in await outcomes(engine, told):
        assert found == {frozenset(one.artifact for one in told)}


async def test_a_key_in_a_cell_of_a_table_is_read_apart_from_its_neighbours(engine: AsyncEngine) -> None:
    form = letter("From the web form", number=9)
    form.set_content("<table><tr><th>Ticket</th><td>PAY-1</td><td>urgent</td></tr></table>", subtype="html")
    sent = told_by_server(form.as_bytes())
    for found in await outcomes(engine, (issue(1), sent)):
        assert found == {issues(1) | {sent.artifact}}


async def test_what_meets_in_something_that_was_not_read_says_why_it_belongs_there(engine: AsyncEngine) -> None:
    """Of a thread that began before reading did, and of mails about an issue that is not read yet."""
    await configured(engine)
    thread = (
        mail(2, "Re: Export", In_Reply_To="<m1@example.com>"),
        mail(3, "AW: Export", In_Reply_To="<m1@example.com>"),
        mail(4, "AW: Export", In_Reply_To="<m3@example.com>"),
    )
    await tell(engine, (*thread, mail(5, "About PAY-77"), mail(6, "More on PAY-77")))
    records = [orjson.loads(row.record) for row in await rows(engine, tables.requests)]
    oldest, day = "It is the oldest part of the request", "The mail of 2 March 2026"
    assert {tuple(one["why"] for one in each["artifacts"]) for each in records} == {
        (oldest, f"{day} replies to a mail that was not read", f"{day} replies to the mail of 2 March 2026"),
        (oldest, f"{day} names PAY-77 in its subject"),
    }
