"""Hand-written lives in which one part is done before another: what is an end, and what takes it up again."""

from dataclasses import replace

import pytest

from pipelines.lifecycle import fold
from pipelines.lifecycle.summary import summary
from tests.pipelines.lives import STAGE_MAP, artifacts_of, at, crm, here, issue, mail, request, sent, way, way_of


def test_a_story_done_before_its_sibling_began_is_no_end() -> None:
    first, second = issue(13, "Done", at(1)), issue(11, "In Progress", at(1))
    moves = [
        *way(first, "Ready", (at(2), "In Progress"), (at(4), "Done")),
        *way(second, "To Do", (at(3), "Analysis"), (at(6), "In Progress")),
    ]
    record = fold(request([first, second], *moves), STAGE_MAP)
    assert way_of(record) == ["development 1: 01 Mar 09:00 - now: 01 Mar 09:00 new, 02 Mar 09:00 active"]
    assert (record.current.reopened, record.current.round, record.outcome) == (0, 1, None)
    between = fold(request([first, second], *moves), STAGE_MAP, as_of=at(5))
    assert here(between) == "development since 01 Mar 09:00, active since 02 Mar 09:00"
    assert between.expected.words == "PAY-11 to finish, then change"
    assert summary(between, at(5)) == "In development since 1 March; 1 of 2 issues done"


