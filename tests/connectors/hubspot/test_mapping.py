"""What the recordings say, told exactly; the odd ones by name."""

from typing import Any

import pytest

from connectors.contract import BadRecord
from connectors.hubspot import connector
from schemas.artifacts import ActivityKind, Evidence, Identity, Mapped, Reference, State
from schemas.canonical import instant
from schemas.events import SourceEvent
from tests.connectors.hubspot.rig import recordings

SCOPE = "hubspot:4711"


def event_of(kind: str, **properties: str) -> SourceEvent:
    """The recording of this kind whose record has these properties."""
    for event in recordings():
        told = event.payload.get("object", {}).get("properties", {})
        if event.kind == kind and all(told.get(name) == value for name, value in properties.items()):
            return event
    raise AssertionError(f"no recording of {kind} with {properties}")


def around(kind: str, event: SourceEvent) -> Mapped:
    """The associations of the record another recording tells of."""
    found = next(each for each in recordings() if each.kind == "associations" and each.artifact == event.artifact)
    return connector.map(found)


def statuses(mapped: Mapped) -> list[tuple[Any, ...]]:
    return [
        (each.from_label, each.to_label, instant(each.at)[:10], each.actor, each.automatic)
        for each in mapped.activities
        if each.kind is ActivityKind.STATUS
    ]


def test_a_won_deal() -> None:
    event = event_of("deal", dealname="Payment export")
    mapped = connector.map(event)
    deal = event.native_id
    assert mapped.fields == {
        "natural_key": deal,
        "url": f"https://app.hubspot.com/contacts/4711/record/0-3/{deal}",
        "created_at": "2026-02-03T09:00:00.000000Z",
        "updated_at": "2026-02-07T09:00:00.000000Z",
        "deleted": False,
        "title": "Payment export",
        "type": "Sales Pipeline",
        "opens": True,
        "status": {"id": "closedwon", "label": "Closed Won", "category": "done", "pipeline": "Sales Pipeline"},
        "assignee": "c-test/owner/702",
        "priority": "high",
        "excerpt": "Export of payments,\nsee PAY-12",
        "outcome": {"result": "done", "reason": "Price", "at": "2026-02-07T09:00:00.000000Z"},
        "fields": {"Deal type": "newbusiness", "Next step": "Ask for PAY-13"},
        "amount": {"value": "12500.50", "currency": "EUR"},
        "target_at": "2026-02-07T09:00:00.000000Z",
    }
    assert statuses(mapped) == [
        (None, "Appointment Scheduled", "2026-02-03", "c-test/user/9701", False),
        ("Appointment Scheduled", "Contract Sent", "2026-02-05", "c-test/user/9702", False),
        ("Contract Sent", "Closed Won", "2026-02-07", "c-test/user/9702", False),
    ]
    moves = [each for each in mapped.activities if each.kind is ActivityKind.STATUS]
    assert [(each.from_category, each.to_category) for each in moves] == [
        (None, State.ACTIVE),
        (State.ACTIVE, State.ACTIVE),
        (State.ACTIVE, State.DONE),
    ]
    assert Identity("c-test/user/9701", "Olga Owner", "olga@vendor.example") in mapped.identities


def test_activities_have_keys_of_property_time_and_value() -> None:
    mapped = connector.map(event_of("deal", dealname="Payment export"))
    keys = {each.key.removeprefix(mapped.artifact) for each in mapped.activities}
    assert {"/created", "/dealstage/1770454800000/closedwon", "/hubspot_owner_id/1770195600000/702"} <= keys


def test_a_change_says_what_it_makes_of_the_fields() -> None:
    mapped = connector.map(event_of("deal", dealname="Payment export"))
    assert [one for each in mapped.activities for one in each.sets] == [
        ("amount", None, "12500.50"),
        ("target_at", None, "2026-03-31T10:00:00.000000Z"),
        ("target_at", "2026-03-31T10:00:00.000000Z", "2026-02-07T09:00:00.000000Z"),
        ("priority", None, "high"),
    ]
    assert mapped.fields["target_at"] == "2026-02-07T09:00:00.000000Z"


def test_an_assignment_names_people() -> None:
    mapped = connector.map(event_of("deal", dealname="Payment export"))
    assigned = [each for each in mapped.activities if each.kind is ActivityKind.ASSIGNED]
    assert [(each.from_label, each.to_label) for each in assigned] == [
        (None, "Olga Owner"),
        ("Olga Owner", "Omar Other"),
    ]


def test_what_an_integration_does_is_automatic() -> None:
    mapped = connector.map(event_of("ticket", subject="Export is slow"))
    assert [each[1:] for each in statuses(mapped)] == [
        ("New", "2026-02-08", None, True),
        ("Waiting on contact", "2026-02-09", "c-test/user/9701", False),
        ("Closed", "2026-02-10", "c-test/user/9701", False),
    ]
    assert mapped.fields["status"]["category"] == "done"
    assert mapped.fields["outcome"]["at"] == "2026-02-10T09:00:00.000000Z"


def test_a_lost_deal_is_cancelled_with_its_reason() -> None:
    fields = connector.map(event_of("deal", dealname="Other thing")).fields
    assert fields["status"]["category"] == "cancelled"
    assert fields["outcome"] == {"result": "cancelled", "reason": "No budget", "at": "2026-02-06T09:00:00.000000Z"}
    assert fields["target_at"] == "2026-02-04T09:00:00.000000Z", "told in epoch milliseconds"


def test_a_stage_of_ones_own_has_the_category_of_its_pipeline() -> None:
    fields = connector.map(event_of("deal", dealname="Project")).fields
    assert fields["status"] == {"id": "9001", "label": "Ask", "category": "active", "pipeline": "Projects"}


