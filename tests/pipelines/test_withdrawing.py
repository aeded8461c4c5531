"""What a history's words say was taken back, and what they do not: which relation is meant, and of what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.correlate import correlate
from pipelines.correlate.reasons import reason
from pipelines.correlate.rules import Rules
from pipelines.dependencies import dated
from pipelines.store.components import StoredArtifact
from pipelines.store.facts import values_of
from schemas.artifacts import Activity, ActivityKind, Evidence, Reference
from schemas.links import Component, Link
from tests.pipelines.company import LINK_KINDS, RULES, at, grouped, issue, link, mail, requests, sets, written
from tests.pipelines.test_correlate_properties import steps_of

KINDS = {**LINK_KINDS, "is implemented by": "joins", "partly implements": "mentions"}
OWN: Rules = replace(
    RULES,
    connections={
        **RULES.connections,
        "jira-a": replace(RULES.connections["jira-a"], link_kinds=KINDS),  # type: ignore[arg-type]
    },
)


def gone(key: str, words: str) -> Reference:
    since = datetime(2026, 5, 5, tzinfo=UTC)
    return Reference("jira.key", "jira-a", key, Evidence.WITHDRAWN, words, "link", since=since)


def test_a_relation_that_ends_like_another_is_another() -> None:
    for words in ("this issue indirectly blocks", "this issue is blocked by one who blocks"):
        assert [group.past for group in grouped(issue("PAY-1", gone("PAY-2", words)), issue("PAY-2")).requests] == [
            (),
            (),
        ]
    for words in ("this issue blocks", "dieser vorgang blocks"):
        first, _ = grouped(issue("PAY-1", gone("PAY-2", words)), issue("PAY-2")).requests
        assert [link.why for link in first.past] == ["PAY-2 is blocked by PAY-1"]


def test_a_link_of_another_relation_that_ends_alike_stands() -> None:
    stated = replace(link("jira.key", "PAY-1", "is implemented by", "issuelinks", "jira-a"), mirror="implements")
    other = issue("PAY-2", stated, updated_at=at(3))
    for words, together in (("this issue partly implements", True), ("this issue implements", False)):
        component = Component((issue("PAY-1", gone("PAY-2", words)), other))
        found = requests(correlate(component, OWN))
        assert found == (sets("PAY-1 PAY-2") if together else sets("PAY-1", "PAY-2"))


def test_what_is_called_generic_was_waited_for_by_nobody() -> None:
    rules = replace(RULES, called_generic=frozenset({"jira.key|PAY-2"}))
    for nodes in (
        (issue("PAY-1", gone("PAY-2", "this issue is blocked by")), issue("PAY-2")),
        (issue("PAY-1"), issue("PAY-2", gone("PAY-1", "this issue blocks"))),
    ):
        assert [group.past for group in correlate(Component(nodes), RULES).requests] != [(), ()]
        assert [group.past for group in correlate(Component(nodes), rules).requests] == [(), ()]


def test_what_both_were_linked_with_once_is_no_shared_value() -> None:
    once = [issue(key, gone("PAY-9", "this issue relates to")) for key in ("PAY-1", "PAY-2")]
    component = Component(tuple(once))
    left, right = (one.artifact for one in once)
    assert reason(component, correlate(component, RULES), RULES, left, right).shared == ()


def test_a_link_once_is_counted_alike_where_it_is_stored_and_where_it_is_weighed() -> None:
    rules = replace(RULES, generic=1)
    for words, kept in (("this issue relates to", True), ("parent", False)):
        told = issue("PAY-1", gone("PAY-2", words), *written("PAY-2", scope="jira-a"))
        other = mail("m1", *written("PAY-2", scope="jira-a"))
        _, strong = values_of(told.references, rules, "jira-a")["jira.key|PAY-2"]
        found = requests(correlate(Component((told, other, issue("PAY-2"))), rules))
        assert (strong, found == sets("PAY-1 PAY-2 m1")) == (kept, kept)


def freed(size: int) -> int:
    """How many steps it takes to date the links of one issue that waited for so many others, each for an hour."""
    start, name = datetime(2026, 1, 1, tzinfo=UTC), "jira-a/issue/PAY-0"
    links, happened = [], []
    nodes = [issue(f"PAY-{number}") for number in range(size + 1)]
    for number, node in enumerate(nodes[1:]):
        since = start + timedelta(hours=2 * number)
        label, objects = f"This issue is blocked by {node.natural_key}", ((f"jira.key|{node.natural_key}", "linked"),)
        happened.append(Activity(label, name, ActivityKind.LINKED, since, to_label=label, objects=objects))
        links.append(Link(name, node.artifact, "", "depends on", Evidence.EXPLICIT, "is blocked by", "", "",
                          until=since + timedelta(hours=1)))  # fmt: skip
    artifacts = {
        one.artifact: StoredArtifact(one.artifact, "jira-a", "jira", "issue", {}, one.references) for one in nodes
    }
    told: list[Link] = []
    taken = steps_of(lambda: told.extend(dated(links, artifacts, {name: happened})))
    assert [one.since for one in told] == [one.at for one in happened]
    return taken


def test_the_links_of_what_was_linked_very_often_are_dated_in_step_with_their_number() -> None:
    assert freed(800) < 6 * freed(200)
