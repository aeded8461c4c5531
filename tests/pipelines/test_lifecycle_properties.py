"""What holds for every request: order has no effect, time does not overlap, the past does not know the future."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from itertools import pairwise
from operator import ne
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.lifecycle import as_of, fold, to_text
from pipelines.lifecycle.members import LinkInput, Member, RequestInput
from pipelines.lifecycle.summary import summary
from schemas.artifacts import Activity, ActivityKind, Audience
from schemas.records import LifecycleRecord
from tests.pipelines.lives import EVERYONE, STAGE_MAP, at, crm, issue, mail, moved, status

STATUSES = ["To Do", "Analysis", "Ready", "In Progress", "Waiting for customer", "Done", "Won't do"]
RELEASE = ["Planned", "Rolling out", "Released"]
DEAL = ["Open", "Contract sent", "Won", "Lost"]
QUICK = settings(max_examples=60, deadline=None)

minutes = st.integers(0, 90 * 24 * 60)
moments = st.builds(lambda minute, zone: (at(1) + timedelta(minutes=minute)).astimezone(zone), minutes, st.sampled_from(
    [UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=45))]
))  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
identities = st.sampled_from([each.id for each in EVERYONE]) | st.none()


@st.composite
def told_lives(draw: st.DrawFn) -> RequestInput:
    """Anything the tools may tell, in any state of incompleteness and contradiction."""
    members = [draw(told_members(number)) for number in range(draw(st.integers(1, 5)))]
    ids = [each.id for each in members]
    other = issue(99, draw(st.sampled_from(STATUSES)), draw(moments))
    targets = st.sampled_from([*ids, other.id, "jira/issue/unread"])
    activities = draw(st.lists(told_activities(targets), max_size=25))
    effects = st.sampled_from(["joins", "depends on", "mentions", "programme"])
    links = draw(
        st.lists(st.builds(LinkInput, targets, targets, st.just("x"), effects, since=moments | st.none()), max_size=5)
    )
    return RequestInput("R-ANY", members, activities, EVERYONE, links=links, others=[other])


@st.composite
def told_members(draw: st.DrawFn, number: int) -> Member:
    kind = draw(st.sampled_from(["issue", "release", "mail", "deal", "ticket", "epic"]))
    created = draw(moments)
    more: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "assignee": identities,
                "requester": identities,
                "deleted": st.booleans(),
                "merged_into": st.just("jira/issue/0"),
                "audience": st.just({"level": "restricted", "stated": "x"}),
                "waiting": st.fixed_dictionaries({"reason": st.just("customer"), "since": moments.map(str)}),
                "outcome": st.fixed_dictionaries({"result": st.just("done"), "at": moments.map(str)}),
                "created_at": st.none(),
                "updated_at": moments.map(str),
                "due_at": st.just("2026-05-01"),
                "out_of_scope": st.booleans(),
            },
        )
    )
    if kind == "mail":
        return mail(number, created, **more)
    if kind in ("deal", "ticket"):
        return crm(kind, number, draw(st.sampled_from([*DEAL, "Closed", "Odd"])), created, **more)
    names = RELEASE if kind == "release" else [*STATUSES, "Odd"]
    type_ = {"release": "Release", "epic": "Epic"}.get(kind, "Story")
    level = 1 if kind == "epic" else 0
    return issue(number, draw(st.sampled_from(names)), created, kind=type_, type_level=level, **more)


def told_activities(targets: st.SearchStrategy[str]) -> st.SearchStrategy[Activity]:
    labels = st.sampled_from([*STATUSES, *RELEASE, *DEAL, "Odd"]) | st.none()
    return st.builds(
        Activity,
        key=st.integers(0, 40).map(str),
        artifact=targets,
        kind=st.sampled_from(ActivityKind),
        at=moments,
        actor=identities,
        automatic=st.booleans(),
        field=st.sampled_from(["title", "priority", "due_at", None]),
        from_value=labels,
        to_value=labels,
        to_label=labels,
        text=st.none() | st.text(max_size=10),
        audience=st.sampled_from([Audience(), Audience("restricted", "x"), Audience("internal", "y")]),
        withdrawn=st.booleans(),
    )


@st.composite
def consistent_lives(draw: st.DrawFn) -> tuple[RequestInput, datetime, RequestInput]:
    """A life told without gaps; a moment in it; and what would have been told at that moment."""
    moment = at(1) + timedelta(minutes=draw(minutes))
    now: list[Member] = []
    then: list[Member] = []
    activities: list[Activity] = []
    for number in range(draw(st.integers(1, 4))):
        release = draw(st.booleans())
        names = st.sampled_from(RELEASE if release else STATUSES)
        times = sorted(at(1) + timedelta(minutes=each) for each in draw(st.sets(minutes, min_size=1, max_size=5)))
        before = first = draw(st.sampled_from(RELEASE[:2] if release else STATUSES[:5]))
        member = issue(number, first, times[0], kind="Release" if release else "Story")
        at_moment = first
        for when in times[1:]:
            after = draw(names.filter(partial(ne, before)))
            activities.append(moved(member, when, before, after))
            before = after
            at_moment = after if when <= moment else at_moment
        now.append(replace(member, fields={**member.fields, "status": status(before)}))
        if times[0] <= moment:
            then.append(replace(member, fields={**member.fields, "status": status(at_moment)}))
    if draw(st.booleans()):
        letter = mail(50, at(1) + timedelta(minutes=draw(minutes)))
        now.append(letter)
        then += [letter] if datetime.fromisoformat(letter.fields["created_at"]) <= moment else []
    known = [each for each in activities if each.at <= moment]
    full = RequestInput("R-ANY", now, activities, EVERYONE)
    return full, moment, RequestInput("R-ANY", then, known, EVERYONE)


def shuffled(data: st.DataObject, values: Sequence[Any]) -> list[Any]:
    return data.draw(st.permutations(list(values)))


@QUICK
@given(told_lives(), st.data())
def test_order_has_no_effect(told: RequestInput, data: st.DataObject) -> None:
    other = replace(
        told,
        members=shuffled(data, told.members),
        activities=shuffled(data, [*told.activities, *told.activities[:3]]),
        identities=shuffled(data, told.identities),
        links=shuffled(data, told.links),
    )
    assert to_text(fold(other, STAGE_MAP)) == to_text(fold(told, STAGE_MAP))


@QUICK
@given(told_lives())
def test_stays_do_not_overlap_and_end_after_they_began(told: RequestInput) -> None:
    record = fold(told, STAGE_MAP)
    spans = [span for view in record.stages for span in view.spans]
    known = sorted((span.entered, span.left) for span in spans if span.entered and span.left)
    assert all(entered <= left for entered, left in known)
    assert all(before[1] <= after[0] for before, after in pairwise(known))
    assert [view.stage for view in record.stages if view.standing == "current"] == [record.current.stage]
    assert sum(span.open for span in spans) == 1
    for view in record.stages:
        assert view.rounds == len(view.spans) == len({span.round for span in view.spans})
        for span in view.spans:
            instants = [at for piece in span.pieces for at in (piece.entered, piece.left) if at]
            assert instants == sorted(instants)
            assert span.pieces[0].entered == span.entered
            assert (span.pieces[-1].left, span.pieces[-1].open) == (span.left, span.open)
            if span.entered and span.left:
                assert span.active_seconds + span.waiting_seconds <= (span.left - span.entered).total_seconds()


@QUICK
@given(told_lives(), moments)
def test_every_record_reads_back_and_speaks(told: RequestInput, now: datetime) -> None:
    record = fold(told, STAGE_MAP)
    text = to_text(record)
    assert LifecycleRecord.model_validate_json(text) == record
    assert to_text(LifecycleRecord.model_validate_json(text)) == text
    assert summary(record, now)
    assert record.expected.words
    hidden = {each.id for each in record.artifacts if each.restricted}
    assert not any("“" in each.words for each in record.timeline.entries if each.artifact in hidden)


@QUICK
@given(consistent_lives())
def test_the_past_does_not_know_the_future(case: tuple[RequestInput, datetime, RequestInput]) -> None:
    full, moment, then = case
    if not then.members:
        assert as_of(full, moment).members == []
        return
    record = fold(full, STAGE_MAP, as_of=moment)
    assert record.as_of == moment
    assert to_text(record.model_copy(update={"as_of": None})) == to_text(fold(then, STAGE_MAP))


@QUICK
@given(consistent_lives())
def test_stays_say_of_every_moment_where_the_request_stood(case: tuple[RequestInput, datetime, RequestInput]) -> None:
    full, moment, _ = case
    full = replace(full, members=[each for each in full.members if each.kind != "mail"])
    if not as_of(full, moment).members:
        return
    then = fold(full, STAGE_MAP, as_of=moment).current
    told = fold(full, STAGE_MAP)
    covering = [
        (view.stage, piece.state, piece.waiting)
        for view in told.stages
        for span in view.spans
        for piece in span.pieces
        if piece.entered and piece.entered <= moment and (piece.left is None or moment < piece.left)
    ]
    assert covering == [(then.stage, then.state, then.waiting)]


@QUICK
@given(told_lives(), moments)
def test_any_earlier_moment_can_be_asked_for(told: RequestInput, moment: datetime) -> None:
    then = as_of(told, moment)
    assert all(each.at <= moment for each in then.activities)
    if then.members:
        record = fold(told, STAGE_MAP, as_of=moment)
        assert all(each.at <= moment for each in record.timeline.entries)
        assert record.changed_at is None or record.changed_at <= moment


@QUICK
@given(
    st.dictionaries(st.sampled_from([
        "title", "status", "created_at", "requester", "assignee", "participants", "amount", "outcome", "waiting",
        "project", "audience", "type", "type_level", "due_at", "merged_into", "deleted", "updated_at", "excerpt",
    ]), json_values),
    moments,
)  # fmt: skip
def test_fields_of_any_shape_fold(fields: dict[str, Any], moment: datetime) -> None:
    odd = Member("jira/issue/1", "jira", "jira", "issue", "1", fields)
    told = RequestInput("R-ANY", [odd, mail(1, at(2))], identities=EVERYONE)
    assert to_text(fold(told, STAGE_MAP))
    assert fold(told, STAGE_MAP, as_of=moment + timedelta(days=3)).id == "R-ANY"
