"""Exact results of mapping own recordings."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.contract import BadRecord
from connectors.jira import connector
from connectors.jira.issues import level_of
from connectors.jira.links import normal_url
from schemas.artifacts import Activity, ActivityKind, Audience, Evidence, Identity, Mapped
from tests.connectors.jira.recorded import pushed, recording, teller, told

ANNA = "c-test/account/5b10a2844c20165700ede21g"
OMAR = "c-test/account/712020:0e2f-11"
BOT = "c-test/account/557058:f58131cb"


def mapped(name: str, kind: str) -> list[Mapped]:
    return [connector.map(event) for event in told(recording(name)) if event.kind == kind]


def references(one: Mapped, part: str) -> set[tuple[str, str, str]]:
    return {(reference.relation, reference.kind, reference.value) for reference in one.parts[part].references}


def test_a_story_of_cloud() -> None:
    (story,) = mapped("cloud_story", "issue")
    assert story.artifact == "c-test/issue/10412"
    assert story.fields == {
        "title": "Refunds arrive within a day (OPS-7)",
        "url": "https://acme.atlassian.net/browse/PAY-12",
        "natural_key": "PAY-12",
        "type": "Story",
        "type_level": 0,
        "opens": True,
        "status": {"id": "3", "label": "In Progress", "category": "active", "pipeline": None},
        "created_at": "2026-03-02T08:15:00.123000Z",
        "updated_at": "2026-03-09T15:40:12.500000Z",
        "requester": ANNA,
        "assignee": OMAR,
        "participants": [
            {"identity": ANNA, "role": "reporter"},
            {"identity": OMAR, "role": "assignee"},
            {"identity": ANNA, "role": "creator"},
        ],
        "priority": "High",
        "due_at": "2026-04-30",
        "target_at": "2026-04-20",
        "resolution": None,
        "outcome": None,
        "waiting": {"reason": "blocked", "since": None},
        "business_unit": "Retail",
        "project": {"key": "PAY", "name": "Payments"},
        "labels": ["refund", "q2"],
        "excerpt": "Asked for in the mail https://mail.acme.example/m/77 by @Anna Kern\nhttps://app.example/deal/42",
        "attachments": [{"name": "flow.pdf", "size": 48213, "type": "application/pdf"}],
        "audience": {"level": "open", "stated": ""},
        "deleted": False,
        "out_of_scope": False,
        "fields": {},
        "development": {"pullrequest": {"count": 2, "state": "OPEN"}},
        "standing": {"comment:": ["comment:20001", "comment:20002", "comment:20003"], "fields:custom": []},
    }


def test_what_a_story_names() -> None:
    (story,) = mapped("cloud_story", "issue")
    assert references(story, "issue") == {
        ("is", "jira.issue", "10412"),
        ("is", "url", "https://acme.atlassian.net/browse/PAY-12"),
        ("epic", "jira.issue", "10400"),
        ("epic", "jira.key", "PAY-1"),
        ("sub-task", "jira.issue", "10500"),
        ("sub-task", "jira.key", "PAY-20"),
        ("is blocked by", "jira.issue", "10490"),
        ("is blocked by", "jira.key", "OPS-31"),
        ("implements", "jira.issue", "10300"),
        ("implements", "jira.key", "REQ-3"),
    }
    assert references(story, "key:PAY-12") == {("is", "jira.key", "PAY-12")}
    assert {reference.scope for reference in story.parts["issue"].references if reference.kind != "url"} == {"c-test"}
    texts = {(text.field, text.evidence): text.text for text in story.parts["issue"].texts}
    assert texts["summary", Evidence.TITLE] == "Refunds arrive within a day (OPS-7)"
    assert texts["description", Evidence.QUOTED] == "Old ticket LEG-1 said otherwise"
    assert "LEG-1" not in texts["description", Evidence.WRITTEN]


def test_people_are_told_once_with_address_and_machine() -> None:
    (story,) = mapped("cloud_story", "issue")
    assert story.identities == (
        Identity(ANNA, "Anna Kern", "anna.kern@acme.example"),
        Identity(OMAR, "Omar Diaz"),
    )
    (history,) = mapped("cloud_story", "changelog")
    assert Identity(BOT, "Automation for Jira", machine=True) in history.identities


def test_history_becomes_activities_with_natural_keys() -> None:
    (history,) = mapped("cloud_story", "changelog")
    by_key = {activity.key: activity for activity in history.activities}
    assert list(by_key) == [
        "c-test/10412/30001/0", "c-test/10412/30001/1", "c-test/10412/30002/0",
        "c-test/10412/30003/0", "c-test/10412/30003/1", "c-test/10412/30004/0",
    ]  # fmt: skip
    assert by_key["c-test/10412/30003/0"] == Activity(
        key="c-test/10412/30003/0",
        artifact="c-test/issue/10412",
        kind=ActivityKind.STATUS,
        at=datetime(2026, 3, 5, 8, 40, tzinfo=UTC),  # told in milliseconds since 1970
        actor=OMAR,
        field="status",
        from_value="10000",
        from_label="To Do",
        to_value="3",
        to_label="In Progress",
    )
    assigned = by_key["c-test/10412/30002/0"]
    assert (assigned.kind, assigned.objects) == (ActivityKind.ASSIGNED, ((OMAR, "assignee"),))
    linked = by_key["c-test/10412/30003/1"]
    assert (linked.kind, linked.objects) == (ActivityKind.LINKED, (("jira.key|OPS-31", "linked"),))
    assert by_key["c-test/10412/30001/1"].kind is ActivityKind.MOVED
    assert by_key["c-test/10412/30004/0"].automatic is True


def test_a_moved_issue_is_still_known_by_its_old_key() -> None:
    (history,) = mapped("cloud_story", "changelog")
    (old,) = history.parts["history:0"].references
    assert (old.kind, old.value, old.evidence, old.relation) == ("jira.key", "IN-3", Evidence.IDENTITY, "is")
    assert old.since == datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_comments_of_people_machines_and_closed_circles() -> None:
    person, machine, closed = mapped("cloud_story", "comment")
    (text,) = person.parts["comment:20001"].texts
    assert (text.text, text.evidence) == ("Waits for OPS-31", Evidence.WRITTEN)
    (text,) = machine.parts["comment:20002"].texts
    assert text.evidence is Evidence.QUOTED
    assert machine.activities[0].automatic is True
    assert closed.parts["comment:20003"].texts == ()
    assert closed.parts["comment:20003"].audience == Audience("restricted", "Administrators")
    assert (closed.activities[0].text, closed.activities[0].actor) == (None, None)


def test_restricted_comments_are_read_where_the_connection_says_so() -> None:
    events = told(recording("cloud_story"), read_restricted=True)
    closed = connector.map(events[-1])
    assert closed.activities[0].text == "Only for us: margin is thin"
    assert closed.activities[0].audience.level == "restricted"


def test_an_issue_with_a_security_level_tells_nothing() -> None:
    (event,) = told(recording("restricted"))
    assert "Salaries" not in event.model_dump_json()
    one = connector.map(event)
    assert one.fields["audience"] == {"level": "restricted", "stated": "HR only"}
    assert (one.fields["title"], one.fields["out_of_scope"]) == (None, True)


def test_a_subtask_of_data_center_in_german() -> None:
    (subtask,) = mapped("datacenter_subtask", "issue")
    rolf = "c-test/account/JIRAUSER10100"
    assert subtask.fields["type_level"] == -1
    assert subtask.fields["opens"] is False
    assert subtask.fields["requester"] == rolf
    assert subtask.fields["priority"] is None
    assert subtask.fields["outcome"] == {
        "result": "cancelled",
        "reason": "Wird nicht erledigt",
        "at": "2026-02-01T11:00:00.000000Z",
    }
    assert references(subtask, "issue") >= {("parent", "jira.key", "ERP-2"), ("epic", "jira.key", "ERP-1")}
    written = next(text.text for text in subtask.parts["issue"].texts if text.evidence is Evidence.WRITTEN)
    assert written == "Warum\nSiehe Antrag https://portal.corp.example/a/5 und ERP-2.\n@jirauser10100 fragt"
    quoted = next(text.text for text in subtask.parts["issue"].texts if text.evidence is Evidence.QUOTED)
    assert quoted == "alt: OLD-4\nsteht in OLD-5"


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ({"name": "Legend", "subtask": False, "hierarchyLevel": 3}, 3),
        ({"name": "Initiative", "subtask": False}, 2),
        ({"name": "Epos", "subtask": False}, 1),
        ({"name": "Capability", "subtask": False}, 0),
        ({"name": "Unteraufgabe", "subtask": True}, -1),
        ({"name": "Story"}, None),
    ],
)
def test_what_holds_epics_lies_above_them(kind: dict[str, Any], level: int | None) -> None:
    assert level_of(kind) == level


def test_long_texts_stay_out_of_activities() -> None:
    (history,) = mapped("datacenter_subtask", "changelog")
    edited = history.activities[1]
    assert (edited.field, edited.from_label, edited.to_label) == ("description", None, None)


def test_remote_links_are_addresses() -> None:
    links = recording("remote_links")["links"]
    one = connector.map(teller().remote_links("10412", links, "7"))
    assert references(one, "remotelinks") == {("remote link", "url", "https://app.example/deal/42?tab=1")}


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("HTTP://Example.COM:80/A/b/", "http://example.com/A/b"),
        ("https://user:pw@example.com/x?b=1&utm_medium=m#f", "https://example.com/x?b=1"),
        ("https://example.com:8443/x?atlOrigin=abc", "https://example.com:8443/x"),
        ("ftp://example.com/x", None),
        ("https://[broken", None),
        ("https://example.com:99999/", None),
    ],
)
def test_normal_form_of_addresses(address: str, normal: str | None) -> None:
    assert normal_url(address) == normal


def test_a_webhook_and_a_read_tell_one_activity() -> None:
    event = next(event for event in pushed(recording("webhook_updated")) if event.kind == "changelog")
    status, assigned = connector.map(event).activities
    assert (status.key, status.at) == ("c-test/10412/30005/0", datetime(2026, 3, 10, 8, 0, 0, 262_000, tzinfo=UTC))
    assert (assigned.from_value, assigned.to_value) == ("712020:0e2f-11", None)
    history: dict[str, Any] = {"id": "30005", "created": "2026-03-10T09:00:00.248+0100", "author": None, "items": []}
    (fetched,) = teller()._changelog("10412", [history])
    assert (fetched.order, fetched.rank) > (event.order, event.rank)


def test_a_deleted_issue_and_a_deleted_comment() -> None:
    (gone,) = pushed(recording("webhook_deleted"))
    one = connector.map(gone)
    assert one.fields == {"deleted": True}
    assert (one.activities[0].kind, one.activities[0].actor) == (ActivityKind.DELETED, ANNA)
    (withdrawn,) = pushed(recording("webhook_comment_deleted"))
    assert "MKT-1" not in withdrawn.model_dump_json()
    one = connector.map(withdrawn)
    assert one.activities[0].withdrawn is True
    assert one.parts["comment:20009"].texts == ()


@pytest.mark.parametrize("kind", ["issue", "changelog", "comment", "remotelinks", "presence", "weather"])
def test_an_empty_record_is_a_bad_one_that_names_what_is_missing(kind: str) -> None:
    event = teller().presence("1", "present", 1).model_copy(update={"kind": kind, "payload": {}})
    with pytest.raises(BadRecord, match=r"issue|kind|links|told|comment"):
        connector.map(event)


def history(entry: str, created: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"id": entry, "created": created, "author": {"accountId": "a"}, "items": list(items)}


def test_what_a_history_takes_back_is_told_with_its_time() -> None:
    issue = {"id": "1", "key": "PAY-1", "fields": {"updated": "2026-03-06T10:00:00.000+0100", "issuelinks": []}}
    blocked = {"field": "Link", "from": "PAY-31", "fromString": "This issue is blocked by PAY-31", "to": None}
    german = {"field": "Link", "from": "PAY-2", "fromString": "Dieser Vorgang implementiert PAY-2", "to": None}
    moved = {"field": "Parent", "fieldId": "parent", "from": "9", "fromString": "PAY-9", "to": "8", "toString": "PAY-8"}
    above = {"field": "IssueParentAssociation", "from": "7", "fromString": "PAY-7", "to": None, "toString": None}
    odd = {"field": "Link", "from": "PAY-5", "fromString": "PAY-5 once", "to": None}
    made = {"field": "Link", "from": None, "to": "PAY-3", "toString": "This issue blocks PAY-3"}
    at = "2026-03-06T10:00:00.000+0100"
    events = teller().issue(issue, [history("7", at, blocked, german, moved, above, odd, made)], [], None)
    (told_,) = [connector.map(event) for event in events if event.kind == "changelog"]
    found = told_.parts["history:0"].references
    assert [(one.value, one.relation) for one in found] == [
        ("PAY-31", "this issue is blocked by"), ("PAY-2", "dieser vorgang implementiert"), ("PAY-9", "parent"),
        ("PAY-7", "parent"),
    ]  # fmt: skip
    assert {(one.evidence, one.since) for one in found} == {(Evidence.WITHDRAWN, datetime(2026, 3, 6, 9, tzinfo=UTC))}


def test_a_link_says_how_its_other_end_says_it() -> None:
    kind = {"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
    fields = {
        "issuelinks": [{"id": "5", "type": kind, "inwardIssue": {"id": "31", "key": "PAY-31"}}],
        "subtasks": [{"id": "8", "key": "PAY-8"}],
    }
    (event,) = teller().issue({"id": "1", "key": "PAY-1", "fields": fields}, [], [], None)
    found = connector.map(event).parts["issue"].references
    said = {(one.value, one.relation, one.mirror) for one in found if one.evidence is Evidence.EXPLICIT}
    assert {("PAY-31", "is blocked by", "blocks"), ("PAY-8", "sub-task", "parent")} <= said
