"""Rich text as plain text, and content cut to what fits and what is kept."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira import connector
from connectors.jira.cutting import clean, fitted
from connectors.jira.issues import development
from connectors.jira.text import Words, words
from schemas.canonical import digest
from schemas.events import MAX_EVENT_BYTES, from_kafka, to_kafka
from services.sandbox.jira_shapes import document
from tests.connectors.jira.recorded import pushed, recording, told


def test_wiki_markup() -> None:
    text = (
        "h1. Goal\n* first *bold* and _thin_\n|| a || b ||\n| 1 | 2 |\n{code:java}int x = KEY-1;{code}\n!pic.png|thumb!"
    )
    assert words(text) == Words("Goal\nfirst bold and thin\na b\n1 2", "int x = KEY-1;")


def test_wiki_links_keep_their_addresses() -> None:
    assert words("see [here|https://a.example/x|smart-link] and [https://b.example]").written == (
        "see here https://a.example/x and https://b.example"
    )
    assert words("asks [~accountid:5b10a2844c20165700ede21g]").written == "asks @5b10a2844c20165700ede21g"


def test_names_with_underscores_and_stars_stay_as_they_are() -> None:
    assert words("my_file_name and 2*3*4 and PAY-1_2").written == "my_file_name and 2*3*4 and PAY-1_2"


def test_a_document_of_many_kinds() -> None:
    table = {
        "type": "table",
        "content": [
            {"type": "tableRow", "content": [{"type": "tableCell", "content": [document("a")["content"][0]]}] * 2}
        ],
    }
    code = {"type": "codeBlock", "content": [{"type": "text", "text": "KEY-1"}]}
    mention = {"type": "paragraph", "content": [{"type": "mention", "attrs": {"text": "@Omar"}}, {"type": "hardBreak"}]}
    assert words({"type": "doc", "version": 1, "content": [table, code, mention]}) == Words("a\na\n@Omar", "KEY-1")


def test_a_document_nested_too_deep_is_read_as_far_as_people_nest() -> None:
    node: dict[str, object] = {"type": "text", "text": "deep"}
    for _ in range(5000):
        node = {"type": "panel", "content": [node]}
    assert words(node) == Words()


@given(st.recursive(st.none() | st.text(max_size=20), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_words_of_anything(value: object) -> None:
    assert isinstance(words(value), Words)


def test_a_text_of_3_mb_keeps_its_size_and_hash() -> None:
    for description in ("x" * 3_000_000, "ü\n" * 700_000, document("word " * 600_000)):
        story = recording("cloud_story")
        story["fields"]["description"] = description
        event = told(story)[0]
        assert len(to_kafka(event)[1]) <= MAX_EVENT_BYTES
        raw = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        cut = {"field": "description", "bytes": len(raw.encode()), "sha256": digest(raw)}
        assert event.payload["cut"] == [cut]
        assert connector.map(event).fields["excerpt"]


def test_twenty_thousand_changes_fit() -> None:
    story = recording("cloud_story")
    histories = [
        {
            "id": str(100_000 + number),
            "created": "2026-03-02T09:00:00.000+0100",
            "items": [{"field": "description", "fromString": "a" * 5000, "toString": "b" * 5000}],
        }
        for number in range(20_000)
    ]
    story["changelog"]["histories"] = histories[:300]
    events = [event for event in told(story) if event.kind == "changelog"]
    assert max(len(to_kafka(event)[1]) for event in events) <= MAX_EVENT_BYTES
    assert sum(len(connector.map(event).activities) for event in events) == 300
    for history in histories:
        history["items"] = [{"field": "status", "from": "1", "to": "2"}]
    story["changelog"]["histories"] = histories
    events = [event for event in told(story) if event.kind == "changelog"]
    assert len(events) == 200
    story["changelog"]["histories"] = histories[:19_950]
    assert [event.id for event in told(story) if event.kind == "changelog"][:199] == [event.id for event in events][
        :199
    ]


def test_hundreds_of_wide_fields_fit_too() -> None:
    fields, cuts = fitted({f"customfield_{number}": ["v" * 900] * 30 for number in range(400)})
    assert len(json.dumps(fields)) <= MAX_EVENT_BYTES
    assert len(cuts) == 400


def test_excerpt_and_references_keep_no_more() -> None:
    story = recording("cloud_story")
    story["fields"]["description"] = "We talked about many things. " * 40 + "It is about CRM-77."
    excerpt = connector.map(told(story, keep="excerpt")[0])
    assert [len(text.text) for text in excerpt.parts["issue"].texts] == [35, 507]
    assert excerpt.parts["issue"].texts[1].text.endswith("CRM-77")
    events = told(story, keep="references")
    assert "talked" not in "".join(event.model_dump_json() for event in events)
    assert "Waits" not in "".join(event.model_dump_json() for event in events)
    assert connector.map(events[0]).parts["issue"].texts[1].text == "CRM-77"


def test_halves_of_characters_and_nul_are_made_storable() -> None:
    story = recording("cloud_story")
    story["fields"]["summary"] = "a\x00b\ud83d"
    event = told(story)[0]
    assert connector.map(event).fields["title"] == "a\ufffdb\ufffd"
    assert to_kafka(event)
    assert clean({"\x00": ["\udc00"]}) == {"\ufffd": ["\ufffd"]}


def _nested(levels: int) -> dict[str, object]:
    """A list in a list and so on, which no editor makes and a program may."""
    node: dict[str, object] = {"type": "paragraph", "content": [{"type": "text", "text": "deep PAY-77"}]}
    for _ in range(levels):
        node = {"type": "bulletList", "content": [{"type": "listItem", "content": [node]}]}
    return node


@pytest.mark.parametrize("keep", ["full", "excerpt", "references"])
@pytest.mark.parametrize("levels", [25, 50, 65, 220])
def test_what_is_nested_deeper_than_json_is_read_still_passes(levels: int, keep: str) -> None:
    story, text = recording("cloud_story"), document("On top: PAY-76")
    deep = text | {"content": [*text["content"], _nested(levels)]}
    story["fields"] |= {"description": deep, "environment": deep, "customfield_10099": _nested(levels)}
    story["fields"]["comment"]["comments"][0]["body"] = deep
    events = told(story, [{"id": 1, "object": {"url": "https://x.example/1", "icon": _nested(levels)}}], keep=keep)
    again = [from_kafka(value, headers) for _, value, headers in map(to_kafka, events)]
    assert [event.payload for event in again] == [event.payload for event in events]
    [issue] = (connector.map(event) for event in again if event.kind == "issue")
    found = {text.field: text.text for text in issue.parts["issue"].texts}["description"]
    assert "PAY-76" in found
    assert ("PAY-77" in found) == (levels == 25)


def test_a_webhook_is_nested_no_deeper_and_what_it_says_of_a_delete_can_be_stored() -> None:
    updated, deleted = recording("webhook_updated"), recording("webhook_deleted")
    updated["issue"]["fields"]["customfield_10099"] = _nested(220)
    deleted["user"]["displayName"] = "a\x00b\ud83d"
    deleted["user"]["avatarUrls"] = _nested(220)
    events = pushed(updated) + pushed(deleted)
    assert {event.kind for event in events} == {"issue", "changelog", "presence"}
    assert [from_kafka(value, headers) for _, value, headers in map(to_kafka, events)] == events


def test_a_quoted_paragraph_ends_with_its_line() -> None:
    said = words("Before PAY-1\nbq. quoted PAY-2\n\nAfter PAY-3\nbq. again\nand on")
    assert said.written == "Before PAY-1\nAfter PAY-3\nand on"
    assert said.quoted == "quoted PAY-2\nagain"


def test_a_mark_without_its_second_one_quotes_nothing() -> None:
    assert words("a {code:java}x{code} b {quote}c") == Words("a\nb c", "x")
    assert words("{code}{quote}x{code}y{quote}") == Words("y", "x")


@pytest.mark.parametrize("piece", ["{code:java}x", "{quote:a}", "{noformat}\n", "bq. a\n", "*a "])
def test_no_text_takes_long(piece: str) -> None:
    started = time.process_time()
    words(piece * (150_000 // len(piece)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("text", ["json={" * 16_000, "json={}" + " " * 90_000 + "x", "json=" + "[" * 90_000])
def test_no_development_field_takes_long(text: str) -> None:
    """Any field whose type is called so may hold what somebody wrote."""
    started = time.process_time()
    assert development(text) is None
    assert time.process_time() - started < 1


def test_a_development_field_is_read_whatever_follows() -> None:
    told = '{"cachedValue": {"summary": {"pullrequest": {"overall": {"count": 2, "state": "OPEN"}}}}}'
    for text in (f"{{pullrequest={{count=2}}, json={told}}}", f"json={told}", f"json={told} }} and more"):
        assert development(text) == {"pullrequest": {"count": 2, "state": "OPEN"}}
