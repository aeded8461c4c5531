"""rules: what holds for a connection, and a person's choices over it; tried before they hold."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.catalogue import catalogue
from pipelines.recompute import Recompute
from pipelines.store import choices, configuration, tables
from pipelines.store.configuration import NOTHING
from pipelines.store.engine import reading, writing
from schemas.artifacts import request_id
from schemas.errors import Misconfigured
from schemas.records import LifecycleRecord
from services.admin.rules_form import told_again
from services.cli import choosing, chosen, rules, status
from services.cli.choosing import Chooser
from services.cli.dead_letters import Ask
from services.cli.terminal import EXIT_NOT_FOUND
from services.feed.rules import refresh
from tests.services.cli.company import NOW, read, telling
from tests.services.cli.company import status as labelled
from tests.services.cli.conftest import BOTH, Desk
from tests.services.cli.test_commands import typed

SIGN_ON = request_id("jira-acme/issue/10031")

ODD = telling(
    "jira-acme", "jira", "issue", "10040",
    fields={"title": "Steering", "natural_key": "PAY-40", "type": "Story", "type_level": 0, "opens": True,
            "created_at": "2026-03-05T08:00:00.000000Z", "status": labelled("Awaiting board"),
            "project": {"key": "PAY", "name": "Payroll"}},
    references=[["jira.key", "jira-acme", "PAY-40", "identity", "is"],
                ["jira.key", "jira-acme", "PAY-31", "explicit", "is part of"]],
)  # fmt: skip
RULES = """\
stages:
  - status: awaiting board
    stage: alignment
    state: waiting
    waiting: another team
    reason: The board meets on Mondays
link_kinds:
  Is part of: joins