def test_what_waits_in_an_earlier_stage_makes_what_is_done_wait() -> None:
    stated = {"reason": "customer", "since": at(2).isoformat()}
    first, second = issue(13, "Done", at(1)), issue(11, "To Do", at(1), waiting=stated)
    record = fold(request([first, second], *way(first, "Ready", (at(4), "Done"))), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, waiting (customer) since 04 Mar 09:00"
    third = issue(14, "To Do", at(1))
    record = fold(request([first, third], *way(first, "Ready", (at(4), "Done"))), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, active since 04 Mar 09:00"
    given_up = issue(11, "Won't do", at(1), deleted=True)
    record = fold(request([first, given_up], *way(first, "Ready", (at(4), "Done"))), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, done since 04 Mar 09:00"


def test_a_story_that_came_later_takes_up_nothing_again() -> None:
    first, second = issue(1, "Done", at(1)), issue(2, "In Progress", at(6))
    record = fold(request([first, second], *way(first, "Ready", (at(4), "Done"))), STAGE_MAP)
    assert way_of(record) == [
        "development 1: 01 Mar 09:00 - now: 01 Mar 09:00 new, 04 Mar 09:00 done, 06 Mar 09:00 active"
    ]
    assert record.current.reopened == 0


def test_new_work_after_the_whole_request_had_ended_opens_it_again() -> None:
    release, later = issue(20, "Released", at(1), kind="Release"), issue(21, "Analysis", at(6))
    moves = way(release, "Rolling out", (at(4), "Released"))
    record = fold(request([release, later], *moves), STAGE_MAP)
    assert here(record) == "change since 01 Mar 09:00, active since 06 Mar 09:00"
    assert (record.current.reopened, record.outcome) == (1, None)
    assert record.expected.words == "PAY-21 to finish, then improvement"
    before = fold(request([release, later], *moves), STAGE_MAP, as_of=at(5))
    assert before.outcome is not None
    assert (before.outcome.result, before.outcome.at, before.current.reopened) == ("done", at(4), 0)


@pytest.mark.parametrize("thanks", [False, True])
def test_the_first_ticket_after_the_delivery_is_the_way_on_and_the_second_opens_again(thanks: bool) -> None:
    release = issue(20, "Released", at(1), kind="Release")
    first, second = crm("ticket", 5, "Closed", at(6)), crm("ticket", 6, "Open", at(9))
    mails = [mail(1, at(5), opens=False)] if thanks else []
    moves = [*way(release, "Rolling out", (at(4), "Released")), *way(first, "Open", (at(8), "Closed"))]
    told = request([release, first, second, *mails], *moves)
    assert [fold(told, STAGE_MAP, as_of=at(day)).current.reopened for day in (5, 7, 8, 10)] == [0, 0, 0, 1]
    assert here(fold(told, STAGE_MAP)) == (
        f"improvement since 0{5 if thanks else 6} Mar 09:00, active since 09 Mar 09:00"
    )


def test_a_ticket_after_a_release_is_improvement_though_a_story_is_left() -> None:
    release, left = issue(20, "Released", at(1), kind="Release"), issue(21, "Analysis", at(1))
    ticket = crm("ticket", 5, "Open", at(6))
    record = fold(request([release, left, ticket], *way(release, "Rolling out", (at(4), "Released"))), STAGE_MAP)
    assert way_of(record)[-2:] == [
        "change 1: 01 Mar 09:00 - 06 Mar 09:00: 01 Mar 09:00 active",
        "improvement 1: 06 Mar 09:00 - now: 06 Mar 09:00 active",
    ]
    assert record.current.reopened == 0


def test_a_mail_between_two_stories_is_no_feedback_yet() -> None:
    first, second = issue(13, "Done", at(1)), issue(11, "Analysis", at(1))
    moves = way(first, "Ready", (at(4), "Done"))
    record = fold(request([first, second, mail(1, at(5))], *moves, sent(1, at(5))), STAGE_MAP)
    assert here(record) == "development since 01 Mar 09:00, active since 04 Mar 09:00"
    assert artifacts_of(record)[-1] == "mail/mail/1: alignment, active since 05 Mar 09:00, complete"


def test_changes_of_one_second_are_told_one_after_the_other() -> None:
    one = issue(1, "Done", at(1))
    told = way(one, "Ready", (at(2), "Analysis"), (at(3), "In Progress"), (at(3), "Analysis"), (at(3), "In Progress"),
               (at(3), "Done"))  # fmt: skip
    told = [replace(each, key=f"{one.id}/{number}") for number, each in zip([8, 9, 12, 11, 10], told, strict=True)]
    record = fold(request([one], *told), STAGE_MAP)
    assert way_of(record) == [
        "requirements 1: 02 Mar 09:00 - 03 Mar 09:00: 02 Mar 09:00 active",
        "development 1: 01 Mar 09:00 - 02 Mar 09:00: 01 Mar 09:00 new",
        "development 2: 03 Mar 09:00 - now: 03 Mar 09:00 done",
    ]
    assert record.artifacts[0].history == "complete"
    assert fold(request([one], *told), STAGE_MAP, as_of=at(3)).current == record.current


def test_a_closed_ticket_with_no_other_work_is_the_end() -> None:
    ticket, question = crm("ticket", 5, "Closed", at(1)), mail(1, at(1))
    told = request([ticket, question], *way(ticket, "Open", (at(3), "Closed")), sent(1, at(1)))
    record = fold(told, STAGE_MAP)
    assert here(record) == "alignment since 01 Mar 09:00, done since 03 Mar 09:00"
    assert record.outcome is not None
    assert (record.outcome.result, record.outcome.at, record.outcome.artifact) == ("done", at(3), ticket.id)
    assert (record.expected.words, record.holder) == ("Nothing: it is done", None)
    assert summary(record, at(5)) == "Done since 3 March"
    assert fold(told, STAGE_MAP, as_of=at(2)).outcome is None


def test_a_closed_ticket_ends_nothing_that_other_work_goes_on_from() -> None:
    ticket, moves = crm("ticket", 5, "Closed", at(1)), way(crm("ticket", 5, "Closed", at(1)), "Open", (at(3), "Closed"))
    won = fold(request([ticket, crm("deal", 7, "Won", at(1))], *moves), STAGE_MAP)
    assert (won.outcome, won.expected.words) == (None, "Requirements to begin")
    lost = fold(request([ticket, crm("deal", 7, "Lost", at(1))], *moves), STAGE_MAP)
    assert lost.outcome is not None
    assert (lost.outcome.result, lost.expected.words) == ("done", "Nothing: it is done")
    deleted = fold(request([ticket, issue(1, "Analysis", at(2), deleted=True)], *moves), STAGE_MAP)
    assert deleted.outcome is not None
    assert (deleted.outcome.artifact, deleted.expected.words) == (ticket.id, "Nothing: it is done")
    late = fold(request([ticket, issue(1, "Analysis", at(5))], *moves), STAGE_MAP)
    assert (late.outcome, late.current.stage, late.current.reopened) == (None, "requirements", 0)
    asked_only = fold(request([mail(1, at(1))], sent(1, at(1))), STAGE_MAP)
    assert asked_only.outcome is None


def test_a_ticket_alone_that_is_opened_again_came_back() -> None:
    ticket = crm("ticket", 5, "Open", at(1))
    told = request([ticket], *way(ticket, "Open", (at(3), "Closed"), (at(6), "Open")))
    assert [fold(told, STAGE_MAP, as_of=at(day)).current.reopened for day in (2, 4, 7)] == [0, 0, 1]
    assert fold(told, STAGE_MAP, as_of=at(4)).outcome is not None
    assert fold(told, STAGE_MAP).outcome is None
    story = issue(1, "Analysis", at(8))
    went_on = request([ticket, story], *way(ticket, "Open", (at(3), "Closed"), (at(6), "Open")))
    assert [fold(went_on, STAGE_MAP, as_of=at(day)).current.reopened for day in (4, 7, 9)] == [0, 1, 1]
    beside = request([ticket, issue(1, "Analysis", at(2))], *way(ticket, "Open", (at(3), "Closed"), (at(6), "Open")))
    assert fold(beside, STAGE_MAP).current.reopened == 0
