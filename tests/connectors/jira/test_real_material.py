"""Real bodies of real sites: all of them map, and a few of them exactly."""

import csv
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.contract import Surroundings
from connectors.jira import connector
from connectors.jira.options import ApiToken, JiraOptions
from connectors.jira.shapes import obj, rows
from schemas.artifacts import ActivityKind, Mapped
from services.sandbox.jira import FakeJira
from services.sandbox.jira_histories import load, rows_of
from tests.connectors.contract import ConnectorContract
from tests.connectors.jira.recorded import pushed, teller, told
from tests.connectors.jira.rigs import network
from tests.parts.presence import material


def table(name: str) -> Iterator[dict[str, Any]]:
    """The bodies in one table of raw answers, each with the row's input."""
    csv.field_size_limit(10**8)
    with (material("jira-api-tables") / f"_raw_jira_api_{name}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {"data": json.loads(row["data"]), "input": json.loads(row["input"] or "null")}


def map_all(issue: dict[str, Any], links: list[dict[str, Any]] | None = None) -> list[Mapped]:
    """Every event of an issue, mapped and looked at."""
    found = []
    for event in told(issue, links):
        mapped = connector.map(event)
        ConnectorContract.speaks_the_hubs_words(event, mapped)
        found.append(mapped)
    return found


def hook(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((material("jira-webhooks") / f"webhook-{name}.json").read_text("utf-8"))
    return body


def test_every_webhook_maps() -> None:
    told_nothing = []
    for path in sorted(material("jira-webhooks").glob("*.json")):
        events = pushed(json.loads(path.read_text("utf-8")))
        for event in events:
            ConnectorContract.speaks_the_hubs_words(event, connector.map(event))
        if not events:
            told_nothing.append(path.stem)
    assert told_nothing == [  # hints: a field that may name an epic, then thin bodies
        "webhook-cloud-issue-created-many-fields",
        "webhook-issue-assigned-empty-changelog",
        "webhook-server-comment-deleted",
        "webhook-server-comment-updated",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("issue-updated-started-working", [("10227/0", "status changed", "To Do", "In Progress")]),
        ("issue-updated-rank", [("10233/0", "field changed", None, "ranked higher")]),
        (
            "issue-updated-renamed",
            [("10224/0", "field changed", "Unit test summary", "Unit test summary 1")],
        ),
        ("issue-updated-assigned", [("10230/0", "assigned", None, "Test User")]),
        ("issue-updated-edited", [("10225/0", "field changed", None, None)]),
        (
            "issue-updated-reopened",
            [
                ("10229/0", "field changed", "Done", None),
                ("10229/1", "status changed", "Done", "To Do"),
            ],
        ),
        (
            "server-issue-updated-resolved",
            [
                ("10414/0", "status changed", "In Progress", "Resolved"),
                ("10414/1", "field changed", None, "Done"),
            ],
        ),
        ("issue-updated-issue-type", [("11149/0", "field changed", "Task", "Bug")]),
    ],
)
def test_changes_in_webhooks_exactly(name: str, expected: list[tuple[str, str, str | None, str | None]]) -> None:
    body = hook(name)
    event = next(event for event in pushed(body) if event.kind == "changelog")
    found = [(one.key, one.kind.value, one.from_label, one.to_label) for one in connector.map(event).activities]
    assert found == [(f"c-test/{body['issue']['id']}/{key}", *rest) for key, *rest in expected]


def test_a_comment_in_a_webhook_exactly() -> None:
    (event,) = pushed(hook("cloud-comment-created"))
    (activity,) = connector.map(event).activities
    assert (activity.key, activity.text) == ("c-test/10040/comment/10019", "Added a comment")
    assert (activity.actor, activity.automatic) == ("c-test/account/5c5f880629be9642ba529340", False)


def test_an_issue_in_a_webhook_exactly() -> None:
    event = next(event for event in pushed(hook("issue-created")) if event.kind == "issue")
    fields = connector.map(event).fields
    assert (fields["natural_key"], fields["title"], fields["type"]) == ("TES-41", "Unit test summary", "Story")
    assert fields["url"] == "https://acme.atlassian.net/browse/TES-41"
    assert fields["status"]["category"] == "new"


def test_a_deleted_issue_in_a_webhook_exactly() -> None:
    (event,) = pushed(hook("issue-deleted"))
    mapped = connector.map(event)
    assert mapped.fields == {"deleted": True}
    assert [activity.kind for activity in mapped.activities] == [ActivityKind.DELETED]


def test_every_issue_of_the_tables_maps() -> None:
    count = epics = 0
    for name in ("issues", "issues_for_due_date", "issue_relationships"):
        for row in table(name):
            count += len(map_all(row["data"]))
    csv.field_size_limit(10**8)
    with (material("jira-api-tables") / "_raw_jira_external_epics.csv").open(encoding="utf-8", newline="") as file:
        for epic in csv.DictReader(file):
            mapped = map_all(json.loads(epic["data"]))
            epics += any(one.relation == "epic" for one in mapped[0].parts["issue"].references)
    assert (count > 90, epics) == (True, 2)


def test_every_change_of_the_tables_maps() -> None:
    issues: dict[str, list[dict[str, Any]]] = {}
    for row in table("issue_changelogs"):
        issues.setdefault(str(row["input"]["issue_id"]), []).append(row["data"])
    items = sum(len(history["items"]) for histories in issues.values() for history in histories)
    mapped = [
        connector.map(event) for issue, histories in issues.items() for event in teller()._changelog(issue, histories)
    ]
    assert sum(len(one.activities) for one in mapped) == items


def test_every_remote_link_of_the_tables_maps() -> None:
    links: dict[str, list[dict[str, Any]]] = {}
    for row in table("remotelinks"):
        links.setdefault(str(row["input"]["issue_id"]), []).append(row["data"])
    for issue, found in links.items():
        part = connector.map(teller().remote_links(issue, found, "1")).parts["remotelinks"]
        addresses = {one["object"]["url"].partition("#")[0] for one in found}
        assert len(part.references) <= len(addresses)
        assert part.references
    event = teller().remote_links(
        "10063", next(table("remotelinks"))["data"] and [next(table("remotelinks"))["data"]], "1"
    )
    (reference,) = connector.map(event).parts["remotelinks"].references
    assert reference.value == "https://example.com/-/commit/8748a066cbaf67b15e86f2c636f9931347e987cf"


def test_every_metrics_sample_maps() -> None:
    paths = sorted(material("jira-metrics-samples").rglob("SP-*.json"))
    assert len(paths) > 10
    for path in paths:
        issue = json.loads(path.read_text("utf-8"))
        mapped = map_all(issue)
        items = [item for history in rows(obj(issue.get("changelog")).get("histories")) for item in history["items"]]
        done = [one for each in mapped[1:] for one in each.activities if one.kind is not ActivityKind.COMMENTED]
        assert len(done) == len(items)


def test_a_metrics_sample_exactly() -> None:
    path = material("jira-metrics-samples") / "spec/complete_sample/sample_issues/SP-1.json"
    issue, history = map_all(json.loads(path.read_text("utf-8")))
    assert issue.fields["status"] == {"id": "10011", "label": "Review", "category": "active", "pipeline": None}
    statuses = [(one.from_label, one.to_label) for one in history.activities if one.kind is ActivityKind.STATUS]
    assert statuses[-1] == ("In Progress", "Review")


async def test_recorded_histories_replayed_through_the_fake() -> None:
    """649 tickets and their changes, read through the real protocol: every change of status arrives, exactly once."""
    tickets = rows_of(next(material("jira-histories").glob("*.csv.gz")))
    with FakeJira(burst=100_000) as fake:
        changes = load(fake.hands, tickets)
        assert changes == sum(len(rows) - 1 for rows in tickets.values())
        expected = {
            (issue.key, entry["id"], item["fromString"], item["toString"])
            for issue in fake.state.issues.values()
            for entry in issue.histories
            for item in entry["items"]
            if item["field"] == "status"
        }
        auth = ApiToken(email=fake.email, token=SecretStr(fake.token))
        options = JiraOptions(base_url=fake.url, auth=auth, page_size=100, remote_links=False)
        keys: dict[str, Any] = {}
        found = []
        async with connector.open("c", options, Surroundings(fake.now, network())) as source:
            async for page in source.pages(None, None):
                for event in page.events:
                    mapped = connector.map(event)
                    keys[mapped.artifact] = mapped.fields.get("natural_key", keys.get(mapped.artifact))
                    found += [one for one in mapped.activities if one.kind is ActivityKind.STATUS]
    told_ = [(keys[one.artifact], one.key.split("/")[2], one.from_label, one.to_label) for one in found]
    assert len(keys) == len(tickets) == 649
    assert len(told_) == len(set(told_)) == len(expected)
    assert set(told_) == expected
