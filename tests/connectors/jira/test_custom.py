"""Custom fields that hold nothing but references are candidates; anything else in them is none."""

from typing import Any

import pytest

from connectors.dedicated import MOST_FIELDS
from connectors.jira import connector
from connectors.jira.custom import candidates
from schemas.artifacts import FIELDS_PART, Evidence, Reference
from tests.connectors.jira.recorded import recording, teller
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("10000000037", ["10000000037"]),
        (10000000037.0, ["10000000037"]),
        (10000000037, ["10000000037"]),
        ("10000000037, 10000000038", ["10000000037", "10000000038"]),
        ("PAY-12", ["PAY-12"]),
        ("https://app.hubspot.com/contacts/77/deal/4711", ["https://app.hubspot.com/contacts/77/deal/4711"]),
        ("<CAF=1.20260302@mail.acme.example>", ["<CAF=1.20260302@mail.acme.example>"]),
        ("anna@acme.example", []),
        ("see 10000000037", []),
        (3.0, []),
        (12345.5, []),
        (2.0**60, []),
        ("1" * 21, []),
        ("10001 10002 10003 10004 10005 10006", []),
        ("12345 " * 60, []),
        ({"value": "10000000037"}, []),
        (None, []),
        (True, []),
    ],
)
def test_what_a_field_holds(value: Any, held: list[str]) -> None:
    names = {"customfield_10050": {"name": "CRM deal", "custom": "textfield"}}
    found = candidates({"customfield_10050": value}, names)
    assert found == tuple(Reference("field", "", one, Evidence.FIELD, "CRM deal", "customfield_10050") for one in held)


def test_an_issue_has_so_many_of_them_at_most_and_links_to_epics_are_none() -> None:
    names: dict[str, Any] = {f"customfield_{10100 + n}": {"name": f"N{n}"} for n in range(30)}
    names["customfield_10014"] = {"name": "Epic Link", "custom": "com.pyxis.greenhopper.jira:gh-epic-link"}
    found = candidates(dict.fromkeys(names, "PAY-12"), names)
    assert len(found) == MOST_FIELDS
    assert "Epic Link" not in {one.relation for one in found}


def test_they_are_a_part_of_their_own_that_a_webhook_leaves_alone() -> None:
    issue = recording("cloud_story")
    issue["fields"] |= {"customfield_10050": "10000000037"}
    names = {"customfield_10050": {"name": "CRM deal", "custom": "textfield"}}
    told = connector.map(teller(names=names).issue_fields(issue, 1, []))
    assert [one.value for one in told.parts[FIELDS_PART].references] == ["10000000037"]
    assert told.fields["standing"][FIELDS_PART] == [FIELDS_PART]
    pushed = connector.map(teller(names=None).issue_fields(issue, 2))
    assert FIELDS_PART not in pushed.parts
    assert "standing" not in pushed.fields
    issue["fields"]["customfield_10050"] = None
    emptied = connector.map(teller(names=names).issue_fields(issue, 3, []))
    assert FIELDS_PART not in emptied.parts
    assert emptied.fields["standing"][FIELDS_PART] == []


@pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])
@pytest.mark.parametrize("keep", ["full", "references"])
async def test_they_are_read_with_the_issue_and_a_field_that_is_emptied_holds_nothing(
    rig_type: type[JiraRig], keep: str
) -> None:
    async with rig_type() as rig:
        artifact = rig.create("Payslips")
        issue = rig.issue(artifact)
        rig.jira.change(issue, custom={"Mail reference": "10000000037"}, at=rig.clock, by=rig.anna)
        assert await _held(rig, artifact, keep) == [("10000000037", "Mail reference", "customfield_10031")]
        rig.advance(60)
        rig.jira.change(issue, custom={"Mail reference": None}, at=rig.clock, by=rig.anna)
        assert await _held(rig, artifact, keep) == []


async def _held(rig: JiraRig, artifact: str, keep: str) -> list[tuple[str, str, str]]:
    """What the newest telling of the issue holds in its custom fields."""
    rig.settle()
    async with rig.connector.open(rig.connection, rig.options(keep=keep), rig.surroundings()) as source:
        told = [event async for page in source.pages(None, None) for event in page.events if event.kind == "issue"]
    newest = max((event for event in told if event.artifact == artifact), key=lambda one: one.order)
    part = connector.map(newest).parts.get(FIELDS_PART)
    return [(one.value, one.relation, one.field) for one in part.references] if part else []
