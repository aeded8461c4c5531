"""The stage map of a connection: the tool's real statuses, why each stands where, a proposal, a change tried first."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.recompute import Recompute
from pipelines.store import statuses, tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import writing
from schemas.artifacts import State, Status, request_id
from schemas.canonical import canonical_json
from services.admin.mapping import StageMapAnswer
from services.admin.mapping_proposing import Known, propose
from services.admin.rules_told import RulesAnswer
from tests.services.admin.conftest import Office
from tests.services.cli.company import read, telling
from tests.services.cli.company import status as labelled

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PATH = "/v1/connections/jira-acme/stage-map"


def story(number: int, label: str, type_: str = "Story") -> Any:
    return telling(
        "jira-acme", "jira", "issue", str(number),
        fields={"title": f"Story {number}", "natural_key": f"PAY-{number}", "type": type_, "type_level": 0,
                "opens": True, "created_at": "2026-03-05T08:00:00.000000Z", "status": labelled(label),
                "project": {"key": "PAY", "name": "Payroll"}},
        references=[["jira.key", "jira-acme", f"PAY-{number}", "identity", "is"]],
    )  # fmt: skip


STORIES = [story(20_001, "Awaiting board"), story(20_002, "Awaiting board"), story(20_003, "100 % \\ ready_")]
TO_ALIGNMENT = {"kind": "issue", "status": "Awaiting board", "stage": "alignment", "state": "waiting"}


async def map_of(office: Office) -> Any:
    told = await office.ask("GET", PATH)
    StageMapAnswer.model_validate(told)
    return told


async def computed(office: Office) -> None:
    recompute = Recompute(office.engine, lambda: datetime.now(UTC), "test")
    while await recompute.once():
        pass


async def test_real_statuses_with_why_and_a_proposal_for_what_no_row_knows(office: Office) -> None:
    await read(office.engine, STORIES, first=100)
    told = await map_of(office)
    assert (told["connector"], told["unmapped"], told["sample"], told["chosen"]) == ("jira", 2, None, [])
    seen = [(one["type"], one["status"], one["artifacts"], one["stage"], one["by"]) for one in told["statuses"]]
    assert seen == [
        ("Story", "Awaiting board", 2, "not mapped", "nothing"),
        ("Story", "100 % \\ ready_", 1, "not mapped", "nothing"),
        ("Story", "Analysis", 1, "requirements", "default"),
        ("Story", "In Progress", 1, "development", "default"),
        ("Sub-task", "Analysis", 1, "requirements", "default"),
    ]
    assert told["statuses"][0]["proposal"] == {
        "stage": "alignment", "state": "waiting", "reason": 'its name says "board"; "awaiting" says waiting',
    }  # fmt: skip
    assert told["statuses"][1]["proposal"]["reason"].startswith("most of issue Story stand in requirements (1 of 2)")
    assert told["statuses"][2]["reason"] == "chosen for this company"
    assert told["statuses"][2]["proposal"] is None


async def test_a_row_is_tried_chosen_and_taken_back(office: Office) -> None:
    await read(office.engine, STORIES, first=100)
    etag = (await map_of(office))["etag"]
    body = {"stages": [TO_ALIGNMENT]}
    tried = RulesAnswer.model_validate(await office.ask("POST", f"{PATH}?preview=true", body, if_match=etag))
    found = tried.difference
    assert found is not None
    assert (found.groups, found.requests, found.sample) == (2, 2, False)
    (move,) = found.moves
    assert (move.before.stage, move.after.stage, move.after.state, move.requests) == (
        "not mapped", "alignment", "waiting", 2,
    )  # fmt: skip
    assert sorted(move.examples) == sorted(request_id(one.artifact) for one in STORIES[:2])

    made = await office.ask("POST", PATH, body, 201, if_match=etag)
    await computed(office)
    told = await map_of(office)
    first = next(one for one in told["statuses"] if one["status"] == "Awaiting board")
    assert (first["by"], first["row"], first["state"], first["proposal"]) == ("chosen", 0, "waiting", None)
    record = (await office.ask("GET", f"/v1/requests/{request_id(STORIES[0].artifact)}"))["request"]
    assert record["current"]["stage"] == "alignment"

    await office.ask("POST", PATH, {"stages": None}, 412, if_match=etag)
    await office.ask("POST", f"/v1/rules/changes/{made['number']}/undo", {}, 201, if_match=made["etag"])
    await computed(office)
    assert (await map_of(office))["unmapped"] == 2


async def test_only_what_would_stand_elsewhere_is_tried(office: Office) -> None:
    await read(office.engine, [*STORIES, *(story(number, "Analysis") for number in range(20_010, 20_020))], first=100)
    body = {"stages": [{"kind": "issue", "status": "100 % \\ ready_", "stage": "change", "state": "done"}]}
    found = (await office.ask("POST", f"{PATH}?preview=true", body, if_match="*"))["difference"]
    assert (found["groups"], found["other_stage"]) == (1, 1)
    nobody = {"stages": [TO_ALIGNMENT | {"status": "Nobody has it"}]}
    found = (await office.ask("POST", f"{PATH}?preview=true", nobody, if_match="*"))["difference"]
    assert (found["groups"], found["sample"]) == (0, False)


@SQLITE
async def test_what_cannot_be_chosen_names_the_field(office: Office) -> None:
    for body, field in (
        ({"stages": [{"stage": "develop"}]}, "body.stages.stage"),
        ({"stages": [{"stage": "change", "kind": "epic"}]}, "body.stages.0.kind"),
        ({}, "body.stages"),
    ):
        told = await office.ask("POST", PATH, body, 422, if_match="*")
        assert [one["field"] for one in told["errors"]] == [field]
    await office.ask("GET", "/v1/connections/nobody/stage-map", status=404)
    await office.ask("POST", "/v1/connections/nobody/stage-map", {"stages": []}, 404, if_match="*")


@pytest.fixture
def few() -> Iterator[None]:
    """More than ten artifacts are very many."""
    before = statuses.EXACT
    statuses.EXACT = 10
    yield
    statuses.EXACT = before


@pytest.mark.usefixtures("few")
async def test_of_very_many_a_sample_is_looked_at_and_what_a_row_names_is_found(office: Office) -> None:
    rows = []
    for number in range(4000):
        value = {"id": "1", "label": "Open" if number % 4 else "Done", "category": None, "pipeline": None}
        fields = {"type": [1, 1, "Story"], "status": [1, 1, value], "title": [1, 1, "x" * 300]}
        rows.append((f"jira-acme/issue/{number:05}", "jira-acme", "jira", "issue", canonical_json(fields), "", None))
    await read(office.engine, STORIES, first=100)
    async with writing(office.engine) as connection:
        await Bulk(connection).insert(tables.artifacts, rows)
    told = await map_of(office)
    assert told["sample"]["of"] == 4006
    assert told["sample"]["looked"] < 4006
    assert told["counted_at"] is None
    async with asyncio.timeout(30):
        while (counted := await map_of(office))["sample"] is not None:
            await asyncio.sleep(0.05)
    assert counted["counted_at"] == "2026-04-01T12:00:00.000000Z"
    assert {one["status"]: one["artifacts"] for one in counted["statuses"]} | {"Open": 3000} == {
        one["status"]: one["artifacts"] for one in counted["statuses"]
    }  # fmt: skip
    # No sample misses what no row knows, for that is noted with each request.
    assert {"Awaiting board", "100 % \\ ready_"} <= {one["status"] for one in told["statuses"]}
    row = TO_ALIGNMENT | {"status": "AWAITING board"}
    found = (await office.ask("POST", f"{PATH}?preview=true", {"stages": [row]}, if_match="*"))["difference"]
    assert (found["other_stage"], found["sample"]) == (2, False)
    rows_for_all = {"stages": [{"kind": "issue", "type": "Story", "stage": "change"}]}
    found = (await office.ask("POST", f"{PATH}?preview=true", rows_for_all, if_match="*"))["difference"]
    assert found["sample"]
    assert found["said"].startswith("Tried on the first ")


def of(label: str, category: State | None = None) -> Status:
    return Status(label, label, category)


@pytest.mark.parametrize(
    ("status", "stage", "state", "reason"),
    [
        (of("Ready for release"), "change", None, 'its name says "release"; nothing says what it is doing'),
        (of("QA", State.ACTIVE), "development", None, 'its name says "qa"; the tool\'s own category is active'),
        (of("Rejected by board"), "alignment", State.CANCELLED, 'its name says "board"; "rejected" says cancelled'),
        (of("Done", State.DONE), "requirements", None, 'most of issue Story stand in requirements (3 of 5); "done"'),
    ],
)
def test_a_proposal_says_why(status: Status, stage: str, state: State | None, reason: str) -> None:
    known = [Known("issue", "Story", "requirements", 3), Known("issue", "Story", "change", 2)]
    found = propose("issue", "Story", status, known)
    assert found is not None
    assert (found.stage, found.state) == (stage, state)
    assert found.reason.startswith(reason)


def test_where_nothing_speaks_nothing_is_proposed() -> None:
    assert propose("deal", None, of("Zzz"), [Known("issue", "Story", "change", 1)]) is None
