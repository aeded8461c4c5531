"""Correlation is a function of its data alone: order, strangers and detours change nothing; cost grows in step."""

import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.correlate import correlate
from pipelines.references import LISTED
from schemas.artifacts import Evidence, Reference, request_id
from schemas.links import Component, Groups, Node
from tests.pipelines.company import RULES, at, grouped, issue, link, mail, record, reply, title, written

SMALL = replace(RULES, digest=2, generic=4, component=6)
KEYS = [f"PAY-{n}" for n in range(1, 6)]

REFERENCES = st.one_of(
    st.builds(title, st.sampled_from([*KEYS, "UTF-8"]), st.sampled_from(["subject", "title"])),
    st.builds(lambda key, place: written(key, field=place)[0], st.sampled_from(KEYS), st.sampled_from(["body", "x"])),
    st.builds(reply, st.sampled_from("abcde"), st.sampled_from(["In-Reply-To", "References"])),
    st.builds(lambda name: link("message-id", f"{name}@x", "forward", "attached mail"), st.sampled_from("abcde")),
    st.builds(lambda key: replace(written(key)[0], relation=LISTED), st.sampled_from([*KEYS, "WEB-1"])),
    st.builds(
        lambda key, how: Reference("request", "", request_id(f"jira-a/issue/{key}"), Evidence.WRITTEN, how, "body"),
        st.sampled_from(KEYS),
        st.sampled_from(["mentions", LISTED]),
    ),
    st.builds(
        lambda key, relation: link("jira.key", key, relation, scope="jira-a"),
        st.sampled_from(KEYS),
        st.sampled_from(["parent", "epic", "implements", "blocks", "is blocked by", "relates to"]),
    ),
    st.builds(
        lambda key, ways: replace(link("jira.key", key, ways[0], scope="jira-a"), mirror=ways[1]),
        st.sampled_from(KEYS),
        st.sampled_from([("implements", "implements"), ("is blocked by", "blocks"), ("sub-task", "parent")]),
    ),
    st.builds(
        lambda key, words, day: Reference(
            "jira.key", "jira-a", key, Evidence.WITHDRAWN, words, since=datetime(2026, 5, day, tzinfo=UTC)
        ),
        st.sampled_from(KEYS),
        st.sampled_from(["this issue implements", "dieser vorgang blocks", "parent", "relates to"]),
        st.integers(1, 9),
    ),
    st.builds(
        lambda key, how: link("hubspot.deal", key, how, scope="crm"), st.sampled_from("789"), st.just("association")
    ),
    st.builds(lambda key: Reference("hubspot.deal", "", key, Evidence.WRITTEN, field="body"), st.sampled_from("789")),
    st.builds(lambda key: Reference("jira.key", "", key, Evidence.QUOTED, field="body"), st.sampled_from(KEYS)),
)
DAYS = st.one_of(st.none(), st.integers(1, 9))


