"""A person's word comes before all evidence: what is joined, kept apart, ruled out; and what contradicts what."""

from datetime import UTC, datetime

import pytest

from pipelines.correlate import correlate
from pipelines.correlate.judging import judge, said
from pipelines.lifecycle.persons import persons
from schemas.artifacts import Evidence, Identity
from schemas.decisions import Decision, DecisionKind, Refusal
from schemas.links import Component, Groups, Node
from tests.pipelines.company import RULES, issue, link, mail, names, of, record, reply, requests, title, written

MAY = datetime(2026, 5, 9, 9, tzinfo=UTC)
LINK, UNLINK, SPLIT, OUT = DecisionKind.LINK, DecisionKind.UNLINK, DecisionKind.SPLIT, DecisionKind.NO_REQUEST


def decided(number: int, kind: DecisionKind, left: list[str], right: list[str] | None = None) -> Decision:
    return Decision(number, kind, tuple(sorted(left)), tuple(sorted(right or [])), "Anna", "", MAY)


def with_decisions(*nodes: Node, decisions: list[Decision]) -> Groups:
    return correlate(Component(tuple(nodes), {}, tuple(decisions)), RULES)


def test_what_nothing_links_belongs_together_when_somebody_says_so() -> None:
    pay, lone = issue("PAY-1"), mail("m1")
    groups = with_decisions(pay, lone, decisions=[decided(7, LINK, [pay.artifact], [lone.artifact])])
    assert requests(groups) == {frozenset({"PAY-1", "m1"})}
    (found,) = of(groups, pay).links
    assert (found.evidence, found.rule, found.decision, found.since) == (Evidence.DECISION, "decision", 7, MAY)
    assert found.why == (
        "Anna decided on 9 May 2026 that PAY-1 and the mail of 3 May 2026 belong together (decision 7)"
    )


def test_a_decision_joins_two_deals_which_a_mention_may_not() -> None:
    one, other = record("deal", "1"), record("deal", "2")
    groups = with_decisions(one, other, decisions=[decided(1, LINK, [one.artifact], [other.artifact])])
    assert requests(groups) == {frozenset({"1", "2"})}


def test_explicit_evidence_does_not_bring_back_what_was_parted() -> None:
    parent, child = issue("PAY-1"), issue("PAY-2", link("jira.key", "PAY-1", "implements", scope="jira-a"), day=2)
    groups = with_decisions(parent, child, decisions=[decided(3, UNLINK, [parent.artifact], [child.artifact])])
    assert requests(groups) == {frozenset({"PAY-1"}), frozenset({"PAY-2"})}
    (kept,) = of(groups, child).mentions
    assert kept.decision == 3
    assert kept.why == (
        "PAY-2 implements PAY-1, but Anna decided on 9 May 2026 that they do not belong together (decision 3)"
    )


def test_what_stands_between_two_that_were_parted_goes_with_the_stronger_evidence() -> None:
    left, right = issue("PAY-1"), issue("PAY-2", day=2)
    between = mail("m1", title("PAY-2"), *written("PAY-1"))
    groups = with_decisions(left, right, between, decisions=[decided(3, UNLINK, [left.artifact], [right.artifact])])
    assert requests(groups) == {frozenset({"PAY-1"}), frozenset({"PAY-2", "m1"})}
    (kept,) = [one for one in of(groups, between).mentions if one.kept]
    assert "to keep apart what they belong to (decision 3)" in kept.kept


def test_a_split_keeps_its_side_together_and_away_from_the_rest() -> None:
    pay = issue("PAY-1")
    mails = [mail(f"m{n}", title("PAY-1"), day=n) for n in (3, 4, 5)]
    split = decided(4, SPLIT, [mails[1].artifact, mails[2].artifact], [pay.artifact, mails[0].artifact])
    groups = with_decisions(pay, *mails, decisions=[split])
    assert requests(groups) == {frozenset({"PAY-1", "m3"}), frozenset({"m4", "m5"})}
    later = mail("m6", title("PAY-1"), reply("m5"), day=6)
    groups = with_decisions(pay, *mails, later, decisions=[split])
    assert names(of(groups, later)) == {"m4", "m5", "m6"}


def test_noise_and_its_answers_are_no_request_and_join_none() -> None:
    pay = issue("PAY-1")
    noise = mail("m1", title("PAY-1"))
    answer, named = mail("m2", reply("m1"), day=4), mail("m3", reply("m2"), title("PAY-1"), day=5)
    groups = with_decisions(pay, noise, answer, named, decisions=[decided(5, OUT, [noise.artifact])])
    assert requests(groups) == {frozenset({"PAY-1", "m2", "m3"})}
    groups = with_decisions(pay, noise, answer, decisions=[decided(5, OUT, [noise.artifact])])
    assert requests(groups) == {frozenset({"PAY-1"})}
    assert names(groups.outside) == {"m1", "m2"}
    (kept,) = of(groups, pay).mentions
    assert kept.why.endswith("but Anna decided on 9 May 2026 that it is no request (decision 5)")


