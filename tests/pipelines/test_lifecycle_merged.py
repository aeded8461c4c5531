"""Deals that were merged: what the number that went away leaves of a request's life."""

from dataclasses import replace

from pipelines.lifecycle import fold
from schemas.artifacts import Activity, ActivityKind
from tests.pipelines.lives import STAGE_MAP, at, crm, here, request, way, way_of


def test_a_merged_deal_leaves_the_rest_to_the_one_it_went_into() -> None:
    old, new = crm("deal", 1, "Open", at(1), merged_into="hubspot/deal/2"), crm("deal", 2, "Contract sent", at(2))
    merge = Activity("m", old.id, ActivityKind.MERGED, at(3), None, objects=((new.id, "into"),))
    record = fold(request([old, new], *way(new, "Open", (at(2, 12), "Contract sent")), merge), STAGE_MAP)
    assert here(record) == "alignment since 01 Mar 09:00, waiting (customer) since 03 Mar 09:00"
    assert record.title == "Deal 2"
    assert record.timeline.entries[-1].words == "Somebody merged the deal “Deal 1” with the deal “Deal 2”"


def test_an_alias_of_a_merged_deal_takes_no_time_away() -> None:
    """HubSpot keeps nothing of what was merged but its number; that it was merged at the instant of another step, or
    before all, leaves every time as it is known."""
    deal = crm("deal", 2, "Contract sent", at(2))
    steps = way(deal, "Open", (at(2, 12), "Contract sent"))
    alone = way_of(fold(request([deal], *steps), STAGE_MAP))
    assert not any("?" in one for one in alone)
    for merged in (at(1), at(2), at(2, 12), at(3)):
        alias = replace(crm("deal", 1, "Open", at(1)), fields={"merged_into": deal.id, "natural_key": "1"})
        merge = Activity("m", alias.id, ActivityKind.MERGED, merged, None, objects=((deal.id, "into"),))
        record = fold(request([alias, deal], *steps, merge), STAGE_MAP)
        assert way_of(record) == alone
        only = fold(request([alias], merge), STAGE_MAP)
        assert only.current.state == "cancelled", "where it went to is not read"
