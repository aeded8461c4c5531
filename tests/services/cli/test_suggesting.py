"""What may belong together, at the terminal: listed with its reasons, shown before it is joined, answered."""

import json
from typing import Any

import pytest

from pipelines.answering import Answer
from pipelines.suggest.model import Model
from pipelines.suggesting import Suggesting
from schemas.artifacts import request_id
from schemas.canonical import instant
from services.cli import deciding, suggesting
from services.cli.deciding import Manner
from services.cli.suggesting import Filters, Given
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED
from tests.services.cli.company import BERT, NOW, day, read, telling
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_commands import typed
from tests.services.cli.test_rules import asked

PORTAL, AGAIN = request_id("inbox/mail/m1"), request_id("inbox/mail/m2")
MODEL = Model(3, -2.0, {"same title": 3.0, "same requester": 1.0, "common title": -3.0}, 0.5)
MAIL = telling(
    "inbox", "mailbox", "mail", "m2",
    fields={"title": "Re: Payslips in the portal", "natural_key": "m2@customer.example", "type": "person",
            "opens": True, "created_at": instant(day(4)), "requester": BERT, "url": None},
    references=[["message-id", "mail", "m2@customer.example", "identity", "is"]],
)  # fmt: skip


@pytest.fixture
async def alike(desk: Desk) -> Desk:
    """A second mail with the first one's subject, by the same person."""
    await read(desk.engine, [MAIL], first=50)
    await look(desk)
    return desk


async def look(desk: Desk, a_day: int = 20) -> None:
    step = Suggesting(desk.engine, lambda: NOW, "test", model=MODEL, a_day=a_day)
    while await step.once():
        pass
    await step.offer()


async def listed(desk: Desk, limit: int = 25, as_json: bool = False, **filters: Any) -> tuple[int, str]:
    code = await suggesting.show_all(desk.made, Filters(**filters), limit, NOW, desk.screen, as_json=as_json)
    return code, desk.printed


async def the_id(desk: Desk, capsys: pytest.CaptureFixture[str]) -> str:
    await listed(desk, as_json=True)
    return str(json.loads(capsys.readouterr().out)["id"])


async def answered(desk: Desk, name: str, said: Answer, agrees: bool = True, **more: Any) -> tuple[int, list[str]]:
    ask, questions = asked(agrees)
    given = Given(name, said, "Anna", more.pop("reason", ""))
    return await suggesting.answer(desk.made, given, Manner(**more), lambda: NOW, desk.screen, ask), questions


