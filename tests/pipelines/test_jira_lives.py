"""Lives of one Jira issue, told by the real mapping: what a moment shows later is what the hub held then."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from connectors.jira.mapping import map_event
from connectors.jira.stages import STAGES
from pipelines.lifecycle import fold, to_text
from pipelines.lifecycle.members import Member, RequestInput
from pipelines.lifecycle.stages import StageMap
from pipelines.lifecycle.summary import summary
from schemas.events import SourceEvent
from schemas.records import LifecycleRecord
from services.sandbox.jira_histories import rows_of
from tests.parts.presence import material
from tests.pipelines.lives import at, here, way_of

MAP = StageMap(STAGES)
START = at(1)
CATEGORIES = {
    "To Do": "new",
    "In Progress": "indeterminate",
    "Done": "done",
    "Queued up": "new",
    "With the lawyers": "indeterminate",
    "Signed off": "done",
}
"""The tool's own; no row of the stage map knows the last three."""
FLAG = "customfield_10021"

Change = tuple[datetime, dict[str, tuple[str | None, str | None]]]
"""When, and field to what it was and what it became."""


def event(kind: str, **payload: Any) -> SourceEvent:
    return SourceEvent(connection="j", connector="jira", kind=kind, native_id="1", artifact="j/issue/1", version="1",
                       order=1, fetched_at=at(1), payload=payload)  # fmt: skip


def fields_of(told: dict[str, str | None], created: datetime, resolved: datetime | None) -> dict[str, Any]:
    """An issue's fields as REST v3 has them."""
    name = told["status"] or ""
    status = {"name": name, "id": name, "statusCategory": {"key": CATEGORIES.get(name, "indeterminate")}}
    return {
        "summary": told.get("summary"),
        "status": status,
        "resolution": {"name": resolution} if (resolution := told.get("resolution")) else None,
        "resolutiondate": resolved.isoformat() if resolved else None,
        "duedate": told.get("duedate"),
        "priority": {"name": told.get("priority")} if told.get("priority") else None,
        "created": created.isoformat(),
        "issuetype": {"name": told.get("issuetype", "Task"), "hierarchyLevel": 0},
        FLAG: [{"value": "Impediment"}] if told.get(FLAG) else None,
    }


def held(first: dict[str, str | None], changes: Sequence[Change], created: datetime = START) -> RequestInput:
    """What the hub holds of an issue once these changes were told."""
    told, resolved, histories = dict(first), None, []
    for number, (when, change) in enumerate(changes):
        items = []
        for name, (before, after) in change.items():
            items.append({"field": "Flagged" if name == FLAG else name, "fieldId": name, "fromString": before,
                          "toString": after, "from": before, "to": after})  # fmt: skip
            told[name] = after
            resolved = (when if after else None) if name == "resolution" else resolved
        histories.append({"id": str(100 + number), "created": when.isoformat(), "items": items})
    named = {end for _, change in changes for end in change.get("status", ()) if end}
    categories = {name: CATEGORIES.get(name, "indeterminate") for name in named}
    names = {FLAG: {"name": "Flagged", "custom": "multicheckboxes"}}
    issue = {"id": "1", "key": "PAY-1", "fields": fields_of(told, created, resolved)}
    mapped = map_event(event("issue", issue=issue, names=names))
    story = map_event(event("changelog", issueId="1", histories=histories, categories=categories))
    member = Member("j/issue/1", "j", "jira", "issue", "1", mapped.fields)
    return RequestInput("R-TEST", [member], [*mapped.activities, *story.activities])


TODO: dict[str, str | None] = {"status": "To Do", "summary": "Old name", "duedate": "2026-03-20", "priority": "Low"}
STARTED: Change = (at(2), {"status": ("To Do", "In Progress")})
LIVES: dict[str, list[Change]] = {
    "cancelled and taken up again": [
        STARTED,
        (at(3), {"status": ("In Progress", "Done"), "resolution": (None, "Won't Do")}),
        (at(6), {"status": ("Done", "In Progress"), "resolution": ("Won't Do", None)}),
        (at(9), {"status": ("In Progress", "Done"), "resolution": (None, "Fixed")}),
    ],
    "renamed, put off, more urgent": [
        STARTED,
        (at(4), {"summary": ("Old name", "New name"), "duedate": ("2026-03-20", "2026-04-20")}),
        (at(5), {"priority": ("Low", "High")}),
        (at(7), {"duedate": ("2026-04-20", None)}),
    ],
    "flagged twice": [
        STARTED,
        (at(3), {FLAG: (None, "Impediment")}),
        (at(5), {FLAG: ("Impediment", None)}),
        (at(8), {FLAG: (None, "Impediment")}),
    ],
    "through statuses that no row knows": [
        (at(2), {"status": ("To Do", "Queued up")}),
        (at(3), {"status": ("Queued up", "With the lawyers")}),
        (at(5), {"status": ("With the lawyers", "Signed off"), "resolution": (None, "Done")}),
        (at(6), {"status": ("Signed off", "In Progress"), "resolution": ("Done", None)}),
    ],
    "an incident that was a task": [
        STARTED,
        (at(4), {"issuetype": ("Task", "Incident")}),
        (at(6), {"status": ("In Progress", "Done"), "resolution": (None, "Done")}),
    ],
    "called otherwise after it was closed": [
        (at(3), {"status": ("To Do", "Done"), "resolution": (None, "Fixed")}),
        (at(5), {"resolution": ("Fixed", "Won't Do")}),
    ],
}


