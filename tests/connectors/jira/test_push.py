"""Webhooks: who may tell, and what becomes of it."""

import json
from typing import Any

import pytest

from connectors.contract import BadRecord, Delivery, Pushed, Unverified
from connectors.jira import connector
from connectors.jira.options import JiraOptions
from schemas.events import SourceEvent
from tests.connectors.jira.recorded import NOW, OPTIONS, pushed, recording
from tests.connectors.jira.signing import signed

TOKEN = "u" * 40


def deliver(raw: bytes, headers: dict[str, str], url: str = "https://hub.example/h", **more: Any) -> Pushed:
    options = JiraOptions.model_validate(OPTIONS.model_dump() | more)
    return connector.verify("c-test", options, Delivery("POST", url, headers, raw), NOW)


def body(name: str) -> bytes:
    return json.dumps(recording(name), indent=3).encode()


def test_signature_is_over_the_bytes_as_they_came() -> None:
    raw = body("webhook_updated")
    said = deliver(raw, signed(raw, "s3cret"))
    assert [(event.kind, event.form) for event in said.events] == [("issue", "pushed"), ("changelog", "pushed")]
    assert said.delivery == "wh-1"


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=00", "sha1=abc", "sha256=" + "ü"])
def test_a_wrong_signature_is_refused_even_at_the_right_address(signature: str) -> None:
    raw = body("webhook_updated")
    headers = {"x-hub-signature": signature or "x"}
    with pytest.raises(Unverified):
        deliver(raw, headers, f"https://hub.example/{TOKEN}", webhook_token=TOKEN)


def test_another_body_under_a_good_signature_is_refused() -> None:
    raw = body("webhook_updated")
    with pytest.raises(Unverified):
        deliver(raw + b" ", signed(raw, "s3cret"))


def test_an_unsigned_delivery_at_an_unguessable_address_is_only_a_hint() -> None:
    said = deliver(body("webhook_updated"), {}, f"https://hub.example/jira/{TOKEN}?x=1", webhook_token=TOKEN)
    assert (said.events, said.hints) == ((), ("10412",))
    with pytest.raises(Unverified):
        deliver(body("webhook_updated"), {}, "https://hub.example/jira/guess", webhook_token=TOKEN)


def test_a_link_hints_at_both_its_ends() -> None:
    raw = json.dumps({"webhookEvent": "issuelink_created", "issueLink": {"sourceIssueId": 1, "destinationIssueId": 2}})
    said = deliver(raw.encode(), signed(raw.encode(), "s3cret"))
    assert said.hints == ("1", "2")


def test_projects_that_are_not_read_tell_nothing() -> None:
    raw = body("webhook_updated")
    said = deliver(raw, signed(raw, "s3cret"), projects=("OPS",))
    assert said.events == ()


def test_a_further_filter_makes_every_delivery_a_hint() -> None:
    raw = body("webhook_updated")
    said = deliver(raw, signed(raw, "s3cret"), extra_jql="labels = x")
    assert (said.events, said.hints) == ((), ("10412",))


def test_changes_of_a_creation_are_left_out_because_no_read_ever_tells_them() -> None:
    assert [event.kind for event in pushed(recording("webhook_created"))] == ["issue"]


def test_a_pushed_issue_yields_to_the_same_version_when_fetched() -> None:
    issue = pushed(recording("webhook_updated"))[0]
    fetched = SourceEvent.model_validate(issue.model_dump(mode="json") | {"form": "fetched"})
    assert (issue.version, issue.order) == (fetched.version, fetched.order)
    assert issue.id != fetched.id
    assert issue.rank < fetched.rank


def test_an_epic_in_a_field_that_nobody_named_is_asked_for_not_lost() -> None:
    told = recording("webhook_updated")
    told["issue"]["fields"]["customfield_10014"] = "PAY-1"
    raw = json.dumps(told).encode()
    said = deliver(raw, signed(raw, "s3cret"))
    assert ([event.kind for event in said.events], said.hints) == (["changelog"], ("10412",))


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff\xfe", b"form=data", b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_bad_record(raw: bytes) -> None:
    with pytest.raises(BadRecord):
        deliver(raw, signed(raw, "s3cret"))


def test_a_security_level_keeps_a_webhook_silent() -> None:
    told = recording("webhook_updated")
    told["issue"]["fields"]["security"] = {"id": "1", "name": "HR only"}
    raw = json.dumps(told).encode()
    said = deliver(raw, signed(raw, "s3cret"))
    assert (said.events, said.hints) == ((), ("10412",))
