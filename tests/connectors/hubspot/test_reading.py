"""The oddities of HubSpot's API, one test each, against the small server."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from connectors.contract import Misconfigured, Page, RetryLater, Step
from connectors.hubspot.fitting import fitted
from connectors.hubspot.pull import FEW
from schemas.events import MAX_EVENT_BYTES, SourceEvent, to_kafka
from services.sandbox.hubspot_account import stamp
from tests.connectors.hubspot.company import Company
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import events_of, fold, read


async def census(rig: HubSpotRig, known: dict[str, str], cursor: Any = None, **options: Any) -> list[Page]:
    async with rig.connector.open(rig.connection, rig.options(**options), rig.surroundings()) as source:
        return [page async for page in source.census(known, cursor)]


async def fetched(rig: HubSpotRig, *hints: str) -> list[SourceEvent]:
    async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
        return events_of([page async for page in source.fetch(hints)])


async def checked(rig: HubSpotRig, **options: Any) -> list[Step]:
    async with rig.connector.open(rig.connection, rig.options(**options), rig.surroundings()) as source:
        return [step async for step in source.check()]


# --- pages ---


async def test_a_total_of_minus_two_thousand_million_is_no_total(rig: HubSpotRig, company: Company) -> None:
    rig.server.faults.add("total")
    pages = await read(rig)
    assert events_of(pages)
    assert {page.progress.total for page in pages[:-1] if page.progress} == {None}


async def test_a_first_read_tells_its_progress(rig: HubSpotRig, company: Company) -> None:
    pages = await read(rig)
    told = [(page.progress.done, page.progress.total) for page in pages if page.progress]
    assert len(told) == len(pages)
    assert told == sorted(told, key=lambda each: each[0])
    deals, tickets, notes, emails = 6, 1, 1, 2
    assert told[0][1] is None, "the first page does not wait for an estimate"
    assert {total for _, total in told[1:]} == {deals + tickets + notes + emails}
    assert told[-1][0] == told[-1][1]
    rest = await read(rig, pages[0].cursor)
    assert rest[-1].progress == pages[-1].progress, "a restart goes on counting"


async def test_a_first_read_begins_with_few_records(rig: HubSpotRig) -> None:
    """So that something is soon to be seen."""
    for number in range(45):
        rig.create(f"Deal {number}")
        rig.advance(1)
    rig.settle()
    async with rig.connector.open(rig.connection, rig.options(page_size=200), rig.surroundings()) as source:
        pages = [page async for page in source.pages(None, None)]
        deals = [sum(event.kind == "deal" for event in page.events) for page in pages]
        assert 0 < deals[0] <= FEW
        assert sum(deals[:2]) == 45
        for number in range(30):
            rig.create(f"Later {number}")
            rig.advance(1)
        rig.settle()
        later = [page async for page in source.pages(pages[-1].cursor, None)]
    assert sum(event.kind == "deal" for event in later[0].events) == 30


async def test_many_records_with_one_time_stamp(rig: HubSpotRig) -> None:
    made = {rig.create(f"Bulk {number}") for number in range(23)}
    rig.settle()
    assert {event.artifact for event in events_of(await read(rig)) if event.kind == "deal"} == made


async def test_a_first_read_begins_where_it_is_told_to(rig: HubSpotRig) -> None:
    rig.create("Old")
    rig.advance(86_400)
    since = rig.now()
    new = rig.create("New")
    rig.settle()
    assert {event.artifact for event in events_of(await read(rig, since=since))} == {new}


async def test_a_poll_after_a_change_tells_that_record_alone(rig: HubSpotRig, company: Company) -> None:
    cursor = (await read(rig))[-1].cursor
    rig.account.set_stage("deal", company.open, "9002")
    rig.settle()
    told = events_of(await read(rig, cursor))
    assert {(event.kind, event.artifact) for event in told} == {
        ("deal", f"c-test/deal/{company.open}"),
        ("associations", f"c-test/deal/{company.open}"),
    }


async def test_the_oldest_of_more_than_twenty_values_is_kept_from_earlier_reads(rig: HubSpotRig) -> None:
    artifact = rig.create("Much moved")
    events: list[SourceEvent] = []
    for _ in range(15):
        rig.advance(60)
        rig.change(artifact)
    rig.settle()
    events += events_of(await read(rig))
    for _ in range(15):
        rig.advance(60)
        rig.change(artifact)
    rig.settle()
    events += events_of(await read(rig))
    stages = [key for key in fold(rig.connector, events).activities if "/dealstage/" in key]
    assert len(stages) == 31


async def test_notes_and_mails_on_no_record_are_passed_over(rig: HubSpotRig, company: Company) -> None:
    contact = ("contact", company.kim)
    rig.account.create_note("About Kim only", contact)
    rig.settle()
    assert {event.native_id for event in events_of(await read(rig)) if event.kind == "note"} == {company.note}


async def test_notes_and_mails_can_be_left_out(rig: HubSpotRig, company: Company) -> None:
    async with rig.connector.open("c", rig.options(read_notes=False, read_emails=False), rig.surroundings()) as source:
        kinds = {event.kind for event in events_of([page async for page in source.pages(None, None)])}
    assert kinds == {"deal", "ticket", "associations", "merge"}


async def test_pipelines_that_open_requests(rig: HubSpotRig, company: Company) -> None:
    async with rig.connector.open("c-test", rig.options(opening_pipelines=["881"]), rig.surroundings()) as source:
        events = events_of([page async for page in source.pages(None, None)])
    opens = {event.native_id: rig.connector.map(event).fields["opens"] for event in events if event.kind == "deal"}
    assert [deal for deal, it in opens.items() if it] == [company.open]


async def test_half_a_batch_is_asked_again(rig: HubSpotRig, company: Company) -> None:
    rig.server.faults.add("partial")
    with pytest.raises(RetryLater):
        await read(rig)


async def test_a_page_that_leads_to_itself_ends_in_an_error(rig: HubSpotRig) -> None:
    for number in range(120):
        rig.create(f"Deal {number}")
    rig.settle()
    rig.server.faults.add("repeat")
    with pytest.raises(RetryLater, match="repeats"):
        await census(rig, {})


async def test_associations_in_pages_are_read_whole(rig: HubSpotRig) -> None:
    deal = rig.deal(rig.create("Deal"))
    tickets = [rig.account.create_ticket(f"Ticket {number}") for number in range(7)]
    for ticket in tickets:
        rig.account.associate(("deal", deal), ("ticket", ticket))
    rig.settle()
    at_once = events_of(await read(rig))
    rig.account.association_page = 3
    assert [event.id for event in events_of(await read(rig))] == [event.id for event in at_once]
    of_deal = next(event for event in at_once if event.native_id == f"deal/{deal}")
    assert {each["toObjectId"] for each in of_deal.payload["associations"]["tickets"]} >= set(tickets)


async def test_associations_that_lead_around_in_a_circle_end_in_an_error(rig: HubSpotRig) -> None:
    deal = rig.deal(rig.create("Deal"))
    rig.account.associate(("deal", deal), ("ticket", rig.account.create_ticket("Ticket")))
    rig.settle()
    rig.server.faults.add("repeat")
    async with asyncio.timeout(20):
        with pytest.raises(RetryLater, match="repeats associations"):
            await read(rig)


async def test_a_token_of_another_account_stops_the_connection(rig: HubSpotRig, company: Company) -> None:
    cursor = (await read(rig))[-1].cursor
    rig.account.portal = 999
    with pytest.raises(Misconfigured, match="999"):
        await read(rig, cursor)


# --- census ---


async def test_an_association_that_comes_back_is_told_each_time(rig: HubSpotRig) -> None:
    """There, gone, there again: the third telling equals the first, and must not fall out as known."""
    deal, ticket = rig.create("Deal"), rig.account.create_ticket("Ticket")
    pair = (("deal", rig.deal(deal)), ("ticket", ticket))
    rig.account.associate(*pair)
    rig.settle()
    events = events_of(await read(rig))
    known = dict.fromkeys({event.artifact for event in events}, "")
    pages = await census(rig, known)
    for change, stands in ((rig.account.dissociate, False), (rig.account.associate, True)):
        change(*pair)
        rig.advance(3600)
        pages = await census(rig, known, pages[-1].cursor)
        ids = {event.id for event in events}
        assert not ids & {event.id for event in events_of(pages)}
        events += events_of(pages)
        assert (f"hubspot.ticket|{ticket}" in fold(rig.connector, events).says(deal)) is stands


async def test_a_census_after_nothing_changed_tells_nothing(rig: HubSpotRig, company: Company) -> None:
    known = dict.fromkeys({event.artifact for event in events_of(await read(rig))}, "")
    first = await census(rig, known)
    rig.advance(3600)
    second = await census(rig, known, first[-1].cursor)
    assert events_of(second) == [], "neither associations nor the deletes that the first one told"
    assert second[-1].more is False


async def test_a_census_goes_on_where_it_was_killed(rig: HubSpotRig) -> None:
    made = {rig.create(f"Deal {number}") for number in range(260)}
    rig.settle()
    whole = await census(rig, {})
    assert len(whole) > 3
    for place in (0, 2, len(whole) - 2):
        rest = await census(rig, {}, json.loads(json.dumps(whole[place].cursor)))
        told = {event.artifact for event in events_of([*whole[: place + 1], *rest])}
        assert told == made, f"lost after page {place}"
        assert rest[-1].cursor["before"] == whole[-1].cursor["before"]


async def test_a_renamed_contact_is_told_by_the_census(rig: HubSpotRig, company: Company) -> None:
    events = events_of(await read(rig))
    known = dict.fromkeys({event.artifact for event in events}, "")
    before = (await census(rig, known))[-1].cursor
    rig.account.set("contact", company.kim, lastname="Neumann")
    told = events_of(await census(rig, known, before))
    names = {one.name for event in told for one in rig.connector.map(event).identities}
    assert "Kim Neumann" in names


async def test_a_record_the_search_never_showed_is_told_by_the_census(rig: HubSpotRig, company: Company) -> None:
    known = dict.fromkeys({event.artifact for event in events_of(await read(rig))}, "")
    hidden = rig.create("Hidden")
    rig.account.records["deal", rig.deal(hidden)].index.clear()
    told = {event.kind for event in events_of(await census(rig, known)) if event.artifact == hidden}
    assert told == {"deal", "associations"}


async def test_a_change_the_search_lost_is_told_by_the_next_census(rig: HubSpotRig, company: Company) -> None:
    known = dict.fromkeys({event.artifact for event in events_of(await read(rig))}, "")
    before = (await census(rig, known))[-1].cursor
    rig.advance(600)
    rig.account.set_stage("deal", company.open, "9002")
    told = events_of(await census(rig, known, before))
    deal = next(event for event in told if event.kind == "deal" and event.native_id == company.open)
    assert rig.connector.map(deal).fields["status"]["label"] == "Signed"


async def test_a_deal_merged_into_one_that_was_deleted_before_anybody_saw_it(rig: HubSpotRig) -> None:
    one, two = rig.create("One"), rig.create("Two")
    rig.settle()
    events = events_of(await read(rig))
    into = rig.account.merge("deal", rig.deal(one), rig.deal(two))
    rig.advance(5)
    rig.account.archive("deal", into)
    events += events_of(await census(rig, {one: "", two: ""}))
    folded = fold(rig.connector, events)
    survivor = f"c-test/deal/{into}"
    assert [folded.value(each, "merged_into") for each in (one, two)] == [survivor, survivor]
    assert folded.value(survivor, "deleted") is True


async def test_restored_wins_over_deleted_and_deleted_over_older(rig: HubSpotRig) -> None:
    artifact = rig.create("Deal")
    rig.settle()
    events = events_of(await read(rig))
    rig.delete(artifact)
    events += events_of(await census(rig, {artifact: ""}))
    assert fold(rig.connector, reversed(events)).value(artifact, "deleted") is True
    rig.advance(60)
    rig.account.restore("deal", rig.deal(artifact))
    rig.settle()
    events += events_of(await read(rig))
    assert fold(rig.connector, reversed(events)).value(artifact, "deleted") is False


# --- hints ---


async def test_a_hint_at_a_deleted_record_tells_the_delete(rig: HubSpotRig, company: Company) -> None:
    told = await fetched(rig, f"deal/{company.archived}")
    assert [rig.connector.map(event).fields["deleted"] for event in told] == [True]


async def test_hints_at_nothing_tell_nothing(rig: HubSpotRig, company: Company) -> None:
    assert await fetched(rig, "deal/1", "quote/7", "deal/x", "", "deal/../7") == []


async def test_a_hint_at_a_merged_deal_is_left_to_its_survivor(rig: HubSpotRig, company: Company) -> None:
    one, two, into = company.merged
    assert await fetched(rig, f"deal/{one}") == []
    told = await fetched(rig, f"deal/{into}")
    assert {event.artifact.rpartition("/")[2] for event in told if event.kind == "merge"} == {one, two}


# --- check ---


async def test_each_missing_scope_is_named_with_the_place_to_grant_it(rig: HubSpotRig) -> None:
    for scope in sorted(rig.server.scopes):
        rig.server.scopes.discard(scope)
        last = (await checked(rig))[-1]
        rig.server.scopes.add(scope)
        assert not last.ok
        assert scope in last.says
        assert "Service Keys" in last.says


async def test_the_check_names_account_and_clock(rig: HubSpotRig) -> None:
    steps = await checked(rig)
    assert "4711" in steps[0].says
    late = rig.surroundings().__class__(lambda: rig.now() + timedelta(minutes=10), rig.surroundings().network)
    async with rig.connector.open("c", rig.options(), late) as source:
        last = [step async for step in source.check()][-1]
    assert (last.name, last.ok) == ("clock", False)
    assert "600 seconds" in last.says


async def test_the_check_tells_a_wrong_account_and_a_wrong_address(rig: HubSpotRig) -> None:
    assert "4711" in (await checked(rig, portal=1))[-1].says
    wrong = (await checked(rig, base_url=rig.server.url + "/proxy"))[-1]
    assert not wrong.ok
    assert "address and version" in wrong.says


# --- size ---


async def test_a_mail_of_three_megabytes_is_cut_and_says_so(rig: HubSpotRig) -> None:
    deal = rig.deal(rig.create("Deal"))
    rig.account.create_email("Long", "ü" * 3_000_000, ("deal", deal))
    rig.settle()
    email = next(event for event in events_of(await read(rig)) if event.kind == "email")
    assert len(to_kafka(email)[1]) <= MAX_EVENT_BYTES
    assert email.payload["around"]["cut"]["hs_email_text"]["size"] == 3_000_000
    assert rig.connector.map(email).fields["excerpt"] == "ü" * 500


def test_thousands_of_contacts_are_cut_but_no_deal_is() -> None:
    contacts = [{"id": str(number), "properties": {"email": "x" * 60}} for number in range(9000)]
    listed = [{"toObjectId": str(number), "associationTypes": []} for number in range(9000)]
    payload = {"associations": {"contacts": listed, "tickets": listed[:50]}, "contacts": contacts, "around": {}}
    cut = fitted(payload)
    assert len(json.dumps(cut)) < MAX_EVENT_BYTES
    assert cut["associations"]["tickets"] == listed[:50]
    assert len(cut["contacts"]) == len(cut["associations"]["contacts"]) < 9000
    assert cut["around"]["cut"]["contacts"]["size"] == 9000


def test_thousands_of_tickets_fit_too_and_no_contact_is_cut_for_them() -> None:
    of_type = [{"category": "HUBSPOT_DEFINED", "typeId": 27, "label": None}]
    listed = [{"toObjectId": 10**11 + number, "associationTypes": of_type} for number in range(6000)]
    contacts = [{"id": "1", "properties": {"email": "x@example.com"}}, {"id": "2", "properties": {}}]
    payload = {"associations": {"contacts": listed[:2], "tickets": listed}, "contacts": contacts, "around": {}}
    cut = fitted(payload)
    assert len(json.dumps(cut)) < MAX_EVENT_BYTES
    assert cut["associations"] == {"contacts": listed[:2], "tickets": listed[:3000]}
    assert cut["contacts"] == contacts
    assert cut["around"]["cut"]["tickets"]["size"] == 6000


def test_half_a_character_pair_is_made_storable() -> None:
    assert fitted({"object": {"properties": {"dealname": "x\ud83d"}}, "around": {}})["object"]["properties"] == {
        "dealname": "x\ufffd"
    }


async def test_a_record_without_a_time_is_set_aside(rig: HubSpotRig) -> None:
    from connectors.hubspot.telling import Teller

    teller = Teller("c", rig.options(), None, {"portalId": 1}, rig.now)  # type: ignore[arg-type]
    assert await teller._events("note", [{"id": "5", "properties": {}}]) == []
    assert [(one.native_id, one.reason[:19]) for one in teller.take_set_aside()] == [("5", "hs_lastmodifieddate")]
    assert teller.take_set_aside() == []


def test_times_are_written_with_milliseconds(rig: HubSpotRig) -> None:
    assert stamp(rig.now()) == "2026-03-02T09:00:00.000Z"
