"""The worked example of the page about correlation is what correlation makes of it: its sentences, and its picture."""

import re
from dataclasses import replace
from datetime import UTC, datetime

from pipelines.correlate import correlate
from pipelines.correlate.rules import ConnectionRules, Rules
from schemas.artifacts import Evidence, Reference, request_id
from schemas.canonical import instant
from schemas.decisions import Decision, DecisionKind
from schemas.links import Component, Group, Link, Node
from tests.docs.papers import TOP, text
from tests.docs.test_examples import explicit, hubspot, issue, mail

DEAL = "10000000037"
PAGE = text(TOP / "docs" / "correlation.md").partition("## A request, from start to end")[2].partition("\n## ")[0]
RULES = Rules(
    {
        "jira": ConnectionRules(
            "jira", frozenset({"PAY", "OPS"}), link_kinds={"is deployed by": "joins"},
            reference_fields={"crm deal": "hubspot.deal"},
        ),
        "crm": ConnectionRules("hubspot"),
        "mail": ConnectionRules("mailbox"),
    }
)  # fmt: skip
REPORT = "PAY-12, PAY-16, OPS-12, PAY-20, PAY-21, PAY-22, PAY-23"


def _in_march(node: Node) -> Node:
    return replace(node, created_at=instant(datetime(2026, 3, 5, tzinfo=UTC)))


THINGS: dict[str, Node] = {
    "ask": mail(1, 2, subject="Payslips in the portal"),
    "logged": _in_march(
        hubspot("email", "10000000038", False, explicit("association", "message-id", "m1@acme.example"),
                explicit("association", "hubspot.deal", DEAL, "crm"))
    ),
    "deal": _in_march(hubspot("deal", DEAL, True)),
    "story": issue(
        "PAY-12", Reference("field", "", DEAL, Evidence.FIELD, "CRM deal", "customfield_10050"),
        explicit("is deployed by", "jira.key", "OPS-12", "jira"),
    ),
    "part": issue("PAY-16", explicit("parent", "jira.key", "PAY-12", "jira"), level=-1),
    "change": issue("OPS-12"),
    "report": mail(2, 9, subject="What we did this week", body=REPORT),
    "more": mail(3, 12, subject="One more wish"),
}  # fmt: skip
BY_ANNA = Decision(
    1, DecisionKind.LINK, (THINGS["story"].artifact,), (THINGS["more"].artifact,), "Anna", "she called",
    datetime(2026, 3, 13, tzinfo=UTC),
)  # fmt: skip


def worked() -> Group:
    groups = correlate(Component(tuple(THINGS.values()), decisions=(BY_ANNA,)), RULES)
    (found,) = (one for one in groups.requests if THINGS["ask"].artifact in one.artifacts)
    return found


def drawn(arrow: str) -> set[frozenset[str]]:
    """The pairs that the picture connects by this arrow."""
    return {frozenset(pair) for pair in re.findall(rf"^ +(\w+) {re.escape(arrow)}\S*.*? (\w+)$", PAGE, re.MULTILINE)}


def pairs(links: tuple[Link, ...]) -> set[frozenset[str]]:
    names = {node.artifact: name for name, node in THINGS.items()}
    return {frozenset(names[end] for end in (one.from_artifact, one.to_artifact or "")) for one in links}


def test_its_sentences_are_said_and_no_others() -> None:
    told = set(re.findall(r"^\d\. `(.+?)`", PAGE, re.MULTILINE))
    found = worked()
    named = {one.why for one in found.mentions if "names PAY-12 " in one.why}
    assert told == {one.why for one in found.links} | named


def test_its_picture_shows_every_link() -> None:
    found = worked()
    assert drawn("-->") == pairs(found.links)
    assert drawn("-.->") == pairs(found.mentions)
    assert {name for name, node in THINGS.items() if node.artifact in found.artifacts} == THINGS.keys() - {"report"}


def test_its_id_is_that_of_the_mail_that_asked_and_the_digest_is_what_keeps_the_report_out() -> None:
    found = worked()
    assert found.request == request_id(THINGS["ask"].artifact)
    shorter = THINGS | {"report": mail(2, 9, subject="What we did this week", body="PAY-12")}
    groups = correlate(Component(tuple(shorter.values()), decisions=(BY_ANNA,)), RULES)
    assert len(groups.requests) == 1


def test_a_field_that_is_emptied_parts_it_as_the_page_says() -> None:
    emptied = THINGS | {"story": replace(THINGS["story"], references=_but_fields(THINGS["story"]))}
    groups = correlate(Component(tuple(emptied.values()), decisions=(BY_ANNA,)), RULES)
    found = [set(one.artifacts) for one in groups.requests]
    for together in (("ask", "logged", "deal"), ("story", "part", "change", "more")):
        assert {THINGS[name].artifact for name in together} in found


def _but_fields(node: Node) -> tuple[Reference, ...]:
    return tuple(one for one in node.references if one.evidence is not Evidence.FIELD)
