"""Properties that the admin names: read from the account, shown with its labels, used for dates, units, references."""

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from connectors.contract import NamesFields
from connectors.hubspot import connector
from connectors.hubspot.options import Options
from schemas.artifacts import FIELDS_PART, Mapped
from schemas.events import SourceEvent
from tests.connectors.hubspot.custom import NAMED, CustomRig
from tests.connectors.rig import events_of, read


@pytest.fixture
async def rig() -> AsyncIterator[CustomRig]:
    async with CustomRig() as made:
        yield made
        assert made.writes == []


async def told(rig: CustomRig, kind: str = "deal") -> list[SourceEvent]:
    rig.settle()
    return [event for event in events_of(await read(rig)) if event.kind == kind]


async def mapped(rig: CustomRig, kind: str = "deal") -> Mapped:
    return connector.map((await told(rig, kind))[-1])


def named_in(one: Mapped) -> list[tuple[str, str, str]]:
    part = one.parts.get(FIELDS_PART)
    return [(each.field, each.relation, each.value) for each in part.references] if part else []


async def test_named_properties_are_shown_as_the_account_calls_them(rig: CustomRig) -> None:
    rig.deal_with(erp_order="4500012345", region="n;s", golive="2026-12-01", division="pay")
    one = await mapped(rig)
    assert one.fields["fields"] | {"ERP order": "4500012345", "Region": "North, South"} == one.fields["fields"]
    assert one.fields["due_at"] == "2026-12-01"
    assert one.fields["business_unit"] == "Payments"
    assert named_in(one) == [("erp_order", "ERP order", "4500012345")]


async def test_what_is_emptied_is_taken_back(rig: CustomRig) -> None:
    deal = rig.deal_with(erp_order="4500012345", golive="2026-12-01", division="pay")
    rig.advance(5)
    rig.account.set("deal", deal, erp_order="", golive="", division="")
    one = await mapped(rig)
    assert one.fields["standing"] == {FIELDS_PART: []}
    assert (one.fields["due_at"], one.fields["business_unit"]) == (None, None)


async def test_the_unit_of_a_record_without_that_property_is_its_company(rig: CustomRig) -> None:
    company = rig.account.create_company("Acme", "acme.example")
    for kind, record in (("deal", rig.deal_with(division="fx")), ("ticket", rig.account.create_ticket("Slow"))):
        rig.account.associate((kind, record), ("company", company), label="Primary")
    around = [connector.map(event) for event in await told(rig, "associations")]
    units = {one.kind: one.fields.get("business_unit") for one in around}
    assert units == {"deal": None, "ticket": "Acme"}


async def test_nothing_more_is_asked_for_where_nothing_is_named(rig: CustomRig) -> None:
    rig.deal_with(erp_order="4500012345")
    rig.server.exchanges = []
    rig.named = dict.fromkeys(NAMED, "") | {"properties": ()}
    (event,) = await told(rig)
    assert not {"custom", "roles"} & event.payload["around"].keys()
    assert "erp_order" not in event.payload["object"]["properties"]
    assert [one.path for one in rig.server.exchanges if "/properties" in one.path] == []


@pytest.mark.parametrize("keep", ["excerpt", "references"])
async def test_of_words_only_what_is_kept_stays_of_references_all(rig: CustomRig, keep: str) -> None:
    rig.named = NAMED | {"keep": keep}
    rig.deal_with(erp_order="4500012345", remark="word " * 300 + "see PAY-12", region="n")
    (event,) = await told(rig)
    held = event.payload["object"]["properties"]
    assert (held["erp_order"], held["region"]) == ("4500012345", "n")
    assert held["remark"].endswith("PAY-12")
    assert len(held["remark"]) < (10 if keep == "references" else 520)


async def test_a_misspelt_name_is_told_with_where_to_look(rig: CustomRig) -> None:
    async with connector.open("crm", rig.options(due_property="golivee"), rig.surroundings()) as source:
        steps = [step async for step in source.check()]
        assert isinstance(source, NamesFields)
        fields = await source.fields()
    assert not steps[-1].ok
    assert "golivee" in steps[-1].says
    assert "internal name" in steps[-1].says
    assert fields.needed["golivee"] == "due_property"
    assert "golivee" not in fields.there
    assert fields.there["erp_order"] == "ERP order"


async def test_a_property_that_was_archived_is_named_with_its_day_and_all_else_is_read(rig: CustomRig) -> None:
    rig.deal_with(erp_order="4500012345", golive="2026-12-01")
    async with connector.open("crm", rig.options(), rig.surroundings()) as source:
        assert isinstance(source, NamesFields)
        assert {"stage appointmentscheduled", "pipeline default"} <= (await source.fields()).there.keys()
        rig.account.archive_property("deal", "golive")
        fields = await source.fields()
        steps = [step async for step in source.check()]
    assert "golive" not in fields.there
    assert (fields.needed["golive"], fields.ended) == ("due_property", {"golive": rig.account.clock()})
    assert [(step.name, step.ok, step.of_fields) for step in steps[-1:]] == [("further properties", False, True)]
    one = await mapped(rig)
    assert "due_at" not in one.fields
    assert one.fields["fields"]["ERP order"] == "4500012345"


async def test_a_check_says_that_all_are_there(rig: CustomRig) -> None:
    async with connector.open("crm", rig.options(), rig.surroundings()) as source:
        steps = [step async for step in source.check()]
    assert [step.says for step in steps if step.name == "further properties"] == ["5 named properties are there"]
    assert all(step.ok for step in steps)


@pytest.mark.parametrize("name", ["Go-live", "a b", "x" * 101, "ümlaut"])
def test_a_label_is_no_internal_name(name: str) -> None:
    for option in ({"properties": (name,)}, {"due_property": name}, {"unit_property": name}):
        with pytest.raises(ValidationError, match="internal name"):
            Options.model_validate({"token": "pat-x", **option})
