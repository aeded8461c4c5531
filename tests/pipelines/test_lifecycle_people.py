"""Hand-written lives: who may see what, who counts as whom, what was taken back, what an earlier day knew."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from pipelines.lifecycle import as_of, fold, to_text
from pipelines.lifecycle.members import LinkInput, RequestInput
from pipelines.lifecycle.stages import StageMap
from pipelines.lifecycle.summary import summary
from schemas.artifacts import Activity, ActivityKind, Audience, Identity
from schemas.records import Amount, KnownAs
from tests.pipelines.lives import (
    ANNA,
    ANNA_MAIL,
    BEN,
    CARLA,
    ROBOT,
    STAGE_MAP,
    artifacts_of,
    assigned,
    at,
    changed,
    comment,
    crm,
    depends,
    here,
    issue,
    mail,
    moved,
    request,
    sent,
    status,
    way,
    way_of,
)


def test_restricted_content_is_left_out_unless_its_connection_shows_it() -> None:
    level = {"level": "restricted", "stated": "Board only"}
    secret = issue(1, "In Progress", at(1), audience=level, assignee=ANNA.id, resolution="Merger")
    said = comment(secret, at(2), "We buy them")
    field = Activity("f", secret.id, ActivityKind.FIELD, at(3), BEN.id, field="summary", to_value="Merger")
    told = request([secret], said, field)
    record = fold(told, STAGE_MAP)
    text = to_text(record)
    assert all(word not in text for word in ("Issue 1", "We buy them", "Merger"))
    assert (record.title, record.restricted, record.artifacts[0].restricted) == (None, 1, True)
    assert [(each.words, each.restricted) for each in record.timeline.entries] == [
        ("Anna Berg commented on PAY-1", True),
        ("Ben Okoro changed summary of PAY-1", True),
    ]
    shown = fold(request([secret], said, field, shows_restricted=frozenset({"jira"})), STAGE_MAP)
    assert (shown.title, shown.restricted) == ("Issue 1", 0)
    assert shown.timeline.entries[0].words == "Anna Berg commented on PAY-1: “We buy them”"


def test_a_restricted_comment_on_an_open_issue_keeps_its_words_to_itself() -> None:
    one = issue(1, "In Progress", at(1), requester=CARLA.id)
    told = request(
        [one],
        comment(one, at(2), "We are on it"),
        comment(one, at(3), "They are slow payers", audience=Audience("internal", "Internal note")),
        comment(one, at(4), "Board matter", audience=Audience("restricted", "Board")),
    )
    record = fold(told, STAGE_MAP)
    assert [each.restricted for each in record.timeline.entries] == [False, False, True]
    assert "Board matter" not in to_text(record)
    assert record.last_said is not None
    assert record.last_said.words == "We are on it"


def test_a_mail_that_came_back_was_said_to_nobody() -> None:
    asked, first = mail(1, at(1)), mail(2, at(2), ANNA_MAIL, CARLA, opens=False)
    lost = mail(3, at(3), ANNA_MAIL, CARLA, opens=False)
    report = mail(4, at(3, 10), ROBOT, ANNA_MAIL, type="bounce", opens=False)
    logged = crm("email", 5, "SENT", at(3), opens=False, status=None, participants=lost.fields["participants"])
    copied = Activity("logged", logged.id, ActivityKind.SENT, at(3), ANNA_MAIL.id, text="We come on Monday")
    told = request(
        [asked, first, lost, report, logged],
        sent(1, at(1)),
        sent(2, at(2), ANNA_MAIL, "We look at it"),
        sent(3, at(3), ANNA_MAIL, "We come on Monday"),
        copied,
        links=[
            LinkInput(report.id, lost.id, "bounce", "joins", since=at(3, 10)),
            LinkInput(logged.id, lost.id, "association", "joins", since=at(3)),
        ],
    )
    record = fold(told, STAGE_MAP)
    assert record.last_said is not None
    assert (record.last_said.words, record.last_said.artifact) == ("We look at it", "mail/mail/2")
    before = fold(told, STAGE_MAP, as_of=at(3, 9, 30))
    assert before.last_said is not None
    assert before.last_said.words == "We come on Monday"


def test_a_mail_that_came_back_for_another_was_said_to_the_requester() -> None:
    asked, told = mail(1, at(1)), mail(2, at(2), ANNA_MAIL, CARLA, opens=False)
    said = [sent(1, at(1)), sent(2, at(2), ANNA_MAIL, "We come on Monday")]

    def last(**fields: object) -> str | None:
        report = mail(3, at(2, 10), ROBOT, ANNA_MAIL, type="bounce", opens=False, **fields)
        back = LinkInput(report.id, told.id, "bounce", "joins", since=at(2, 10))
        record = fold(request([asked, told, report], *said, links=[back]), STAGE_MAP)
        return record.last_said.words if record.last_said else None

    assert last(undelivered=["mail/address/else@customer.example"]) == "We come on Monday"
    assert last(undelivered=[]) == "We come on Monday"  # a warning of a delay
    assert last(undelivered=["mail/address/else@customer.example", CARLA.id]) is None
    assert last() is None


def test_development_is_left_only_when_all_issues_are_done() -> None:
    one, two = issue(1, "Done", at(1)), issue(2, "In Progress", at(2))
    release = issue(9, "Rolling out", at(4), kind="Release")
    moves = way(one, "Ready", (at(3), "Done"))
    assert here(fold(request([one, two, release], *moves), STAGE_MAP)) == (
        "development since 01 Mar 09:00, active since 02 Mar 09:00"
    )
    two = issue(2, "Done", at(2))
    record = fold(request([one, two, release], *moves, *way(two, "In Progress", (at(6), "Done"))), STAGE_MAP)
    assert way_of(record) == [
        "development 1: 01 Mar 09:00 - 06 Mar 09:00: 01 Mar 09:00 new, 02 Mar 09:00 active",
        "change 1: 06 Mar 09:00 - now: 06 Mar 09:00 active",
    ]
    quick = StageMap(STAGE_MAP.rules, gates={})
    record = fold(request([one, issue(2, "In Progress", at(2)), release], *moves), quick)
    assert here(record) == "change since 04 Mar 09:00, active since 04 Mar 09:00"


def test_times_of_several_zones_are_one_time() -> None:
    berlin, delhi = timezone(timedelta(hours=1)), timezone(timedelta(hours=5, minutes=30))
    one = issue(1, "In Progress", None, created_at="2026-03-01T10:00:00+01:00")
    there = [
        moved(one, at(2).astimezone(delhi), "Analysis", "Ready"),
        moved(one, at(3).astimezone(berlin), "Ready", "In Progress"),
    ]
    here_ = [moved(one, at(2), "Analysis", "Ready"), moved(one, at(3), "Ready", "In Progress")]
    record = fold(request([one], *there), STAGE_MAP)
    assert way_of(record) == [
        "requirements 1: 01 Mar 09:00 - 02 Mar 09:00: 01 Mar 09:00 active",
        "development 1: 02 Mar 09:00 - now: 02 Mar 09:00 new, 03 Mar 09:00 active",
    ]
    assert way_of(record) == way_of(fold(request([one], *here_), STAGE_MAP))
    assert '"at":"2026-03-02T09:00:00.000000Z"' in to_text(record)
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    night = fold(request([issue(2, "In Progress", late)]), STAGE_MAP)
    assert summary(night, at(5)).startswith("In development since 2 March")
    assert summary(night, at(5).astimezone(berlin)).startswith("In development since 3 March")


def test_machines_do_not_count_as_humans() -> None:
    one = issue(1, "In Progress", at(1))
    told = request(
        [one],
        comment(one, at(2), "On it"),
        comment(one, at(3), "Build 7 is green", actor=ROBOT),
        Activity("rank", one.id, ActivityKind.FIELD, at(4), BEN.id, automatic=True, field="Rank"),
    )
    record = fold(told, STAGE_MAP)
    assert record.last_human is not None
    assert record.last_automatic is not None
    assert (record.last_human.at, record.last_automatic.at) == (at(2), at(4))


def test_an_epic_beside_its_issues_moves_nothing() -> None:
    epic = issue(1, "In Progress", at(1), kind="Epic", type_level=1)
    one = issue(2, "Done", at(2))
    record = fold(request([epic, one], *way(one, "Ready", (at(3), "Done"))), STAGE_MAP)
    assert here(record) == "development since 02 Mar 09:00, done since 03 Mar 09:00"
    assert (record.progress.done, record.progress.total) == (1, 1)
    assert here(fold(request([epic]), STAGE_MAP)) == "development since 01 Mar 09:00, active since 01 Mar 09:00"


def test_a_ticket_is_the_ask_before_the_delivery_and_improvement_after_it() -> None:
    early, one = crm("ticket", 1, "Open", at(1)), issue(1, "Done", at(2))
    moves = way(one, "Ready", (at(5), "Done"))
    late = crm("ticket", 2, "Open", at(7))
    record = fold(request([early, one, late], *moves), STAGE_MAP)
    assert [(each.stage, each.mapped_by) for each in record.artifacts] == [
        ("alignment", "said before anything was delivered; a ticket"),
        ("development", "Done row"),
        ("improvement", "a ticket"),
    ]
    assert here(record) == "improvement since 07 Mar 09:00, active since 07 Mar 09:00"


def test_a_past_status_takes_the_category_its_tool_gives_it_today() -> None:
    one = issue(1, None, at(1), kind="Bug", status=status("Triaged", "done"))
    two = issue(2, None, at(1), kind="Bug", status=status("Odd", "active"))
    record = fold(request([one, two], *way(one, "Odd", (at(3), "Triaged"))), STAGE_MAP)
    assert way_of(record) == ["improvement 1: 01 Mar 09:00 - now: 01 Mar 09:00 active"]
    alone = fold(request([one], *way(one, "Odd", (at(3), "Triaged"))), STAGE_MAP)
    assert way_of(alone) == ["improvement 1: 01 Mar 09:00 - now: 01 Mar 09:00 None, 03 Mar 09:00 done"]


def test_a_past_status_without_category_means_what_another_row_says_of_it() -> None:
    release = issue(1, None, at(1), kind="Bug", status=status("Verified", "done"))
    told = request([release], *way(release, "Ready", (at(2), "In Progress"), (at(4), "Verified")))
    bugs_first = StageMap(tuple(sorted(STAGE_MAP.rules, key=lambda rule: rule.type != "Bug")))
    assert way_of(fold(told, bugs_first)) == [
        "improvement 1: 01 Mar 09:00 - now: 01 Mar 09:00 new, 02 Mar 09:00 active, 04 Mar 09:00 done"
    ]


def test_what_is_closed_without_being_done_is_cancelled() -> None:
    outcome = {"result": "cancelled", "reason": "Duplicate", "at": at(4).isoformat()}
    one, two = issue(1, "Done", at(1), outcome=outcome), issue(2, "Done", at(1))
    moves = way(one, "Ready", (at(2), "In Progress"), (at(4), "Done"))
    record = fold(request([one], *moves), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, cancelled since 04 Mar 09:00"
    assert record.outcome is not None
    assert (record.outcome.reason, record.artifacts[0].mapped_by) == (
        "Duplicate", "closed without being done; Done row",
    )  # fmt: skip
    both = fold(request([one, two], *moves, *way(two, "Ready", (at(3), "Done"))), STAGE_MAP)
    assert (both.current.state, both.progress.done, both.progress.total, both.progress.cancelled) == ("done", 1, 1, 1)


def test_links_and_moves_are_told_in_words() -> None:
    one, two = issue(1, "In Progress", at(1)), issue(2, "In Progress", at(1))
    linked = Activity("a", one.id, ActivityKind.LINKED, at(2), ANNA.id, to_label="PAY-2", objects=((two.id, "blocks"),))
    unlinked = Activity("b", one.id, ActivityKind.UNLINKED, at(3), ANNA.id, from_label="This issue blocks OPS-9")
    relocated = Activity("c", one.id, ActivityKind.MOVED, at(4), ANNA.id, from_label="OPS-1", to_label="PAY-1")
    left = assigned(one, at(5), None, ANNA)
    record = fold(request([one, two], linked, unlinked, relocated, left, assigned(one, at(6), BEN)), STAGE_MAP)
    assert [each.words for each in record.timeline.entries] == [
        "Anna Berg linked PAY-1 to PAY-2",
        "Anna Berg unlinked PAY-1: This issue blocks OPS-9",
        "Anna Berg moved PAY-1 from OPS-1 to PAY-1",
        "Ben Okoro took PAY-1 from its assignee",
        "Ben Okoro assigned PAY-1 to Ben Okoro",
    ]


def test_the_holder_is_who_has_open_work_where_the_request_is() -> None:
    deal = crm("deal", 1, "Won", at(1), assignee=BEN.id)
    one, two = issue(1, "Ready", at(2), assignee=BEN.id), issue(2, "In Progress", at(2), assignee=ANNA.id)
    record = fold(request([deal, one, two], assigned(two, at(4), ANNA, BEN)), STAGE_MAP)
    assert record.holder is not None
    assert (record.holder.person.id, record.holder.since, record.holder.artifact) == (ANNA.id, at(4), two.id)
    assert [(each.artifact, each.value) for each in record.sources["holder"].others] == [(one.id, BEN.id)]


def test_one_address_is_one_person_and_a_decision_makes_two_identities_one() -> None:
    one = issue(1, "In Progress", at(1), requester=ANNA.id)
    record = fold(request([mail(1, at(2), ANNA_MAIL, CARLA), one]), STAGE_MAP)
    assert [(each.id, each.identities) for each in record.people] == [
        (ANNA.id, (ANNA.id, ANNA_MAIL.id)),
        (CARLA.id, (CARLA.id,)),
    ]
    joined = fold(request([one], comment(one, at(2), "x", BEN), persons={BEN.id: "P-1", ANNA.id: "P-1"}), STAGE_MAP)
    assert [(each.id, each.identities) for each in joined.people] == [(ANNA.id, (ANNA.id, BEN.id))]


def test_who_is_known_elsewhere_is_called_so_where_nothing_here_says_more() -> None:
    asked = Identity("mail/address/eva@x.example", None, "eva@x.example")
    contact = Identity("crm/contact/5", "Eva Stone", "eva@x.example", machine=True)
    one = mail(1, at(1), asked)
    told = RequestInput("R-TEST", [one], [], (contact, asked), elsewhere=frozenset({contact.id}))
    requester = fold(told, STAGE_MAP).requester
    assert requester is not None
    assert (requester.id, requester.name, requester.address) == (asked.id, "Eva Stone", asked.address)
    assert requester.known_as == (
        KnownAs(identity=asked.id, name=None, address=asked.address, connections=(one.connection,)),
        KnownAs(identity=contact.id, name="Eva Stone", address=asked.address),
    )
    assert (requester.identities, requester.elsewhere, requester.machine) == ((asked.id,), (contact.id,), False)
    named = replace(told, identities=(contact, replace(asked, name="eva")))
    requester = fold(named, STAGE_MAP).requester
    assert requester is not None
    assert requester.name == "eva"
    apart = replace(told, persons={contact.id: contact.id, asked.id: asked.id})
    requester = fold(apart, STAGE_MAP).requester
    assert requester is not None
    assert (requester.name, requester.elsewhere) == (None, ())


def test_like_changes_by_one_hand_within_minutes_become_one_entry() -> None:
    one = issue(1, "In Progress", at(1))

    def edit(number: int, when: datetime, who: Identity = ANNA) -> Activity:
        return Activity(f"e{number}", one.id, ActivityKind.FIELD, when, who.id, field=f"field {number}")

    told = [
        edit(1, at(2)),
        edit(2, at(2, 9, 5)),
        edit(3, at(2, 9, 12)),
        edit(4, at(2, 9, 13), BEN),
        edit(5, at(2, 11)),
        edit(6, at(2, 12)),
    ]
    record = fold(request([one], *told), STAGE_MAP)
    assert [(each.words, each.count) for each in record.timeline.entries] == [
        ("Anna Berg made 3 changes to PAY-1 (field 1, field 2, field 3)", 3),
        ("Ben Okoro changed field 4 of PAY-1", 1),
        ("Anna Berg changed field 5 of PAY-1", 1),
        ("Anna Berg changed field 6 of PAY-1", 1),
    ]
    assert record.timeline.total == 6


def test_what_was_taken_back_is_not_told() -> None:
    one = issue(1, "In Progress", at(1))
    said = comment(one, at(2), "Never mind")
    taken_back = Activity(said.key, one.id, said.kind, said.at, said.actor, withdrawn=True)
    assert fold(request([one], taken_back), STAGE_MAP).timeline.total == 0


def test_the_newest_two_hundred_are_kept_of_many() -> None:
    one = issue(1, "In Progress", at(1))
    told = [comment(one, at(2) + timedelta(minutes=number), f"Number {number}") for number in range(450)]
    line = fold(request([one], *told), STAGE_MAP).timeline
    assert (line.total, len(line.entries)) == (450, 200)
    assert line.entries[-1].words.endswith("“Number 449”")


def test_as_of_takes_fields_back_to_what_their_history_says() -> None:
    one = issue(1, "Done", at(1), title="New title", assignee=BEN.id, resolution="Fixed", due_at="2026-04-20",
                amount={"value": "200", "currency": "EUR"})  # fmt: skip
    told = request(
        [one, mail(4, at(9))],
        *way(one, "Ready", (at(2), "In Progress"), (at(6), "Done")),
        assigned(one, at(2), ANNA),
        assigned(one, at(5), BEN, ANNA),
        changed(one, at(7), "title", "Old title", "New title"),
        changed(one, at(8), "title", "Old title", "New title"),
        changed(one, at(3), "due_at", None, "2026-03-20"),
        changed(one, at(5), "due_at", "2026-03-20", "2026-04-20"),
        changed(one, at(5), "amount", "100", "200"),
        links=[depends(one, issue(2, "Ready", at(1)), at(8))],
    )
    then = fold(as_of(told, at(4)), STAGE_MAP)
    assert then.title == "Old title"
    assert [each.value for each in then.dates] == ["2026-03-20"]  # and not as it is, or as it was before the 3rd
    assert then.amount == Amount(value="100", currency="EUR")
    assert then.holder is not None
    assert (then.holder.person.id, then.holder.since) == (ANNA.id, at(2))
    assert here(then) == "development since 01 Mar 09:00, active since 02 Mar 09:00"
    assert ([each.id for each in then.artifacts], then.blocked_by, then.outcome) == ([one.id], (), None)


def test_as_of_knows_nobody_as_assignee_who_was_it_later() -> None:
    both = [{"identity": CARLA.id, "role": "reporter"}, {"identity": BEN.id, "role": "assignee"}]
    one = issue(1, "Ready", at(1), assignee=BEN.id, participants=both)
    told = request([one], assigned(one, at(3), ANNA), assigned(one, at(5), BEN, ANNA))
    then = [fold(told, STAGE_MAP, as_of=at(day)).people for day in (2, 4, 5)]
    assert [{each.name: each.roles for each in people} for people in then] == [
        {"Carla Diaz": ("reporter",)},
        {"Anna Berg": ("assignee",), "Ben Okoro": ("took part",), "Carla Diaz": ("reporter",)},
        {"Ben Okoro": ("assignee",), "Carla Diaz": ("reporter",)},
    ]


def test_as_of_shows_no_link_with_what_came_later() -> None:
    one, other, epic = issue(1, "Ready", at(1)), issue(2, "Ready", at(5)), issue(3, "Ready", at(6), type_level=1)
    links = [
        LinkInput(other.id, one.id, "parent", "joins", "explicit", "PAY-2 is part of PAY-1"),
        LinkInput(epic.id, one.id, "programme", "programme", "explicit", "PAY-1 belongs to PAY-3"),
        LinkInput(one.id, "jira/issue/9", "relates to", "mentions", "explicit", "PAY-1 relates to what is not read"),
    ]
    told = request([one, other], links=links, others=[epic])
    shown = [fold(told, STAGE_MAP, as_of=at(day)) for day in (4, 5, 6)]
    assert [len(each.links) for each in shown] == [1, 2, 2]
    assert [len(each.programmes) for each in shown] == [0, 0, 1]


def test_as_of_names_a_holder_who_is_unknown_but_for_that() -> None:
    one = issue(1, "In Progress", at(1), assignee=ANNA.id)
    stranger = Identity("jira/account/zoe", None)
    record = fold(request([one], assigned(one, at(5), ANNA, stranger)), STAGE_MAP, as_of=at(3))
    assert record.holder is not None
    assert (record.holder.person.id, record.holder.since) == (stranger.id, at(1))


def test_as_of_knows_no_wait_deletion_or_outcome_that_came_later() -> None:
    waits = issue(1, "In Progress", at(1), waiting={"reason": "customer", "since": at(5).isoformat()})
    outcome = {"result": "cancelled", "reason": "Obsolete", "at": at(5).isoformat()}
    closed = issue(2, "Done", at(1), outcome=outcome, deleted=True, updated_at=at(6).isoformat())
    deletion = Activity("d", closed.id, ActivityKind.DELETED, at(6))
    told = request([waits, closed], *way(closed, "Ready", (at(3), "Done")), deletion)
    now, then = fold(told, STAGE_MAP), fold(told, STAGE_MAP, as_of=at(4))
    assert artifacts_of(now) == [
        "jira/issue/1: development, waiting since 05 Mar 09:00, complete",
        "jira/issue/2: development, cancelled since 03 Mar 09:00, complete",
    ]
    assert artifacts_of(then) == [
        "jira/issue/1: development, active since 01 Mar 09:00, complete",
        "jira/issue/2: development, done since 03 Mar 09:00, complete",
    ]
    assert ([each.deleted for each in now.artifacts], now.changed_at) == ([False, True], at(6))
    assert ([each.deleted for each in then.artifacts], then.changed_at) == ([False, False], at(3))
