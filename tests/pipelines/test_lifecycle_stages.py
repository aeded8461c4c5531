"""Stage maps, what the record's schema promises, and what folding costs."""

import ast
import json
import time
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.lifecycle import fold, to_text
from pipelines.lifecycle.members import RequestInput
from pipelines.lifecycle.stages import StageMap, explain, place, read_status
from pipelines.lifecycle.summary import lasted, summary
from schemas.artifacts import State, Status
from schemas.records import LifecycleRecord
from schemas.stages import StageRule
from tests.pipelines.lives import STAGE_MAP, at, comment, depends, issue, mail, request, sent, way
from tests.pipelines.test_lifecycle_lives import whole_life

MAP = StageMap(
    (
        StageRule("jira", "issue", "Release", "*", "change", None, "releases", connection="jira-b"),
        StageRule("jira", "issue", "*", "In Progress", "development", State.ACTIVE, "by name"),
        StageRule("jira", "issue", "*", "10042", "requirements", State.WAITING, "by id", waiting="another team"),
        StageRule("*", "note", "*", "*", "not mapped", None, "a note says nothing of stages"),
    ),
)


@pytest.mark.parametrize(
    ("connection", "type_", "status", "stage", "state", "says"),
    [
        (
            "jira-a", "Story", Status("3", "in progress"), "development", State.ACTIVE,
            "development, active: row 2 (jira, issue, *, In Progress): by name",
        ),
        (
            "jira-b", "release", Status("3", "In Progress", State.ACTIVE), "change", State.ACTIVE,
            "change, active, by the tool's own category: row 1 (jira-b jira, issue, Release, *): releases",
        ),
        (
            "jira-a", "Release", Status("10042", "Umbenannt"), "requirements", State.WAITING,
            "requirements, waiting: row 3 (jira, issue, *, 10042): by id",
        ),
        (
            "jira-a", "Story", Status("7", "Parked", State.DONE), "not mapped", State.DONE,
            "not mapped, done: no row of the stage map knows jira issue Story with status 'Parked'; "
            "the state is the tool's own category",
        ),
        (
            "jira-b", "Story", Status("7", "Parked"), "not mapped", None,
            "not mapped, state unknown: no row of the stage map knows jira issue Story with status 'Parked'; "
            "the tool gives no category",
        ),
    ],
)  # fmt: skip
def test_the_first_row_that_fits_wins_and_says_why(
    connection: str, type_: str, status: Status, stage: str, state: State | None, says: str
) -> None:
    placed = place(MAP, connection, "jira", "issue", type_, status)
    assert (placed.stage, placed.state) == (stage, state)
    assert explain(MAP, connection, "jira", "issue", type_, status) == says
    assert placed.waiting == ("another team" if state is State.WAITING else None)


def test_a_row_for_a_stage_that_does_not_exist_is_refused_by_number() -> None:
    with pytest.raises(ValueError, match="row 1 of the stage map names the stage 'testing'"):
        StageMap((StageRule("*", "*", "*", "*", "testing", None, "typo"),))
    with pytest.raises(ValueError, match="a gate names the stage 'testing'"):
        StageMap((), gates={"testing": "all"})


def test_stages_of_ones_own_need_no_default_name() -> None:
    rule = StageRule("jira", "issue", "*", "In Progress", "build", State.ACTIVE, "building")
    own = StageMap((rule,), stages=("idea", "build"), gates={"build": "all"})
    record = fold(request([issue(1, "In Progress", at(1))]), own)
    assert [(each.stage, each.gate, each.standing) for each in record.stages] == [
        ("idea", "any", "ahead"),
        ("build", "all", "current"),
    ]


def test_a_status_of_another_shape_is_no_status() -> None:
    assert read_status({"id": "3"}) == Status("3", "3")
    assert read_status({"label": "Open", "category": "unheard of"}) == Status("Open", "Open")
    assert [read_status(value) for value in (None, "Open", {}, {"label": 3}, ["Open"])] == [None] * 5


def test_lengths_of_time_read_as_people_say_them() -> None:
    start = at(1)
    ends = [at(1, 9, 1), at(1, 9, 59), at(1, 10), at(3, 8), at(3, 9), at(11)]
    said = [lasted(end - start) for end in ends]
    assert said == ["1 minute", "59 minutes", "1 hour", "47 hours", "2 days", "10 days"]
    assert lasted(start - at(2)) == "less than a minute"


def test_of_many_blockers_some_are_named_and_the_others_counted() -> None:
    one, blockers = issue(1, "In Progress", at(1)), [issue(number, "In Progress", at(1)) for number in range(31, 36)]
    said = []
    for count in (2, 3, 4, 5):
        links = [depends(one, each, at(5)) for each in blockers[:count]]
        record = fold(request([one], links=links, others=blockers), STAGE_MAP)
        said.append(summary(record, at(7)).rpartition("waiting on ")[2])
    assert said == [
        "PAY-31 and PAY-32 for 2 days",
        "PAY-31, PAY-32 and PAY-33 for 2 days",
        "PAY-31, PAY-32, PAY-33 and 1 more for 2 days",
        "PAY-31, PAY-32, PAY-33 and 2 more for 2 days",
    ]