@st.composite
def companies(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for name in draw(st.sets(st.sampled_from([*KEYS, *"abcde", *"789", "note"]), max_size=12)):
        references = draw(st.lists(REFERENCES, max_size=5))
        if name in KEYS:
            told = draw(DAYS)
            level, updated_at = draw(st.integers(-1, 2)), at(told) if told else None
            nodes.append(issue(name, *references, day=draw(DAYS), level=level, updated_at=updated_at))
        elif name in "789":
            merged = draw(st.sampled_from([None, None, "crm/deal/7", "crm/deal/8"]))
            nodes.append(record("deal", name, *references, merged_into=merged))
        elif name == "note":
            nodes.append(record("note", name, *references))
        else:
            kind = draw(st.sampled_from(["person", "person", "list"]))
            subject = draw(st.sampled_from(["Export", "Re: Export", "PAY-1 other", ""]))
            nodes.append(mail(name, *references, day=draw(DAYS), subject=subject, kind=kind))
    return nodes


def shuffled(nodes: list[Node], seed: int) -> list[Node]:
    order = random.Random(seed)
    mixed = [replace(node, references=tuple(order.sample(node.references, len(node.references)))) for node in nodes]
    order.shuffle(mixed)
    return mixed


@given(companies(), st.integers(0, 999), st.sampled_from([RULES, SMALL]))
@settings(max_examples=200, deadline=None)
def test_any_order_gives_equal_groups(nodes: list[Node], seed: int, rules: object) -> None:
    rules = SMALL if rules is SMALL else RULES
    assert grouped(*shuffled(nodes, seed), rules=rules) == grouped(*nodes, rules=rules)


@given(companies())
@settings(max_examples=100, deadline=None)
def test_a_reference_told_twice_is_one(nodes: list[Node]) -> None:
    twice = [replace(node, references=node.references * 2) for node in nodes]
    assert grouped(*twice, rules=SMALL) == grouped(*nodes, rules=SMALL)


def apart(node: Node) -> Node:
    """The same artifact in a company that shares no value with the first."""

    def moved(one: Reference) -> Reference:
        value = f"OPS-{9}{one.value[4:]}" if one.value.startswith("PAY-") else f"other{one.value}"
        return replace(one, value=value)

    merged = node.merged_into and node.merged_into + "other"
    artifact = node.artifact + "other"
    return replace(node, artifact=artifact, merged_into=merged, references=tuple(moved(one) for one in node.references))


def together(one: Groups, other: Groups) -> Groups:
    return Groups(
        tuple(sorted(one.requests + other.requests, key=lambda group: group.request)),
        tuple(sorted(one.outside + other.outside)),
        tuple(sorted(one.programmes + other.programmes, key=lambda programme: programme.key)),
        tuple(sorted({*one.remarks, *other.remarks})),
        tuple(sorted(one.loose + other.loose, key=repr)),
    )


@given(companies(), companies(), st.sampled_from([True, False]))
@settings(max_examples=150, deadline=None)
def test_strangers_change_nothing(nodes: list[Node], others: list[Node], small: bool) -> None:
    rules = SMALL if small else RULES
    strangers = [apart(node) for node in others]
    both = grouped(*nodes, *strangers, rules=rules)
    both = replace(both, loose=tuple(sorted(both.loose, key=repr)))
    assert both == together(grouped(*nodes, rules=rules), grouped(*strangers, rules=rules))


@given(companies(), st.data())
@settings(max_examples=100, deadline=None)
def test_evidence_taken_away_and_given_back_is_no_change(nodes: list[Node], data: st.DataObject) -> None:
    before = grouped(*nodes)
    bare = [
        replace(node, references=tuple(one for one in node.references if data.draw(st.booleans()))) for node in nodes
    ]
    correlate(Component(tuple(bare)), RULES)
    again = [
        replace(less, references=(*less.references, *(one for one in node.references if one not in less.references)))
        for less, node in zip(bare, nodes, strict=True)
    ]
    assert grouped(*again) == before


@given(companies(), st.sampled_from([True, False]))
@settings(max_examples=200, deadline=None)
def test_what_always_holds(nodes: list[Node], small: bool) -> None:
    groups = grouped(*nodes, rules=SMALL if small else RULES)
    placed = [artifact for group in groups.requests for artifact in group.artifacts] + list(groups.outside)
    assert sorted(placed) == sorted(node.artifact for node in nodes)
    for group in groups.requests:
        assert group.openers
        assert group.anchor in group.artifacts
        assert list(group.artifacts) == sorted(group.artifacts)
        for one in (*group.links, *group.depends_on, *group.mentions):
            assert one.why[0].isupper() or one.why[0].isdigit()
            assert bool(one.kept) == (one.kind == "mentions")
        joined = {end for one in group.links for end in (one.from_artifact, one.to_artifact)} - {None}
        assert joined <= set(group.artifacts)
        assert len(group.artifacts) == 1 or joined == set(group.artifacts)


def test_every_artifact_of_a_request_has_a_reason() -> None:
    groups = grouped(issue("PAY-1"), mail("a", title("PAY-1")), mail("b", reply("a"), day=4))
    ends = {end for one in groups.requests[0].links for end in (one.from_artifact, one.to_artifact)}
    assert ends == set(groups.requests[0].artifacts)


def steps(nodes: list[Node]) -> int:
    """How many steps a correlation takes."""
    component = Component(tuple(nodes))
    return steps_of(lambda: correlate(component, RULES))


def steps_of(work: Callable[[], object]) -> int:
    """How many Python functions and generator steps it takes: a count that no load on a machine changes."""
    count = 0

    def tick(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tick)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def star(size: int) -> Iterator[Node]:
    """One issue, and mails that answer each other and name it."""
    yield issue("PAY-1")
    for number in range(size):
        yield mail(f"m{number}", *written("PAY-1", f"OPS-{number + 1}"), reply(f"m{number // 2 - 1}"))


def thread(size: int) -> Iterator[Node]:
    """A chain of answers whose subjects keep changing."""
    for number in range(size):
        named = title(f"PAY-{number % 40 + 1}")
        yield mail(f"m{number}", reply(f"m{number - 1}"), reply("m0", "References"), named, subject=f"Topic {number}")


def programme(size: int) -> Iterator[Node]:
    yield issue("OPS-1", level=1)
    for number in range(size):
        yield issue(f"PAY-{number + 1}", link("jira.key", "OPS-1", "parent", scope="jira-a"))


def test_cost_grows_in_step_with_the_component() -> None:
    for shape in (star, thread, programme):
        small, large = steps(list(shape(500))), steps(list(shape(2_000)))
        assert large < 6 * small, f"{shape.__name__}: {small} steps for 500, {large} for 2,000"