def test_a_deleted_stage_keeps_its_id_and_has_no_category() -> None:
    fields = connector.map(event_of("deal", dealname="Orphan")).fields
    assert fields["status"] == {"id": "deleted-stage", "label": "deleted-stage", "category": None, "pipeline": "gone"}
    assert fields["outcome"] is None


def test_an_archived_deal_is_deleted_at_hubspots_time() -> None:
    event = event_of("deal", dealname="Mistake")
    mapped = connector.map(event)
    assert mapped.fields["deleted"] is True
    gone = [each for each in mapped.activities if each.kind is ActivityKind.DELETED]
    assert [instant(each.at) for each in gone] == ["2026-02-14T09:00:00.000000Z"]
    assert event.order == 1771059600000 * 1000 + 999


def test_associations_tell_people_company_and_tickets() -> None:
    mapped = around("deal", event_of("deal", dealname="Payment export"))
    ticket = event_of("ticket", subject="Export is slow").native_id
    kim, lee = (each.id for each in sorted(mapped.identities, key=lambda one: one.name or ""))
    assert mapped.fields == {
        "participants": [{"identity": kim, "role": "contact"}, {"identity": lee, "role": "contact"}],
        "requester": None,
        "business_unit": "Customer AG",
    }
    assert mapped.parts["associations"].references == (
        Reference("hubspot.ticket", SCOPE, ticket, Evidence.EXPLICIT, "association", "associations"),
    )
    assert {each.address for each in mapped.identities} == {"kim@customer.example", "lee@customer.example"}


def test_the_only_contact_is_the_requester() -> None:
    mapped = around("ticket", event_of("ticket", subject="Export is slow"))
    assert [mapped.fields["requester"]] == [each.id for each in mapped.identities]


def test_a_note_is_a_comment() -> None:
    mapped = connector.map(event_of("note"))
    assert [(each.kind, each.text, each.actor) for each in mapped.activities] == [
        (ActivityKind.COMMENTED, "Kim called: wants & needs PAY-12", "c-test/user/9701")
    ]
    assert mapped.fields["opens"] is False


def test_a_logged_mail_tells_written_from_quoted_and_its_message_id() -> None:
    mapped = connector.map(event_of("email", hs_email_subject="Re: Payment export"))
    part = mapped.parts["record"]
    texts = {each.field: (each.text, each.evidence) for each in part.texts}
    assert texts["body"] == ("Please add the export of PAY-12.", Evidence.WRITTEN)
    assert texts["quoted"][1] is Evidence.QUOTED
    assert "OLD-1" in texts["quoted"][0]
    assert [(each.kind, each.value, each.relation) for each in part.references] == [
        ("hubspot.email", mapped.artifact.rpartition("/")[2], "is"),
        ("message-id", "A1.b@mail.customer.example", "association"),
    ]
    assert mapped.fields["participants"] == [
        {"identity": "mail/address/kim@customer.example", "role": "from"},
        {"identity": "mail/address/olga@vendor.example", "role": "to"},
    ]
    assert mapped.activities[0].actor == "mail/address/kim@customer.example"


def test_a_mail_states_each_deal_it_lies_on() -> None:
    one = around("email", event_of("email", hs_email_subject="Re: Payment export"))
    two = around("email", event_of("email", hs_email_subject="Hello"))
    told = [[(each.kind, each.evidence, each.relation) for each in mapped.parts["associations"].references]
            for mapped in (one, two)]  # fmt: skip
    stated = ("hubspot.deal", Evidence.EXPLICIT, "association")
    assert told == [[stated], [stated, stated]]


def test_merged_deals_are_known_by_their_old_ids_and_point_to_the_new_one() -> None:
    survivor = next(each for each in recordings() if each.kind == "deal" and "Twin" in str(each.payload)
                    and each.payload["object"]["properties"]["hs_merged_object_ids"])  # fmt: skip
    known_as = [each.value for each in connector.map(survivor).parts["record"].references if each.relation == "is"]
    merges = [connector.map(each) for each in recordings() if each.kind == "merge"]
    into = {each.artifact: each.fields["merged_into"] for each in merges}
    assert known_as[0] == survivor.native_id
    assert {f"c-test/deal/{old}": survivor.artifact for old in known_as[1:]}.items() <= into.items()
    assert len(into) == 3, "two into a new one, and one into a keeper by the old rule"
    assert all(each.activities[0].kind is ActivityKind.MERGED for each in merges)


def test_content_is_kept_as_the_connection_says() -> None:
    event = event_of("note")
    said = {}
    for keep in ("full", "excerpt", "references"):
        payload = event.payload | {"around": event.payload["around"] | {"keep": keep}}
        payload["object"] = payload["object"] | {
            "properties": payload["object"]["properties"] | {"hs_note_body": "x" * 900}
        }
        mapped = connector.map(event.model_copy(update={"payload": payload}))
        said[keep] = (len(mapped.activities[0].text or ""), len(mapped.fields["excerpt"] or ""))
    assert said == {"full": (900, 500), "excerpt": (500, 500), "references": (0, 0)}


@pytest.mark.parametrize("field", ["object", "of"])
def test_a_payload_without_its_record_is_a_bad_record_that_names_the_field(field: str) -> None:
    event = next(each for each in recordings() if field in each.payload)
    payload = {name: value for name, value in event.payload.items() if name != field}
    with pytest.raises(BadRecord, match=field):
        connector.map(event.model_copy(update={"payload": payload}))


def test_an_unknown_kind_is_a_bad_record() -> None:
    with pytest.raises(BadRecord, match="kind"):
        connector.map(recordings()[0].model_copy(update={"kind": "quote"}))