def test_the_record_fits_its_published_schema() -> None:
    schema = LifecycleRecord.model_json_schema(mode="serialization")
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    told = json.loads(to_text(fold(whole_life(), STAGE_MAP)))
    checker.validate(told)
    assert told["created_at"] == "2026-03-01T09:00:00.000000Z"
    assert schema["additionalProperties"] is False
    with pytest.raises(jsonschema.ValidationError):
        checker.validate({**told, "surprise": 1})


def test_the_stored_record_of_a_short_life_is_exactly_this_text() -> None:
    folder = Path(__file__).parent / "records"
    told = request([mail(1, at(1))], sent(1, at(1)))
    assert json.loads(to_text(fold(told, STAGE_MAP))) == json.loads((folder / "one_mail.json").read_text())
    assert json.loads(to_text(fold(whole_life(), STAGE_MAP))) == json.loads((folder / "whole_life.json").read_text())


def _busy(size: int) -> RequestInput:
    names = ["In Progress", "Ready"]
    moves = [(at(1 + place // 1200, place // 50 % 24, place % 50), names[place % 2]) for place in range(size // 2)]
    one, two = issue(1, moves[-1][1], at(1, 0)), issue(2, "Ready", at(1, 0))
    said = [comment(two, at(1 + place // 1200, place // 50 % 24, place % 50), "x" * 400) for place in range(size // 2)]
    return request([one, two], *way(one, "Ready", *moves), *said)


def test_five_thousand_activities_fold_in_time_that_grows_with_their_number() -> None:
    def seconds(told: RequestInput) -> float:
        times = []
        for _ in range(4):
            start = time.process_time()
            fold(told, STAGE_MAP)
            times.append(time.process_time() - start)
        return min(times)

    small, large = _busy(1_250), _busy(5_000)
    assert fold(large, STAGE_MAP).timeline.total == 5_000
    assert seconds(large) < 0.2
    assert seconds(large) / seconds(small) < 10


def test_the_fold_touches_neither_clock_nor_outside() -> None:
    allowed = {
        "collections",
        "dataclasses",
        "datetime",
        "enum",
        "itertools",
        "operator",
        "typing",
        "schemas",
        "pipelines",
    }
    seen: set[str] = set()
    waiting = ["pipelines.lifecycle.folding", "pipelines.lifecycle.summary"]
    while waiting:
        module = waiting.pop()
        seen.add(module)
        tree = ast.parse(Path(*module.split(".")).with_suffix(".py").read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)], module
        names = {node.module or "" for node in imports}
        assert {name.partition(".")[0] for name in names} <= allowed, module
        called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not called & {"now", "utcnow", "today"}, module
        waiting += [name for name in names if name.startswith("pipelines.") and name not in seen]
    assert len(seen) > 10


WORDS = st.sampled_from(["*", "Open", "OPEN", "open ", "Offen", "ß", "SS", "10", ""])
ROWS = st.lists(st.builds(
    StageRule, st.sampled_from(["jira", "*"]), st.sampled_from(["issue", "*"]), st.sampled_from(["Bug", "*"]), WORDS,
    st.sampled_from(["alignment", "change"]), st.sampled_from([None, State.DONE, State.NEW]), st.just("why"),
), max_size=12)  # fmt: skip
STATUSES = st.none() | st.builds(Status, WORDS, WORDS, st.sampled_from([None, State.ACTIVE]))


@given(ROWS, STATUSES, st.sampled_from([None, "Bug", "Story"]))
def test_the_first_row_that_fits_is_found_by_the_status_it_names(
    rows: list[StageRule], status: Status | None, type_: str | None
) -> None:
    told = [word.casefold() for word in ((status.label, status.id) if status else ("",))]
    fits = (number for number, row in enumerate(rows, 1)
            if row.type in ("*", type_) and (row.status == "*" or row.status.casefold() in told))  # fmt: skip
    assert place(StageMap(tuple(rows)), "j", "jira", "issue", type_, status).row == next(fits, None)


def test_of_many_rows_only_those_that_name_the_status_are_looked_at() -> None:
    rows = [StageRule("jira", "issue", "*", f"Status {number}", "change", None, "why") for number in range(2_000)]
    stage_map = StageMap((*rows, StageRule("jira", "*", "*", "*", "alignment", None, "the rest")))
    assert [number for number, _ in stage_map.about(Status("7", "STATUS 77"))] == [78, 2_001]