def test_an_epic_holds_no_programme_with_what_was_parted_from_it() -> None:
    epic = issue("PAY-9", level=1)
    children = [issue(f"PAY-{n}", link("jira.key", "PAY-9", "epic", scope="jira-a"), day=n) for n in (1, 2)]
    groups = with_decisions(epic, *children, decisions=[decided(1, UNLINK, [epic.artifact], [children[0].artifact])])
    assert requests(groups) == {frozenset({"PAY-1"}), frozenset({"PAY-2", "PAY-9"})}
    assert groups.programmes == ()


def test_a_chain_of_decisions_holds_over_what_is_not_read() -> None:
    one, other = issue("PAY-1"), issue("PAY-2", day=2)
    chain = [decided(1, LINK, [one.artifact], ["gone/issue/7"]), decided(2, LINK, ["gone/issue/7"], [other.artifact])]
    assert requests(with_decisions(one, other, decisions=chain)) == {frozenset({"PAY-1", "PAY-2"})}


def refusal(wish: Decision, *held: Decision) -> Refusal:
    with pytest.raises(Refusal) as refused:
        judge(wish, held)
    return refused.value


def test_together_against_not_is_refused_with_the_decision_in_the_way() -> None:
    first, second = decided(1, LINK, ["a"], ["b"]), decided(2, LINK, ["b"], ["c"])
    found = refusal(decided(3, UNLINK, ["a"], ["c"]), first, second)
    assert (found.kind, found.number) == ("contradiction", 1)
    assert found.problem == (
        "Anna decided on 9 May 2026 that a and b belong together (decision 1); "
        "Anna decided on 9 May 2026 that b and c belong together (decision 2)."
    )
    apart = decided(3, UNLINK, ["a"], ["d"])
    assert refusal(decided(4, LINK, ["c"], ["d"]), first, second, apart).number == 3
    judge(decided(4, LINK, ["d"], ["e"]), [first, second, apart])


def test_a_split_that_takes_along_what_was_joined_with_the_rest_names_that_decision() -> None:
    told = refusal(decided(2, SPLIT, ["a", "b"], ["c", "d"]), decided(1, LINK, ["b"], ["c"]))
    assert (told.kind, told.number) == ("contradiction", 1)
    assert told.problem == "Anna decided on 9 May 2026 that b and c belong together (decision 1)."


def test_what_is_no_request_is_joined_with_nothing_that_may_be_one() -> None:
    noise = decided(1, OUT, ["a", "b"])
    assert refusal(decided(2, LINK, ["a"], ["c"]), noise).number == 1
    judge(decided(2, LINK, ["a"], ["b"]), [noise])
    linked = decided(1, LINK, ["a"], ["c"])
    assert refusal(decided(2, OUT, ["a"]), linked).number == 1
    judge(decided(2, OUT, ["a", "c"]), [linked])


def test_what_was_said_needs_no_second_saying() -> None:
    assert refusal(decided(2, LINK, ["b"], ["a"]), decided(1, LINK, ["a"], ["b"])).kind == "said already"
    assert refusal(decided(2, OUT, ["a"]), decided(1, OUT, ["a"])).kind == "said already"
    assert refusal(decided(2, UNLINK, ["b"], ["a"]), decided(1, UNLINK, ["a"], ["b"])).number == 1


@pytest.mark.parametrize("kind", list(DecisionKind))
def test_every_decision_can_be_told(kind: DecisionKind) -> None:
    one = Decision(9, kind, ("a", "b", "c", "d"), ("e",), "Anna", "", MAY, undoes=3)
    assert said(one).startswith("Anna decided on 9 May 2026 that ")
    assert said(one).endswith("(decision 9)")


ANNA = [
    Identity("box/address/anna@a", "Anna", "anna@a"),
    Identity("crm/owner/1", "Anna B.", "anna@a"),
    Identity("jira-a/account/5", "Anna", "anna@b"),
]


def test_identities_are_one_person_by_address_and_by_decision() -> None:
    same = decided(1, DecisionKind.SAME_PERSON, [ANNA[0].id], [ANNA[2].id])
    assert persons(ANNA, []) == {}
    assert set(persons(ANNA, [same]).values()) == {"box/address/anna@a"}


def test_one_address_is_two_persons_when_somebody_says_so() -> None:
    apart = decided(1, DecisionKind.OTHER_PERSON, [ANNA[0].id], [ANNA[1].id])
    assert persons(ANNA, [apart]) == {one.id: one.id for one in ANNA}
    same = decided(2, DecisionKind.SAME_PERSON, [ANNA[0].id], [ANNA[2].id])
    assert persons(ANNA, [apart, same]) == {
        "box/address/anna@a": "box/address/anna@a",
        "crm/owner/1": "crm/owner/1",
        "jira-a/account/5": "box/address/anna@a",
    }
