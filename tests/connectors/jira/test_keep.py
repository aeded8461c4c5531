"""What a connection does not keep of an issue stands in no event; what the issue says about other things stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira import connector
from connectors.jira.reducing import beside, fields, history
from connectors.jira.text import words
from pipelines.references import find
from schemas.artifacts import Evidence, Mapped, Text
from schemas.events import SourceEvent, to_kafka
from services.sandbox.jira_shapes import document
from tests.connectors.jira.recorded import OPTIONS, pushed, recording, teller, told

CANARY = "zebrafinch"
LONG = "so " * 170
QUOTE = {
    "type": "blockquote",
    "content": [{"type": "paragraph", "content": [{"type": "text", "text": f"{CANARY} OLD-7"}]}],
}
TEXT_FIELD = {"customfield_10077": {"name": "Wish", "custom": "textfield"}}


def _story(before: str = LONG, wiki: bool = False) -> dict[str, Any]:
    """An issue that holds the canary wherever a person may write it."""
    story = recording("cloud_story")
    rich = document(f"{before}{CANARY} PAY-71 https://x.example/a_b_c")
    rich["content"].append(QUOTE)
    text = f"{before}{CANARY} PAY-71 https://x.example/a_b_c\n{{quote}}{CANARY} OLD-7{{quote}}"
    other = {"id": "77", "key": "PAY-77", "fields": {"summary": CANARY, "status": {"name": "Open"}}}
    story["fields"] |= {
        "description": text if wiki else rich, "environment": text if wiki else rich,
        "customfield_10077": f"{before}{CANARY} PAY-72", "customfield_10078": rich,
    }  # fmt: skip
    for comment in story["fields"]["comment"]["comments"]:
        comment["body"] = text if wiki else rich
    if not before:
        story["fields"] |= {
            "summary": f"{CANARY} PAY-70", "parent": other, "subtasks": [other],
            "issuelinks": [{"id": "1", "type": {"outward": "blocks"}, "outwardIssue": other}],
            "attachment": [{"id": "8", "filename": f"{CANARY}.pdf", "size": 3, "mimeType": "application/pdf",
                            "content": f"https://acme.atlassian.net/secure/attachment/8/{CANARY}.pdf"}],
            "fixVersions": [{"id": "1", "name": "26.4", "releaseDate": "2026-04-20", "description": CANARY}],
        }  # fmt: skip
        story["fields"]["comment"]["comments"][0] |= {
            "renderedBody": f"<p>{CANARY}</p>",
            "properties": [{"key": "app", "value": CANARY}, {"key": "sd.public.comment", "value": {"internal": True}}],
        }
    story["changelog"]["histories"].append(_edited(before))
    return story


def _edited(before: str = "") -> dict[str, Any]:
    text = f"{before}{CANARY} PAY-73"
    items: list[dict[str, Any]] = [
        {"field": name, "fieldId": name, "from": None, "fromString": text, "to": None, "toString": text}
        for name in ("summary", "description", "environment", "customfield_10077")
    ]
    items += [
        {"field": "Comment", "fieldId": "comment", "from": "10", "fromString": text, "to": None, "toString": None},
        {"field": "Attachment", "from": None, "fromString": None, "to": "8", "toString": text},
        {"field": "RemoteIssueLink", "from": "", "fromString": "", "to": "9", "toString": f'links to "{text}"'},
    ]
    return {"id": "30009", "created": "2026-03-09T17:00:00.000+0100", "author": {"accountId": "a"}, "items": items}


LINKS = [{"id": 5, "object": {"url": "https://wiki.example/x?a=1", "title": CANARY, "summary": CANARY}}]


def _told(story: dict[str, Any], keep: str) -> list[SourceEvent]:
    names = teller().names
    return told(story, LINKS, keep=keep, names=(names or {}) | TEXT_FIELD)


def wire(events: list[SourceEvent]) -> str:
    parts = (part for event in events for part in to_kafka(event)[:2])
    return b"".join(parts).decode().lower()


def says(mapped: Mapped) -> dict[str, Any]:
    """All that an event says besides words."""
    worded = ("title", "excerpt", "attachments", "fields")
    return {
        "fields": {name: value for name, value in mapped.fields.items() if name not in worded},
        "references": {name: (part.references, part.audience) for name, part in mapped.parts.items()},
        "found": {
            (name, text.field, text.evidence, text.since, tuple((one.kind, one.scope, one.value) for one in found))
            for name, part in mapped.parts.items()
            for text in part.texts
            if (found := find(text))
        },
        "activities": [(one.key, one.kind, one.at, one.actor, one.automatic, one.objects) for one in mapped.activities],
        "identities": mapped.identities,
    }


@pytest.mark.parametrize("wiki", [False, True])
@pytest.mark.parametrize("before", ["", LONG])
def test_an_issue_says_the_same_in_the_same_event_whatever_is_kept(before: str, wiki: bool) -> None:
    full = _told(_story(before, wiki), "full")
    for keep in ("excerpt", "references"):
        reduced = _told(_story(before, wiki), keep)
        assert [(one.id, one.order, one.artifact) for one in reduced] == [
            (one.id, one.order, one.artifact) for one in full
        ]
        for event, whole in zip(reduced, full, strict=True):
            assert says(connector.map(event)) == says(connector.map(whole))


@pytest.mark.parametrize("wiki", [False, True])
@pytest.mark.parametrize("before", ["", LONG])
def test_with_references_no_word_leaves_jira(before: str, wiki: bool) -> None:
    events = _told(_story(before, wiki), "references")
    whole = {event.kind for event in _told(_story(before, wiki), "full") if CANARY in wire([event])}
    assert whole >= {"issue", "comment", "remotelinks"}
    assert CANARY not in wire(events)
    assert CANARY not in repr([connector.map(event) for event in events])


def test_with_references_choices_and_labels_stay() -> None:
    mapped, whole = (connector.map(_told(_story(""), keep)[0]) for keep in ("references", "full"))
    for name in ("status", "priority", "labels", "target_at", "due_at", "project", "business_unit", "development"):
        assert mapped.fields[name] == whole.fields[name]
    assert mapped.fields["title"] == "PAY-70"
    assert mapped.fields["attachments"] == [{"name": None, "size": 3, "type": "application/pdf"}]
    changes = [
        connector.map(event).activities for event in _told(_story(""), "references") if event.kind == "changelog"
    ]
    labels = {(one.from_label, one.to_label) for done in changes for one in done}
    assert {("To Do", "In Progress"), ("IN-3", "PAY-12"), (None, "This issue is blocked by OPS-31")} <= labels


@pytest.mark.parametrize("wiki", [False, True])
def test_with_an_excerpt_no_word_beyond_its_end_leaves_jira(wiki: bool) -> None:
    events = _told(_story(LONG, wiki), "excerpt")
    assert [event.kind for event in events if CANARY in wire([event])] == ["remotelinks"], "a link's one-line title"
    assert CANARY in wire(_told(_story("", wiki), "excerpt"))


def test_a_webhook_tells_no_word_either() -> None:
    body = recording("webhook_updated")
    body["issue"]["fields"] |= {"summary": f"{CANARY} PAY-1", "description": CANARY, "customfield_10077": CANARY}
    body["changelog"]["items"] += _edited()["items"]
    assert CANARY in wire(pushed(body))
    events = pushed(body, OPTIONS.model_copy(update={"keep": "references"}))
    assert [event.id for event in events] == [event.id for event in pushed(body)]
    assert CANARY not in wire(events)


PIECES = st.sampled_from(
    ["PAY-1 ", "https://x.example/a_b ", "<" + "b" * 20 + "1@x.example>", "\n", "{quote}", "{code}", "*", "_", "|",
     "bq. ", "Message-ID: <c@d>", "[x|https://y.example]", "word " * 60, ".", "h1. ", "\xa0", "[~anna]", "-", "+"]
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_text_names_the_same_whatever_is_kept(text: str) -> None:
    for value in (text, document(text)):
        whole = words(value)
        for keep in ("excerpt", "references"):
            said = words(fields({"body": value}, keep)["body"])
            assert _found(said.written) == _found(whole.written)
            assert _found(said.quoted) == _found(whole.quoted)


def _found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.value) for one in find(Text("t", text, Evidence.WRITTEN))]


JSON = st.recursive(
    st.none() | st.text(max_size=9), lambda one: st.lists(one) | st.dictionaries(st.text(max_size=9), one)
)


@given(JSON)
def test_values_of_any_shape_are_reduced(value: Any) -> None:
    beside(value, "references")
    assert fields({"x": value, "body": value, "properties": value}, "references").keys() == {"x", "body", "properties"}
    assert history({"items": [{"field": value, "fromString": value, "to": value}]}, "references").keys() == {"items"}
