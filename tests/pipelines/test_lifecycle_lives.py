"""Hand-written lives of requests, each with exactly what must become of it."""

import pytest

from pipelines.lifecycle import etag, fold, to_text
from pipelines.lifecycle.members import LinkInput, RequestInput
from pipelines.lifecycle.summary import summary
from schemas.artifacts import Activity, ActivityKind
from tests.pipelines.lives import (
    ANNA,
    ANNA_MAIL,
    BEN,
    CARLA,
    STAGE_MAP,
    artifacts_of,
    assigned,
    at,
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


def whole_life() -> RequestInput:
    """A mail becomes a deal, two issues, a release and feedback."""
    deal = crm("deal", 7, "Won", at(2), amount={"value": "12000.00", "currency": "EUR"}, target_at="2026-03-20")
    first = issue(12, "Done", at(5, 10), assignee=ANNA.id, priority="High", due_at="2026-03-15")
    second = issue(13, "Done", at(6), assignee=BEN.id, priority="Low")
    release = issue(20, "Released", at(11), kind="Release", resolution="Fixed")
    mails = [mail(1, at(1)), mail(2, at(14, 10), ANNA_MAIL, CARLA, opens=False, requester=None), mail(3, at(16))]
    return request(
        [*mails, deal, first, second, release],
        sent(1, at(1)),
        *way(deal, "Open", (at(3), "Contract sent"), (at(5), "Won")),
        *way(first, "Analysis", (at(6), "Ready"), (at(7), "In Progress"), (at(10), "Done")),
        *way(second, "Ready", (at(8), "In Progress"), (at(12), "Done")),
        *way(release, "Planned", (at(13), "Rolling out"), (at(14), "Released")),
        sent(2, at(14, 10), ANNA_MAIL, "It is live"),
        sent(3, at(16), CARLA, "Works well, thank you"),
        links=[
            LinkInput(mails[0].id, deal.id, "mentions", "joins", "title", "The deal names the mail", at(2)),
            LinkInput("jira/issue/1", first.id, "programme", "programme", "explicit", "PAY-12 is in the epic PAY-1"),
        ],
        others=[issue(1, "In Progress", at(1), kind="Epic", type_level=1)],
    )


def test_a_whole_life_goes_through_every_stage() -> None:
    record = fold(whole_life(), STAGE_MAP)
    assert way_of(record) == [
        "alignment 1: 01 Mar 09:00 - 05 Mar 10:00: "
        "01 Mar 09:00 active, 03 Mar 09:00 waiting (customer), 05 Mar 09:00 done",
        "requirements 1: 05 Mar 10:00 - 06 Mar 09:00: 05 Mar 10:00 active",
        "development 1: 06 Mar 09:00 - 12 Mar 09:00: 06 Mar 09:00 new, 07 Mar 09:00 active",
        "change 1: 12 Mar 09:00 - 14 Mar 10:00: 12 Mar 09:00 new, 13 Mar 09:00 active, 14 Mar 09:00 done",
        "improvement 1: 14 Mar 10:00 - now: 14 Mar 10:00 done",
    ]
    assert [(each.active_seconds // 3600, each.waiting_seconds // 3600) for each in record.stages] == [
        (48, 48), (23, 0), (144, 0), (48, 0), (0, 0),
    ]  # fmt: skip
    assert here(record) == "improvement since 14 Mar 10:00, done since 14 Mar 10:00"
    assert artifacts_of(record) == [
        "mail/mail/1: alignment, active since 01 Mar 09:00, complete",
        "hubspot/deal/7: alignment, done since 05 Mar 09:00, complete",
        "jira/issue/12: development, done since 10 Mar 09:00, complete",
        "jira/issue/13: development, done since 12 Mar 09:00, complete",
        "jira/issue/20: change, done since 14 Mar 09:00, complete",
        "mail/mail/2: improvement, done since 14 Mar 10:00, complete",
        "mail/mail/3: improvement, done since 16 Mar 09:00, complete",
    ]
    assert summary(record, at(18)) == "Done since 14 March; 3 of 3 issues done"


def test_a_whole_life_fills_every_field_and_says_from_where() -> None:
    record = fold(whole_life(), STAGE_MAP)
    assert record.title == "Deal 7"
    assert record.requester is not None
    assert (record.requester.name, record.requester.id) == ("Carla Diaz", CARLA.id)
    assert record.amount is not None
    assert (record.amount.value, record.amount.currency) == ("12000.00", "EUR")
    assert record.priority == "High"
    assert record.projects == ("PAY",)
    assert [(each.meaning, each.value, each.artifact) for each in record.dates] == [
        ("target", "2026-03-20", "hubspot/deal/7"),
        ("due", "2026-03-15", "jira/issue/12"),
    ]
    sources = record.sources.items()
    assert {name: (each.artifact, [(o.artifact, o.value) for o in each.others]) for name, each in sources} == {
        "amount": ("hubspot/deal/7", []),
        "outcome": ("jira/issue/20", []),
        "priority": ("jira/issue/12", [("jira/issue/13", "Low")]),
        "requester": ("mail/mail/1", []),
        "title": (
            "hubspot/deal/7",
            [
                ("jira/issue/12", "Issue 12"), ("jira/issue/13", "Issue 13"), ("jira/issue/20", "Issue 20"),
                ("mail/mail/1", "Mail 1"), ("mail/mail/3", "Mail 3"), ("mail/mail/2", "Mail 2"),
            ],
        ),
    }  # fmt: skip


def test_a_whole_life_names_people_and_what_was_said() -> None:
    record = fold(whole_life(), STAGE_MAP)
    assert record.last_said is not None
    assert (record.last_said.by_name, record.last_said.words, record.last_said.at) == (
        "Anna Berg", "It is live", at(14, 10),
    )  # fmt: skip
    assert [(each.id, each.roles) for each in record.people] == [
        (ANNA.id, ("assignee", "from", "to")),
        (BEN.id, ("assignee",)),
        (CARLA.id, ("author", "from", "requester", "to")),
    ]
    assert [(each.natural_key, each.why) for each in record.programmes] == [("PAY-1", "PAY-12 is in the epic PAY-1")]
    assert [each.relation for each in record.links] == ["mentions"]
    assert record.timeline.total == 12
    assert [each.words for each in record.timeline.entries[:3]] == [
        "Carla Diaz sent the mail “Mail 1”",
        "Anna Berg moved the deal “Deal 7” from Open to Contract sent",
        "Anna Berg moved the deal “Deal 7” from Contract sent to Won",
    ]
    assert (record.created_at, record.changed_at) == (at(1), at(16))
    assert record.last_human is not None
    assert record.last_human.key == "mail/mail/3/sent"
    assert record.last_automatic is None
    assert record.outcome is not None
    assert (record.outcome.result, record.outcome.artifact) == ("done", "jira/issue/20")
    assert (record.progress.done, record.progress.total) == (3, 3)
    assert (record.not_mapped.artifacts, record.not_mapped.of) == (0, 4)


def test_mails_before_the_delivery_stay_alignment() -> None:
    record = fold(whole_life(), STAGE_MAP, as_of=at(13, 12))
    assert here(record) == "change since 12 Mar 09:00, active since 13 Mar 09:00"
    assert record.as_of == at(13, 12)
    assert summary(record, at(13, 12)) == "In change since 12 March; 2 of 3 issues done"


def test_work_that_comes_back_is_rework_in_a_second_round() -> None:
    one = issue(1, "In Progress", at(1))
    record = fold(
        request([one], *way(one, "Analysis", (at(2), "In Progress"), (at(4), "Analysis"), (at(5), "In Progress"))),
        STAGE_MAP,
    )
    assert way_of(record) == [
        "requirements 1: 01 Mar 09:00 - 02 Mar 09:00: 01 Mar 09:00 active",
        "requirements 2: 04 Mar 09:00 - 05 Mar 09:00: 04 Mar 09:00 active",
        "development 1: 02 Mar 09:00 - 04 Mar 09:00: 02 Mar 09:00 active",
        "development 2: 05 Mar 09:00 - now: 05 Mar 09:00 active",
    ]
    assert record.current.round == 2
    assert [each.rounds for each in record.stages] == [0, 2, 2, 0, 0]
    assert summary(record, at(6)) == "In development (round 2) since 5 March; 0 of 1 issue done"


def test_waiting_for_the_customer_is_kept_apart_from_work() -> None:
    one = issue(1, "Waiting for customer", at(1), assignee=ANNA.id)
    record = fold(
        request(
            [mail(1, at(1)), one],
            *way(one, "In Progress", (at(2), "Waiting for customer"), (at(3), "In Progress")),
            moved(one, at(5), "In Progress", "Waiting for customer"),
            assigned(one, at(2, 10), ANNA),
        ),
        STAGE_MAP,
    )
    assert here(record) == "development since 01 Mar 09:00, waiting (customer) since 05 Mar 09:00"
    assert (record.stages[2].active_seconds, record.stages[2].waiting_seconds) == (3 * 86_400, 86_400)
    assert record.holder is not None
    assert (record.holder.person.name, record.holder.since) == ("Anna Berg", at(2, 10))
    assert (record.expected.what, record.expected.words) == ("answer", "An answer from the customer")
    assert summary(record, at(10)) == (
        "In development since 1 March; 0 of 1 issue done; waiting for the customer for 5 days; with Anna Berg"
    )


def test_blocked_by_something_outside() -> None:
    one, blocker = issue(12, "In Progress", at(1)), issue(31, "In Progress", at(1))
    two = issue(13, "Done", at(1))
    link = depends(one, blocker, at(5))
    record = fold(request([one, two], *way(two, "Ready", (at(3), "Done")), links=[link], others=[blocker]), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, waiting (blocked) since 05 Mar 09:00"
    assert [(each.artifact, each.other_key, each.open, each.since) for each in record.blocked_by] == [
        ("jira/issue/12", "PAY-31", True, at(5))
    ]
    assert record.expected.waits_on == ("PAY-31",)
    assert summary(record, at(10)) == "In development since 1 March; 1 of 2 issues done; waiting on PAY-31 for 5 days"
    seen_from_there = fold(request([blocker], links=[link], others=[one]), STAGE_MAP)
    assert [(each.artifact, each.other_key, each.open) for each in seen_from_there.blocks] == [
        ("jira/issue/31", "PAY-12", True)
    ]


def test_a_blocker_inside_the_request_frees_when_it_is_done() -> None:
    one, two = issue(1, "In Progress", at(1)), issue(2, "Done", at(1))
    record = fold(request([one, two], *way(two, "Ready", (at(4), "Done")), links=[depends(one, two, at(2))]), STAGE_MAP)
    assert way_of(record) == [
        "development 1: 01 Mar 09:00 - now: 01 Mar 09:00 active, 02 Mar 09:00 waiting (blocked), 04 Mar 09:00 active"
    ]
    assert record.blocked_by[0].open is False


def test_a_blocker_since_nobody_knows_when_invents_no_time() -> None:
    one, blocker = issue(1, "In Progress", at(1)), issue(2, "In Progress", at(1))
    record = fold(request([one], links=[depends(one, blocker, None)], others=[blocker]), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, waiting (blocked) since ?"
    assert summary(record, at(10)) == "In development since 1 March; 0 of 1 issue done; waiting on PAY-2"


def test_a_blocker_that_was_never_read_is_shown_and_carries_nothing() -> None:
    one = issue(1, "In Progress", at(1))
    link = depends(one, issue(2, "In Progress", at(1)), at(2))
    record = fold(request([one], links=[link]), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, active since 01 Mar 09:00"
    assert (record.blocked_by[0].open, record.blocked_by[0].other_key) == (None, None)


def test_a_cancelled_request_says_why_and_can_come_back() -> None:
    one = issue(1, "Won't do", at(1), resolution="Too costly")
    moves = way(one, "Ready", (at(2), "In Progress"), (at(3), "Won't do"))
    record = fold(request([mail(1, at(1)), one], *moves), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, cancelled since 03 Mar 09:00"
    assert record.outcome is not None
    assert (record.outcome.result, record.outcome.reason, record.outcome.at) == ("cancelled", "Too costly", at(3))
    assert summary(record, at(5)) == "Cancelled in development on 3 March (Too costly)"
    assert (record.expected.what, record.holder) == ("nothing", None)

    again = issue(1, "In Progress", at(1))
    record = fold(request([mail(1, at(1)), again], *moves, moved(one, at(6), "Won't do", "In Progress")), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, active since 06 Mar 09:00"
    assert (record.current.reopened, record.outcome, record.stages[2].rounds) == (1, None, 1)


def test_done_work_taken_up_again_is_reopened() -> None:
    one = issue(1, "In Progress", at(1))
    record = fold(request([one], *way(one, "Ready", (at(2), "Done"), (at(4), "In Progress"))), STAGE_MAP)
    assert record.current.reopened == 1
    assert way_of(record) == [
        "development 1: 01 Mar 09:00 - now: 01 Mar 09:00 new, 02 Mar 09:00 done, 04 Mar 09:00 active"
    ]


def test_a_lost_deal_does_not_end_work_that_goes_on() -> None:
    deal, one = crm("deal", 1, "Lost", at(1)), issue(1, "In Progress", at(2))
    record = fold(request([deal, one], *way(deal, "Open", (at(3), "Lost"))), STAGE_MAP)
    assert here(record) == "development since 02 Mar 09:00, active since 02 Mar 09:00"


def test_what_the_map_does_not_know_is_not_mapped_with_the_tools_own_category() -> None:
    odd = [issue(number, None, at(1), status=status("Parked", "waiting")) for number in (1, 2)]
    strange = issue(3, None, at(1), status=status("Limbo"))
    record = fold(request([*odd, strange]), STAGE_MAP)
    assert here(record) == "not mapped since 01 Mar 09:00, waiting since 01 Mar 09:00"
    assert [each.stage for each in record.stages][-1] == "not mapped"
    assert (record.not_mapped.artifacts, record.not_mapped.of) == (3, 3)
    assert [(each.status, each.artifacts) for each in record.not_mapped.statuses] == [("Parked", 2), ("Limbo", 1)]
    assert record.artifacts[0].mapped_by == "no row of the stage map knows jira issue Story with status 'Parked'"
    assert summary(record, at(2, 8)) == (
        "Not mapped to a stage since 1 March; 0 of 3 issues done; waiting for 23 hours"
    )
    moves = way(strange, "Start", (at(3), "Limbo"))
    for category, says in (("done", "Done since 3 March, not mapped to a stage; 1 of 1 issue done"),
                           ("cancelled", "Cancelled on 3 March")):  # fmt: skip
        ended = issue(3, None, at(1), status=status("Limbo", category))
        assert summary(fold(request([ended], *moves), STAGE_MAP), at(9)) == says
    alone = fold(request([strange]), STAGE_MAP)
    assert (alone.current.state, alone.expected.what) == (None, "unknown")


def test_a_mapped_artifact_speaks_for_the_request_where_another_is_not_mapped() -> None:
    record = fold(request([issue(1, None, at(1), status=status("Limbo")), issue(2, "In Progress", at(3))]), STAGE_MAP)
    assert way_of(record) == [
        "development 1: 03 Mar 09:00 - now: 03 Mar 09:00 active",
        "not mapped 1: 01 Mar 09:00 - 03 Mar 09:00: 01 Mar 09:00 None",
    ]


def test_a_late_event_gives_what_a_timely_one_would_have_given() -> None:
    one = issue(1, "Done", at(1))
    moves = way(one, "Ready", (at(2), "In Progress"), (at(5), "Done"))
    late = fold(request([one], moves[1]), STAGE_MAP)
    assert way_of(late) == ["development 1: 01 Mar 09:00 - now: 01 Mar 09:00 active, 05 Mar 09:00 done"]
    assert to_text(fold(request([one], moves[1], moves[0]), STAGE_MAP)) == to_text(
        fold(request([one], *moves), STAGE_MAP)
    )


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        (
            "the newest change was not told",
            request([issue(1, "Done", at(1))], *way(issue(1, "Done", at(1)), "Analysis", (at(2), "In Progress"))),
            [
                "requirements 1: 01 Mar 09:00 - 02 Mar 09:00: 01 Mar 09:00 active",
                "development 1: 02 Mar 09:00 - now: 02 Mar 09:00 active, ? done",
            ],
        ),
        (
            "a change in the middle was not told",
            request(
                [issue(1, "Done", at(1))],
                moved(issue(1, "Done", at(1)), at(2), "Analysis", "To Do"),
                moved(issue(1, "Done", at(1)), at(6), "In Progress", "Done"),
            ),
            [
                "requirements 1: 01 Mar 09:00 - ?: 01 Mar 09:00 active, 02 Mar 09:00 new",
                "development 1: ? - now: ? done",
            ],
        ),
        (
            "nothing was told of a thing that is done",
            request([issue(1, "Done", at(1))]),
            ["development 1: ? - now: ? done"],
        ),
        (
            "nothing but its end was told",
            request([issue(1, "Done", at(1), outcome={"result": "done", "at": at(4).isoformat()})]),
            ["development 1: 04 Mar 09:00 - now: 04 Mar 09:00 done"],
        ),
        (
            "when it was created is unknown",
            request([issue(1, "In Progress", None)]),
            ["development 1: ? - now: ? active"],
        ),
    ],
)
def test_missing_history_stays_unknown(name: str, told: RequestInput, expected: list[str]) -> None:
    record = fold(told, STAGE_MAP)
    assert way_of(record) == expected, name
    assert record.artifacts[0].history == "incomplete"


def test_a_deleted_artifact_keeps_its_place_and_holds_nothing_up() -> None:
    gone, stays = issue(1, "In Progress", at(1), deleted=True), issue(2, "Done", at(1))
    deletion = Activity("d", gone.id, ActivityKind.DELETED, at(6), BEN.id)
    record = fold(request([gone, stays], *way(stays, "Ready", (at(4), "Done")), deletion), STAGE_MAP)
    assert way_of(record) == ["development 1: 01 Mar 09:00 - now: 01 Mar 09:00 active, 06 Mar 09:00 done"]
    assert [(each.id, each.deleted, each.status) for each in record.artifacts] == [
        ("jira/issue/1", True, "In Progress"),
        ("jira/issue/2", False, "Done"),
    ]
    assert (record.progress.done, record.progress.total) == (1, 1)
    assert record.timeline.entries[-1].words == "Ben Okoro deleted PAY-1"

    finished = issue(2, "Done", at(1), deleted=True)
    record = fold(request([finished], *way(finished, "Ready", (at(4), "Done"))), STAGE_MAP)
    assert record.current.state == "done"


def test_what_is_gone_before_it_was_created_still_stands_somewhere() -> None:
    odd = issue(1, "In Progress", at(5), deleted=True)
    record = fold(request([odd], Activity("d", odd.id, ActivityKind.DELETED, at(2))), STAGE_MAP)
    assert way_of(record) == ["development 1: ? - now: ? cancelled"]
    assert artifacts_of(record) == ["jira/issue/1: development, active since ?, incomplete"]
    blank = issue(2, None, at(5))
    record = fold(request([blank], Activity("s", blank.id, ActivityKind.STATUS, at(6))), STAGE_MAP)
    assert here(record) == "not mapped since ?, None since ?"


def test_a_record_without_artifacts_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="R-TEST has no artifacts"):
        fold(request([]), STAGE_MAP)
    with pytest.raises(ValueError, match="at that time"):
        fold(whole_life(), STAGE_MAP, as_of=at(1, 8))


def test_etag_is_a_hash_of_the_text() -> None:
    text = to_text(fold(whole_life(), STAGE_MAP))
    assert etag(text) == etag(text)
    assert etag(text) != etag(text + " ")
    assert len(etag(text)) == 32