def record_of(told: RequestInput, moment: datetime | None = None) -> LifecycleRecord:
    return fold(told, MAP, as_of=moment)


def compare(first: dict[str, str | None], changes: Sequence[Change], created: datetime = START) -> int:
    """Look back at each moment at which something changed. Returns how many these are."""
    full = held(first, changes, created)
    moments = [created, *sorted({when for when, _ in changes})]
    for moment in moments:
        then = record_of(full, moment).model_copy(update={"as_of": None})
        known = [change for change in changes if change[0] <= moment]
        assert to_text(then) == to_text(record_of(held(first, known, created))), moment
    return len(moments)


@pytest.mark.parametrize("life", LIVES)
def test_a_moment_shows_what_was_held_then(life: str) -> None:
    assert compare(TODO, LIVES[life]) == len(LIVES[life]) + 1


def recorded(rows: Sequence[Mapping[str, str]]) -> tuple[dict[str, str | None], list[Change], datetime]:
    """A ticket's first state, its changes of status and resolution, and when it began."""
    states = [(parse(row["As.Of.Date"]), {"status": row["Status"], "resolution": row["Resolution"] or None})
              for row in sorted(rows, key=lambda row: parse(row["As.Of.Date"]))]  # fmt: skip
    changes = []
    for (_, before), (when, after) in pairwise(states):
        if change := {name: (before[name], after[name]) for name in after if before[name] != after[name]}:
            changes.append((when, change))
    return states[0][1], changes, states[0][0]


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_moments_of_recorded_tickets_show_what_was_held_then() -> None:
    tickets = rows_of(next(material("jira-histories").glob("*.csv.gz")))
    chosen = [rows for _, rows in sorted(tickets.items()) if len(rows) < 80][:40]
    assert sum(compare(*recorded(rows)) for rows in chosen) > 300


def test_each_time_it_was_closed_counts_as_it_was_called_then() -> None:
    record = record_of(held(TODO, LIVES["cancelled and taken up again"]))
    assert way_of(record)[1:] == [
        "development 1: 02 Mar 09:00 - now: 02 Mar 09:00 active, 03 Mar 09:00 cancelled, 06 Mar 09:00 active, "
        "09 Mar 09:00 done",
    ]
    assert record.current.reopened == 1
    then = record_of(held(TODO, LIVES["cancelled and taken up again"]), at(4))
    assert summary(then, at(4)) == "Cancelled in development on 3 March (Won't Do)"


def test_a_flag_says_since_when_it_waits_and_what_was_waited() -> None:
    record = record_of(held(TODO, LIVES["flagged twice"]))
    assert here(record) == "development since 02 Mar 09:00, waiting (blocked) since 08 Mar 09:00"
    assert record.stages[2].waiting_seconds == 2 * 86_400
    assert summary(record, at(11)).endswith("; waiting on what blocks it for 3 days")


def test_a_status_that_only_the_history_names_has_the_category_of_its_tool() -> None:
    record = record_of(held(TODO, LIVES["through statuses that no row knows"]))
    assert way_of(record)[-1] == (
        "not mapped 1: 02 Mar 09:00 - 06 Mar 09:00: 02 Mar 09:00 new, 03 Mar 09:00 active, 05 Mar 09:00 done"
    )
    assert record.stages[-1].active_seconds == 3 * 86_400


def test_what_it_was_of_another_type_counts_as_that_type() -> None:
    record = record_of(held(TODO, LIVES["an incident that was a task"]))
    assert way_of(record)[1:] == [
        "development 1: 02 Mar 09:00 - 04 Mar 09:00: 02 Mar 09:00 active",
        "improvement 1: 04 Mar 09:00 - now: 04 Mar 09:00 active, 06 Mar 09:00 done",
    ]