openers: [Story, Sub-task]
projects: [HR]
scopes: [https://hr.acme.example/jira]
"""


def asked(answer: bool) -> tuple[Ask, list[str]]:
    questions: list[str] = []

    def ask(question: str) -> bool:
        questions.append(question)
        return answer

    return ask, questions


def chooser(desk: Desk, ask: Ask) -> Chooser:
    return Chooser("anna", lambda: NOW, desk.screen, ask)


def file(tmp_path: Path, text: str = RULES) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(text, "utf-8")
    return path


async def stands(desk: Desk, request: str) -> LifecycleRecord | None:
    async with reading(desk.engine) as connection:
        text = (
            await connection.execute(select(tables.requests.c.record).where(tables.requests.c.id == request))
        ).scalar()
    return LifecycleRecord.model_validate_json(text) if text else None


async def computed(desk: Desk) -> int:
    """Let everything that waits be computed. Returns how many components it were."""
    recompute, done = Recompute(desk.engine, lambda: datetime.now(UTC), "test"), 0
    while step := await recompute.once():
        done += step
    return done


async def shown(desk: Desk, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    await rules.show(desk.made, "jira-acme", desk.screen, for_programs=True)
    return json.loads(capsys.readouterr().out)


@BOTH
async def test_choices_hold_after_a_look_at_what_they_change(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await read(desk.engine, [ODD], first=100)
    odd = request_id(ODD.artifact)
    before = await stands(desk, odd)
    assert before is not None
    assert before.current.stage == "not mapped"
    told = await shown(desk, capsys)
    assert told["chosen"] == {}
    assert told["unmapped"] == {
        "artifacts": 1, "of": 3, "share": 0.3333,
        "statuses": [{"kind": "issue", "type": "Story", "status": "Awaiting board", "artifacts": 1}],
    }  # fmt: skip

    refuse, questions = asked(False)
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, refuse))
    said = " ".join(desk.printed.split())
    assert "+ *, *, awaiting board: alignment, waiting (another team)" in said
    assert "+ link is part of: joins" in said
    assert "Tried on all it may concern (3 requests): 2 would be one with another; 1 would be new." in said
    assert said.endswith("Nothing is changed.")
    assert questions == ["Let these rules hold for jira-acme?"]
    assert (await shown(desk, capsys))["chosen"] == {}
    assert await computed(desk) == 0

    agree, _ = asked(True)
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, agree))
    assert await computed(desk) > 0
    joined = await stands(desk, SIGN_ON)
    assert await stands(desk, odd) is None
    assert joined is not None
    placed = {one.natural_key: (one.stage, one.state, one.waiting, one.mapped_by) for one in joined.artifacts}
    assert placed["PAY-40"] == ("alignment", "waiting", "another team", "The board meets on Mondays")
    assert await stands(desk, request_id("jira-acme/issue/10099")) is not None
    told = await shown(desk, capsys)
    assert told["chosen"] == {
        "stages": [{"kind": "*", "type": "*", "status": "awaiting board", "stage": "alignment", "state": "waiting",
                    "waiting": "another team", "reason": "The board meets on Mondays"}],
        "link_kinds": {"is part of": "joins"}, "openers": ["Story", "Sub-task"], "projects": ["HR"],
        "scopes": ["hr.acme.example"],
    }  # fmt: skip
    assert told["unmapped"]["artifacts"] == 0


@BOTH
async def test_the_same_again_and_back_to_nothing(desk: Desk, tmp_path: Path) -> None:
    await read(desk.engine, [ODD], first=100)
    odd = request_id(ODD.artifact)
    before = await stands(desk, odd)
    agree, _ = asked(True)
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, agree))
    await computed(desk)
    assert await stands(desk, odd) is None
    assert "They hold, as change 1" in desk.printed
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, agree))
    assert desk.printed.startswith("Nothing to change")
    await rules.reset(desk.made, "jira-acme", chooser(desk, agree))
    said = " ".join(desk.printed.split())
    assert "- link is part of: joins" in said
    assert "1 would be split" in said
    assert "1 would be no request any more" in said
    await computed(desk)
    assert await stands(desk, odd) == before


@BOTH
async def test_a_stage_alone_is_counted_as_such(desk: Desk, tmp_path: Path) -> None:
    agree, _ = asked(True)
    text = "stages: [{kind: issue, status: Analysis, stage: alignment}]"
    await rules.apply(desk.made, "jira-acme", file(tmp_path, text), chooser(desk, agree))
    said = " ".join(desk.printed.split())
    assert f"(2 requests): 1 would be in another stage. Such as {SIGN_ON}" in said
    await computed(desk)
    moved = await stands(desk, SIGN_ON)
    assert moved is not None
    # The state is what the connector's row for this status says: a status means one state.
    assert (moved.current.stage, moved.current.state) == ("alignment", "active")


async def test_from_the_shell(desk: Desk, tmp_path: Path) -> None:
    path = file(tmp_path, "stages: [{kind: issue, type: Story, status: X, stage: change}]")
    done = typed(desk.environ, "rules", "apply", "jira-acme", "--file", str(path), "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("+ issue, Story, X: change, as the tool says\nTried on all it may concern")
    wrong = typed(desk.environ, "rules", "apply", "jira-acme", "--file", str(file(tmp_path, "stage: []")), "--yes")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "line 1, column 1: stage is no key of a connection's rules" in wrong.stderr


async def test_rows_are_told_together_only_where_one_thing_differs(desk: Desk, tmp_path: Path) -> None:
    text = """stages:
  - {kind: issue, type: Story, status: A, stage: change}
  - {kind: issue, type: Story, status: B, stage: change}
  - {kind: issue, type: "[Bug]", status: C, stage: change}
  - {kind: issue, type: Epic, stage: change}
  - {kind: issue, type: Goal, stage: change}
"""
    agree, _ = asked(True)
    await rules.apply(desk.made, "jira-acme", file(tmp_path, text), chooser(desk, agree))
    await rules.show(desk.made, "jira-acme", desk.screen, for_programs=False)
    lines = [line.split() for line in desk.printed.splitlines()]
    assert ["issue", "Story", "A,", "B", "change", "as", "the", "tool", "says"] in lines
    assert ["issue", "[Bug]", "C", "change", "as", "the", "tool", "says"] in lines
    assert ["issue", "Epic,", "Goal", "*", "change", "as", "the", "tool", "says"] in lines


async def test_what_a_person_reads(desk: Desk, tmp_path: Path) -> None:
    await read(desk.engine, [ODD], first=100)
    await rules.show(desk.made, "jira-acme", desk.screen, for_programs=False)
    said = desk.printed
    assert "Nothing: everything is as its connector and its options say." in said
    assert "1 of 3 artifacts (33 %) have no stage. Most of them:\n         1  issue Story, Awaiting board" in said
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert "1  of 3 artifacts of jira-acme have no stage  throughline rules show jira-acme" in desk.printed
    with pytest.raises(Misconfigured, match="There is no connection nobody") as wrong:
        await rules.show(desk.made, "nobody", desk.screen, for_programs=False)
    assert "crm, inbox, jira-acme" in wrong.value.mend


@pytest.mark.parametrize(
    ("text", "says", "mend"),
    [
        ("stage: []", "line 1, column 1: stage is no key of a connection's rules", "stages, link_kinds"),
        ("stages:\n  - stage: develop", "line 2, column 5: develop is no stage", "Is development meant?"),
        ("stages:\n  - stage: change\n    state: ended", "line 3, column 5: ended is no state", "new, active, waiting"),
        ("stages:\n  - status: Open", "line 2, column 5: stage is missing", "one of alignment"),
        ("stages:\n  - {stage: change, satus: Open}", "line 2, column 21: satus is no key of a row", "kind, type"),
        ("stages:\n  - {stage: change, kind: epic}", "line 2, column 21: epic is no kind", "Use one of *, issue"),
        ("stages:\n  - {stage: change, status: yes}", "line 2, column 21: status is no text", "quotes"),
        ("stages:\n  - {stage: change, waiting: me}", "line 2, column 5: 0: waiting says", "Correct it"),
        ("stages: {stage: change}", "line 1, column 1: stages is no list", "a line with -"),
        ("stages: [change]", "line 1, column 10: a row holds no names and values", "name: value"),
        ("link_kinds:\n  blocks: holds", "line 2, column 3: holds is no kind of link", "joins, depends on, mentions"),
        ("projects: [pay]", "line 1, column 12: pay is no key of a project", "capitals"),
        ("scopes: ['hubspot:x']", "line 1, column 1: scopes: give a host", "Correct it"),
        ("reference_fields:\n  CRM deal: hubspot.dael", "line 2, column 3: hubspot.dael is nothing", "hubspot.deal"),
        ("reference_fields: [CRM deal]", "line 1, column 1: reference_fields holds no names", "name: value"),
        ("stages: [", "this is no YAML", "indentation"),
        ("", "holds no names and values", "stages, link_kinds"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_by_its_place(tmp_path: Path, text: str, says: str, mend: str) -> None:
    with pytest.raises(Misconfigured) as wrong:
        chosen.read(file(tmp_path, text), "jira", {"issue"})
    assert says in wrong.value.problem
    assert mend in wrong.value.mend


def test_a_number_is_a_status_and_what_is_told_can_be_read_again(tmp_path: Path) -> None:
    text = "stages: [{status: 10001, stage: change}]\nscopes: ['hubspot:77', acme.example]\nopeners:"
    read_ = chosen.read(file(tmp_path, text), "jira", {"issue"})
    assert [one.status for one in read_.stages] == ["10001"]
    assert read_.scopes == {"hubspot:77", "acme.example"}
    assert read_.openers is None
    again = file(tmp_path, json.dumps(told_again(read_)))
    assert chosen.read(again, "jira", {"issue"}) == read_


@BOTH
async def test_a_release_brings_its_defaults_and_leaves_choices(desk: Desk, tmp_path: Path) -> None:
    agree, _ = asked(True)
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, agree))
    await computed(desk)
    async with writing(desk.engine) as connection:
        changed = await refresh(connection, catalogue(), NOW)
    assert changed == ["crm", "inbox", "jira-acme"]
    async with reading(desk.engine) as connection:
        every = await configuration.every(connection)
    own = every["jira-acme"]
    assert own.stages == tuple(catalogue()["jira"].stages)
    assert own.projects == {"PAY"}
    assert own.scopes == {"acme.example"}
    assert [one.status for one in own.chosen.stages] == ["awaiting board"]
    assert every["crm"].chosen == NOTHING
    assert await computed(desk) > 0
    async with writing(desk.engine) as connection:
        assert await refresh(connection, catalogue(), NOW) == []
    assert await computed(desk) == 0


@BOTH
async def test_a_change_is_kept_with_who_and_when_and_can_be_taken_back(desk: Desk, tmp_path: Path) -> None:
    await read(desk.engine, [ODD], first=100)
    before = await stands(desk, request_id(ODD.artifact))
    agree, _ = asked(True)
    await rules.apply(desk.made, "jira-acme", file(tmp_path), chooser(desk, agree))
    await rules.apply(desk.made, "jira-acme", file(tmp_path, "projects: [HR, LAW]"), chooser(desk, agree))
    with pytest.raises(Misconfigured, match="Change 2 came after change 1"):
        await choosing.undo(desk.made, 1, chooser(desk, agree))
    await choosing.undo(desk.made, 2, chooser(desk, agree))
    await choosing.undo(desk.made, 1, chooser(desk, agree))
    await computed(desk)
    assert await stands(desk, request_id(ODD.artifact)) == before
    async with reading(desk.engine) as connection:
        made = await choices.made(connection, "jira-acme", 10)
    assert [(one.number, one.by, one.at) for one in made] == [(number, "anna", NOW) for number in (4, 3, 2, 1)]
    assert made[1].after == made[3].after
    assert desk.printed
    await choosing.history(desk.made, None, NOW, desk.screen, for_programs=False)
    assert desk.printed.startswith("4  jira-acme, by anna, ")
    assert await choosing.undo(desk.made, 9, chooser(desk, agree)) == EXIT_NOT_FOUND


@BOTH
async def test_limits_of_all_connections_are_tried_and_hold(desk: Desk, tmp_path: Path) -> None:
    refuse, questions = asked(False)
    await rules.apply(desk.made, "", file(tmp_path, "digest: 2\nexclusive: [deal, ticket]"), chooser(desk, refuse))
    assert questions == ["Let these rules hold for all connections?"]
    said = " ".join(desk.printed.split())
    assert said.startswith("+ digest: 2 + exclusive: deal, ticket Tried on all it may concern")
    agree, _ = asked(True)
    await rules.apply(desk.made, "", file(tmp_path, "digest: 2"), chooser(desk, agree))
    assert await computed(desk) > 0
    async with reading(desk.engine) as connection:
        assert (await configuration.load(connection)).rules.digest == 2
    assert desk.printed
    await rules.show_all(desk.made, desk.screen, for_programs=False)
    told = [" ".join(line.split()) for line in desk.printed.splitlines()]
    assert "digest: 2 chosen" in told
    assert "generic: 50 by default" in told
    await rules.reset(desk.made, "", chooser(desk, agree))
    async with reading(desk.engine) as connection:
        assert (await configuration.load(connection)).rules.digest == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("digest: 1", "line 1, column 1: digest is not valid. Give at least 2"),
        ("generic: many", "line 1, column 1: generic is not valid. Give a whole number"),
        ("digest: 3\nexclusive: deal", "line 2, column 1: exclusive is not valid. Write it as a list"),
        ("digests: 3", "line 1, column 1: digests is no key of the rules of all connections"),
        ("called_generic: [PAY-1]\ncalled_specific: [PAY-1]", "line 2, column 1: a value is called both"),
    ],
)
async def test_a_wrong_limit_is_told_by_line_and_column(desk: Desk, tmp_path: Path, text: str, said: str) -> None:
    agree, questions = asked(True)
    with pytest.raises(Misconfigured, match=said):
        await rules.apply(desk.made, "", file(tmp_path, text), chooser(desk, agree))
    assert questions == []


IN_A_FIELD = telling(
    "jira-acme", "jira", "issue", "10041",
    fields={"title": "Letters", "natural_key": "PAY-41", "type": "Story", "type_level": 0, "opens": True,
            "created_at": "2026-03-05T08:00:00.000000Z", "status": labelled("Analysis")},
    references=[["jira.key", "jira-acme", "PAY-41", "identity", "is"]],
    held=[["4711", "CRM deal", "customfield_10050"]],
)  # fmt: skip


@BOTH
async def test_a_field_is_said_to_hold_deals_and_undone(desk: Desk, tmp_path: Path) -> None:
    await read(desk.engine, [IN_A_FIELD], first=100)
    alone = request_id(IN_A_FIELD.artifact)
    before = await stands(desk, alone)
    assert before is not None
    agree, _ = asked(True)
    path = file(tmp_path, "reference_fields: {CRM deal: hubspot.deal}")
    await rules.apply(desk.made, "jira-acme", path, chooser(desk, agree))
    said = " ".join(desk.printed.split())
    assert said.startswith("+ field crm deal: hubspot.deal Tried on all it may concern")
    assert "2 would be one with another" in said
    assert await computed(desk) > 0
    assert await stands(desk, alone) is None
    joined = await stands(desk, request_id("inbox/mail/m1"))
    assert joined is not None
    assert "PAY-41 names the deal 4711 in its field CRM deal" in {one.why for one in joined.links}
    await rules.show(desk.made, "jira-acme", desk.screen, for_programs=False)
    assert "Fields that name: crm deal (hubspot.deal)" in desk.printed
    await choosing.undo(desk.made, 1, chooser(desk, agree))
    await computed(desk)
    assert await stands(desk, alone) == before