@BOTH
async def test_it_is_listed_with_its_reasons_and_how_good_they_were(
    alike: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = await listed(alike)
    assert code == 0
    assert "88 %" in printed
    assert "the mail of 6 March 2026 (Re: Payslips in" in printed
    assert printed.endswith("None was answered so far.\n")
    assert await suggesting.show(alike.made, await the_id(alike, capsys), NOW, alike.screen, as_json=False) == 0
    assert "What speaks for it:\n  " in (shown := alike.printed)
    assert "  Their titles say the same\n" in shown
    assert "  One person asked for both\n" in shown
    assert "Nothing is suggested." in (await listed(alike, artifact="PAY-31"))[1]
    assert "S-" in (await listed(alike, request=PORTAL))[1]


@BOTH
async def test_accepting_shows_asks_and_joins(alike: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    name = await the_id(alike, capsys)
    assert await answered(alike, name, Answer.ACCEPTED, agrees=False) == (0, ["Join them?"])
    shown = alike.printed
    assert f"{name}: 88 % likely to belong together" in shown
    assert "\nWould be decided: the mail of 2 March 2026 and the mail of 6 March 2026 belong together\n" in shown
    assert f"\n  {AGAIN} would lead to {PORTAL} from then on\n" in shown
    assert (await answered(alike, name.lower(), Answer.ACCEPTED, reason="the same"))[0] == 0
    printed = alike.printed
    assert "This is decision 1; `throughline undo 1` takes it back." in printed
    assert f"{AGAIN} leads to {PORTAL} from then on" in printed
    assert "Nothing is suggested." in (await listed(alike, waiting=True))[1]
    assert (await answered(alike, name, Answer.ACCEPTED, yes=True))[0] == 0
    assert alike.printed == f"{name} was accepted before (decision 1).\n"
    assert (await answered(alike, name, Answer.REJECTED))[0] == EXIT_REFUSED


@BOTH
async def test_a_preview_tells_and_takes_nothing(alike: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Also with --yes; what is only put off, or was rejected, can be looked at like this, too."""
    name = await the_id(alike, capsys)
    foretold = (
        "Would be decided: the mail of 2 March 2026 and the mail of 6 March 2026 belong together\n"
        f"  the mail of 6 March 2026 would come from {AGAIN} (Re: Payslips in the portal) into\n"
        f"{PORTAL} (Payslip portal)\n"
        f"  {AGAIN} would lead to {PORTAL} from then on\n"
    )
    assert await answered(alike, name, Answer.ACCEPTED, preview=True, yes=True) == (0, [])
    assert alike.printed == foretold
    assert await answered(alike, name, Answer.REJECTED, preview=True) == (0, [])
    assert alike.printed == (
        f"{name} would not be suggested again. That decides nothing: evidence may still join them.\n"
    )
    assert await answered(alike, name, Answer.ACCEPTED, preview=True, as_json=True) == (0, [])
    told = json.loads(capsys.readouterr().out)
    assert (told["preview"], told["decided"]["preview"]) == (True, True)
    assert told["decided"]["redirects"] == {AGAIN: PORTAL}
    assert name in (await listed(alike))[1]
    await answered(alike, name, Answer.REJECTED)
    assert alike.printed
    assert await answered(alike, name, Answer.ACCEPTED, agrees=False) == (0, ["Join them?"])
    assert alike.printed == foretold


async def test_what_was_accepted_and_taken_back_says_how_to_join_it_again(
    alike: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    name = await the_id(alike, capsys)
    await answered(alike, name, Answer.ACCEPTED, yes=True)
    await undone(alike, 1)
    assert (await answered(alike, name, Answer.ACCEPTED))[0] == EXIT_REFUSED
    assert capsys.readouterr().err == (
        f"{name} was accepted before (decision 1), and decision 2 took that back.\n"
        "  `throughline undo 2` joins them again.\n"
    )
    assert "Accepted: 0 of 1 answered" in (await listed(alike))[1]
    assert await suggesting.show(alike.made, name, NOW, alike.screen, as_json=False) == EXIT_NOT_FOUND
    assert capsys.readouterr().err == f"{name} does not wait: Anna accepted it.\n"
    await undone(alike, 2)
    printed = (await listed(alike))[1]
    assert f"{AGAIN} leads to {PORTAL} from then on" in printed
    assert "Accepted: 1 of 1 answered" in printed
    assert (await answered(alike, name, Answer.ACCEPTED))[0] == 0


async def undone(desk: Desk, number: int) -> None:
    form = deciding.form({"kind": "undo", "decision": number, "by": "Anna"})
    assert await deciding.decide(desk.made, form, Manner(yes=True), lambda: NOW, desk.screen, asked(True)[0]) == 0


@BOTH
async def test_what_the_days_limit_holds_back_is_said(desk: Desk) -> None:
    await read(desk.engine, [MAIL], first=50)
    await look(desk, a_day=0)
    printed = " ".join((await listed(desk))[1].split())
    assert printed.startswith(
        "Nothing is suggested. 1 more waits for its day; `throughline suggestions list --waiting` tells it, too. "
        "How many new ones are offered in 24 hours, the hub's setting THROUGHLINE_SUGGESTIONS_A_DAY says."
    )
    for filters in ({"waiting": True}, {"artifact": "PAY-31"}):
        assert "for its day" not in (await listed(desk, **filters))[1]


@BOTH
async def test_rejecting_and_not_now(alike: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    name = await the_id(alike, capsys)
    assert (await answered(alike, name, Answer.LATER)) == (0, [])
    assert alike.printed == f"{name} is hidden until 15 April 14:42, unless its evidence changes.\n"
    assert (await answered(alike, name, Answer.REJECTED, as_json=True)) == (0, [])
    assert json.loads(capsys.readouterr().out)["answer"] == "rejected"
    await look(alike)
    _, printed = await listed(alike, waiting=True)
    assert printed.startswith("Nothing is suggested.")
    assert "Accepted: 0 of 1 answered (0 %; the true share lies between" in printed


async def test_what_is_not_there_is_told(alike: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert (await answered(alike, "S-AAAAAAAAAAAA", Answer.ACCEPTED))[0] == EXIT_NOT_FOUND
    assert (await answered(alike, "S-AAAAAAAAAAAA", Answer.LATER))[0] == EXIT_NOT_FOUND
    assert await suggesting.show(alike.made, "S-X", NOW, alike.screen, as_json=False) == EXIT_NOT_FOUND
    name = await the_id(alike, capsys)
    assert await suggesting.show(alike.made, name, NOW, alike.screen, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["change"]["into"] == PORTAL


async def test_as_it_is_typed(alike: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    name = await the_id(alike, capsys)
    shown = typed(alike.environ, "suggestions", "show", name)
    assert (shown.returncode, "What speaks for it" in shown.stdout) == (0, True)
    joined = typed(alike.environ, "suggestions", "accept", name, "--yes", "--by", "Anna", "--json")
    assert json.loads(joined.stdout)["decided"]["redirects"] == {AGAIN: PORTAL}
    assert typed(alike.environ, "suggestions", "list", "--json").stdout == ""
