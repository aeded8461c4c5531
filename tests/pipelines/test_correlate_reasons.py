"""The answer to why, and to why not: in sentences and as data, from what correlation made of a component."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from types import FrameType

import pytest
from hypothesis import given, settings

from pipelines.correlate import correlate
from pipelines.correlate.dating import since
from pipelines.correlate.reasons import MOST_AGAINST, Reason, reason
from pipelines.correlate.rules import ConnectionRules, Rules
from schemas.artifacts import Activity, ActivityKind, Evidence, Reference
from schemas.decisions import Decision, DecisionKind
from schemas.links import Component, Link, Node
from tests.pipelines.company import RULES, issue, link, mail, quoted, record, reply, title, written
from tests.pipelines.test_correlate_properties import SMALL, companies

AT = datetime(2026, 5, 9, 12, tzinfo=UTC)


def asked(
    left: Node, right: Node, *others: Node, rules: Rules = RULES, counts: dict[str, int] | None = None,
    decisions: Sequence[Decision] = (),
) -> Reason:  # fmt: skip
    component = Component((left, right, *others), counts or {}, tuple(decisions))
    return reason(component, correlate(component, rules), rules, left.artifact, right.artifact)


def decided(kind: DecisionKind, left: Node, *right: Node, number: int = 7) -> Decision:
    return Decision(number, kind, (left.artifact,), tuple(one.artifact for one in right), "Anna", "", AT)


def test_one_link_answers_by_its_own_sentence() -> None:
    found = asked(issue("PAY-12"), mail("m1", title("PAY-12")))
    assert found.together
    assert found.sentence == "The mail of 3 May 2026 names PAY-12 in its subject"
    assert found.left_request == found.right_request
    assert (found.decisions, found.outside, found.shared, found.against, found.remarks) == ((), (), (), (), ())


def test_a_chain_through_what_was_not_read() -> None:
    found = asked(mail("m1", title("PAY-12")), mail("m2", *written("PAY-12"), day=4))
    assert found.sentence == "The mail of 3 May 2026 and the mail of 4 May 2026 belong to one request, over 2 links"
    assert [step.end for step in found.steps] == ["unread jira-a jira.key|PAY-12", "mail/mail/m2"]


def test_two_mails_under_a_key_of_two_jiras_say_so() -> None:
    other = ConnectionRules("jira", frozenset({"PAY"}), frozenset({"other.example.com"}))
    rules = replace(RULES, connections={**RULES.connections, "jira-b": other})
    found = asked(issue("PAY-12"), mail("m1", title("PAY-12")), issue("PAY-12", connection="jira-b"), rules=rules)
    assert found.sentence == (
        "PAY-12 and the mail of 3 May 2026 are apart: "
        "the mail of 3 May 2026 names PAY-12 in its subject, but 2 connections may mean it"
    )


def test_an_epic_of_several_joins_none_of_them() -> None:
    below = link("jira.key", "PAY-10", "epic", scope="jira-a")
    found = asked(issue("PAY-1", below), issue("PAY-2", below), issue("PAY-10", level=1))
    assert not found.together
    assert [step.link.kind for step in found.steps] == ["programme", "programme"]
    assert found.steps[0].sentence == (
        "PAY-1 belongs to the epic PAY-10, but several requests belong to it, and through a programme nothing is joined"
    )
    assert found.sentence == "PAY-1 and PAY-2 are apart: of the 2 links that come nearest, 2 join nothing"
    itself = asked(issue("PAY-10", level=1), issue("PAY-1", below), issue("PAY-2", below))
    assert itself.outside == ((
        "jira-a/issue/PAY-10",
        "PAY-10 is in no request: what contains others opens none, and it is joined to nothing",
    ),)  # fmt: skip


def test_what_speaks_against_a_chain_is_told_strongest_first_and_not_without_end() -> None:
    many = [issue(f"PAY-{number}", quoted("PAY-1"), day=2) for number in range(100, 130)]
    two = issue("PAY-2", link("jira.key", "PAY-1", "relates to", scope="jira-a"), day=2)
    found = asked(issue("PAY-1"), mail("m1", title("PAY-1")), two, *many)
    assert found.together
    assert found.against[0].sentence == "PAY-2 relates to PAY-1, but this kind of link does not join"
    assert {one.start for one in found.against} == {"jira-a/issue/PAY-1"}
    assert {one.other_request for one in found.against}.isdisjoint({found.left_request, None})
    assert (len(found.against), found.more_against) == (MOST_AGAINST, 31 - MOST_AGAINST)


def test_what_was_left_out_of_a_piece_that_is_too_large_is_said() -> None:
    rules = replace(RULES, component=3)
    found = asked(issue("PAY-1"), mail("m1", *written("PAY-1")), mail("m2", title("PAY-1")), mail("m3", title("PAY-1")),
                  rules=rules)  # fmt: skip
    assert found.steps[0].kept == "too many artifacts hang together"
    assert "4 artifacts hang together, more than 3: what is named in written text was left out" in found.remarks


def test_a_value_that_too_many_name_says_how_many() -> None:
    counts = {"jira.key|PAY-1": 4_112}
    found = asked(mail("m1", title("PAY-1")), mail("m2", *written("PAY-1")), counts=counts)
    assert [step.carried_by for step in found.steps] == [4_112, 4_112]
    unknown = asked(mail("m1", title("ISO-1")), mail("m2", *written("ISO-1")), counts={"jira.key|ISO-1": 60})
    (one,) = unknown.shared
    assert (one.key, one.artifacts) == ("jira.key|ISO-1", 60)
    assert one.why == "60 artifacts name it, more than 50: too many for it to join them"
    assert unknown.sentence == "The mail of 3 May 2026 and the mail of 3 May 2026 share only what joins nothing"


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (issue("PAY-1", level=-1), "it is a sub-task, which only joins one"),
        (issue("PAY-1", level=1), "what contains others opens none"),
        (mail("m1", kind="list"), "automatic mail (list) opens none"),
        (record("note", "1"), "it is of a kind that only joins one"),
        (record("deal", "1", merged_into="crm/deal/2"), "it was merged into another"),
    ],
)
def test_why_a_thing_is_in_no_request(node: Node, says: str) -> None:
    found = asked(node, issue("PAY-9"))
    assert [one[1].partition(" is in no request: ")[2].rpartition(", and ")[0] for one in found.outside] == [says]


def test_a_type_that_was_not_chosen_opens_nothing() -> None:
    chosen = replace(RULES.connections["jira-a"], openers=frozenset({"Bug"}))
    rules = replace(RULES, connections={**RULES.connections, "jira-a": chosen})
    (outside,) = asked(issue("PAY-1"), mail("m1"), rules=rules).outside
    assert "things of its type (Story) are not among those that open one here" in outside[1]


def test_a_decision_joins_and_says_who_decided() -> None:
    left, right = issue("PAY-1"), issue("PAY-2", day=2)
    found = asked(left, right, decisions=[decided(DecisionKind.LINK, left, right)])
    assert found.together
    assert (found.steps[0].link.evidence, found.steps[0].link.decision) == (Evidence.DECISION, 7)
    assert "Anna" in found.sentence


def test_a_decision_keeps_apart_what_evidence_joins_and_what_nothing_joins() -> None:
    left, right = issue("PAY-1"), mail("m1", title("PAY-1"))
    unlink = decided(DecisionKind.UNLINK, left, right)
    found = asked(left, right, decisions=[unlink])
    assert not found.together
    words = "Anna decided on 9 May 2026 that they do not belong together (decision 7)"
    assert found.decisions == ((7, words),)
    assert found.sentence == f"PAY-1 and the mail of 3 May 2026 are apart: {words}"
    assert found.steps[0].kept == words
    assert asked(left, mail("m1"), decisions=[unlink]).decisions == ((7, words),)
    answer = mail("m2", reply("m1"), day=4)
    (through,) = asked(left, answer, right, decisions=[unlink]).decisions
    assert through[1] == "Anna decided on 9 May 2026 to keep apart what they belong to (decision 7)"


def test_what_a_person_called_no_request_says_so() -> None:
    node = mail("m1")
    (outside,) = asked(node, issue("PAY-1"), decisions=[decided(DecisionKind.NO_REQUEST, node)]).outside
    assert "Anna decided on 9 May 2026 that it is no request (decision 7)" in outside[1]


def happened(kind: ActivityKind, day: int, field: str = "Link", label: str = "", *objects: tuple[str, str]) -> Activity:
    return Activity(f"{kind}{day}", "x", kind, datetime(2026, 5, day, tzinfo=UTC), field=field, to_label=label or None,
                    objects=objects)  # fmt: skip


def stated(relation: str, evidence: Evidence = Evidence.EXPLICIT, field: str = "issuelinks") -> Link:
    return Link("a", "b", "jira.key|B-1", "joins", evidence, relation, "", "", field=field)


def test_since_when_is_read_off_the_history() -> None:
    known_as = {"a": frozenset({"jira.key|A-1"}), "b": frozenset({"jira.key|B-1"})}
    to_b, to_a = ("jira.key|B-1", "linked"), ("jira.key|A-1", "parent")
    told = {
        "a": [
            happened(ActivityKind.LINKED, 3, "Link", "This issue implements B-1", to_b),
            happened(ActivityKind.LINKED, 5, "Link", "This issue blocks B-1", to_b),
            happened(ActivityKind.FIELD, 6, "title"),
            happened(ActivityKind.FIELD, 7, "title"),
            happened(ActivityKind.UNLINKED, 8, "Link", "", to_b),
        ],
        "b": [happened(ActivityKind.LINKED, 4, "Parent", "A-1", to_a)],
    }
    days = [
        found and found.day
        for found in (
            since(stated("implements"), known_as, told),
            since(stated("is tested by"), known_as, told),
            since(stated("sub-task"), known_as, told),
            since(stated("mentions", Evidence.TITLE, "title"), known_as, told),
            since(stated("mentions", Evidence.WRITTEN, "description"), known_as, told),
            since(stated("mentions", Evidence.WRITTEN, ""), known_as, told),
        )
    ]
    assert days == [3, None, 4, 7, None, None]
    assert since(replace(stated("implements"), since=AT), known_as, told) == AT
    assert since(replace(stated("implements"), to_artifact=None, unread="x"), known_as, told) is None


BORN = datetime(2026, 5, 1, tzinfo=UTC)


def began(artifact: str, field: str) -> datetime | None:
    return BORN if field in {"description", "parent"} else None


def test_what_never_changed_counts_from_the_beginning_where_its_tool_tells_every_change() -> None:
    known_as = {"a": frozenset({"jira.key|A-1"}), "b": frozenset({"jira.key|B-1"})}
    written = stated("mentions", Evidence.WRITTEN, "description")
    assert since(written, known_as, {}, began) == BORN
    assert since(written, known_as, {}) is None
    assert since(stated("mentions", Evidence.WRITTEN, "environment"), known_as, {}, began) is None
    edited = {"a": [happened(ActivityKind.FIELD, 6, "description")]}
    assert since(written, known_as, edited, began) == datetime(2026, 5, 6, tzinfo=UTC)
    assert since(stated("implements"), known_as, {}, began) is None


@pytest.mark.parametrize("relation", ["parent", "epic", "sub-task"])
def test_what_was_never_moved_lies_where_it_began(relation: str) -> None:
    known_as = {"a": frozenset({"jira.key|A-1"}), "b": frozenset({"jira.key|B-1"})}
    below, other = ("b", "A-1") if relation == "sub-task" else ("a", "B-1")
    assert since(stated(relation), known_as, {}, began) == BORN
    assert since(stated(relation), known_as, {"a": [], "b": []}) is None
    moved = {below: [happened(ActivityKind.LINKED, 4, "parent", other, (f"jira.key|{other}", "parent"))]}
    assert since(stated(relation), known_as, moved, began) == datetime(2026, 5, 4, tzinfo=UTC)
    for elsewhere in (
        happened(ActivityKind.LINKED, 4, "parent", "Z-9", ("jira.key|Z-9", "parent")),
        happened(ActivityKind.UNLINKED, 4, "parent", "", ("jira.key|Z-9", "epic")),
        happened(ActivityKind.FIELD, 4, "issuetype", "Sub-task"),
    ):
        assert since(stated(relation), known_as, {below: [elsewhere]}, began) is None


def cost(nodes: list[Node]) -> int:
    """How many Python functions and generator steps an answer takes: a count that no load on a machine changes."""
    count = 0
    component = Component(tuple(nodes))
    groups = correlate(component, RULES)

    def tick(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tick)
    try:
        reason(component, groups, RULES, nodes[0].artifact, nodes[-1].artifact)
    finally:
        sys.setprofile(None)
    return count


def thread(size: int) -> list[Node]:
    return [mail("m0", day=1), *(mail(f"m{number}", reply(f"m{number - 1}"), day=2) for number in range(1, size))]


def named(size: int) -> list[Node]:
    return [*(mail(f"m{number}", title("PAY-1"), quoted("PAY-2")) for number in range(size)), issue("PAY-1")]


def test_an_answer_grows_in_step_with_the_component() -> None:
    for shape in (thread, named):
        small, large = cost(shape(500)), cost(shape(2_000))
        assert large < 6 * small, f"{shape.__name__}: {small} steps for 500, {large} for 2,000"
    assert len(asked(thread(300)[0], thread(300)[-1], *thread(300)[1:-1]).steps) == 299


def test_what_a_decision_parts_does_not_share_the_names_by_which_each_states_the_other() -> None:
    whole = issue("PAY-1", link("jira.key", "PAY-2", "sub-task"))
    part = issue("PAY-2", link("jira.key", "PAY-1", "parent"))
    found = asked(whole, part, decisions=[decided(DecisionKind.UNLINK, whole, part)])
    assert (found.together, len(found.decisions), found.shared) == (False, 1, ())


def test_values_that_name_themselves_are_no_shared_values() -> None:
    one = issue("PAY-1", Reference("url", "x", "https://x.example/1", Evidence.IDENTITY, "is"))
    two = mail("m1", Reference("url", "", "https://x.example/2", Evidence.WRITTEN))
    found = asked(one, two)
    assert (found.shared, found.sentence) == ((), "Nothing that was read links PAY-1 and the mail of 3 May 2026")


@settings(max_examples=150, deadline=None)
@given(companies())
def test_in_any_company_a_chain_joins_exactly_what_is_in_one_request(nodes: list[Node]) -> None:
    component = Component(tuple(nodes))
    groups = correlate(component, SMALL)
    request = {name: group.request for group in groups.requests for name in group.artifacts}
    for left, right in combinations(request, 2):
        found = reason(component, groups, SMALL, left, right)
        assert found.together == (request[left] == request[right]), (left, right)
        assert found.together == (bool(found.steps) and not any(step.kept for step in found.steps))
        assert not found.steps or (found.steps[0].start, found.steps[-1].end) == (left, right)
        assert all(step.kept in step.sentence for step in found.steps)
        assert all(one.link.kept for one in found.against)
        assert found.outside == ()
    for name in groups.outside:
        assert [one for one, _ in reason(component, groups, SMALL, name, name).outside] == [name]
