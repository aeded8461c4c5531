"""Source events of every kind and shape, written for these tests after what Jira sends."""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from connectors.contract import Delivery
from connectors.jira import connector
from connectors.jira.options import ApiToken, JiraOptions
from connectors.jira.shapes import obj, rows
from connectors.jira.telling import Teller
from schemas.events import SourceEvent
from tests.connectors.jira.signing import signed

FOLDER = Path(__file__).parent / "recordings"
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
OPTIONS = JiraOptions(
    base_url="https://acme.atlassian.net",
    auth=ApiToken(email="reader@acme.example", token=SecretStr("t")),
    webhook_secret=SecretStr("s3cret"),
)


def recording(name: str) -> dict[str, Any]:
    """One recorded body."""
    body: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return body


def teller(**more: Any) -> Teller:
    """Tells as a connection with default options does."""
    given: dict[str, Any] = {"connection": "c-test", "keep": "full", "read_restricted": False}
    given |= {"site": "https://acme.atlassian.net"}
    names = {
        "customfield_10014": {"name": "Epic Link", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"},
        "customfield_10030": {"name": "Business Unit", "custom": "select"},
        "customfield_10021": {"name": "Flagged", "custom": "multicheckboxes"},
        "customfield_10000": {"name": "development", "custom": "com.atlassian.jira.plugins:devsummarycf.development"},
    }
    return Teller(**(given | {"names": names, "fetched_at": NOW} | more))


def told(issue: dict[str, Any], links: list[dict[str, Any]] | None = None, **more: Any) -> list[SourceEvent]:
    """The events of an issue as search showed it, with its inline history and comments."""
    histories = list(rows(obj(issue.get("changelog")).get("histories")))
    comments = list(rows(obj(obj(issue.get("fields")).get("comment")).get("comments")))
    return list(teller(**more).issue(issue, histories, comments, links))


def pushed(body: dict[str, Any], options: JiraOptions = OPTIONS) -> list[SourceEvent]:
    """The events of a signed webhook."""
    raw = json.dumps(body).encode()
    delivery = Delivery("POST", "https://hub.example/hooks/jira", signed(raw, "s3cret"), raw)
    return list(connector.verify("c-test", options, delivery, NOW).events)


@cache
def recordings() -> tuple[SourceEvent, ...]:
    """All of them."""
    links = recording("remote_links")["links"]
    events = told(recording("cloud_story"), links) + told(recording("datacenter_subtask"))
    events += told(recording("restricted"))
    for name in ("webhook_updated", "webhook_created", "webhook_deleted", "webhook_comment", "webhook_comment_deleted"):
        events += pushed(recording(name))
    events += [teller().presence("10001", kind, 1, level="HR") for kind in ("present", "out_of_scope", "deleted")]
    return tuple(events)
