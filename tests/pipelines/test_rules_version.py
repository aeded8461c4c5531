"""The version of the rules: every rule counts, and the order in which they are told does not."""

from dataclasses import fields, replace
from typing import Any

import pytest

from pipelines.correlate.rules import ConnectionRules, Rules, fingerprint
from pipelines.store.stamps import MAPPING_VERSION
from pipelines.why import version_of

JIRA = ConnectionRules("jira", frozenset({"PAY", "OPS"}), frozenset({"acme.example"}), {"deployment": "joins"})
RULES = Rules(connections={"jira-acme": JIRA, "crm": ConnectionRules("hubspot")})
OTHER: dict[str, Any] = {
    "connector": "else", "projects": frozenset({"PAY"}), "scopes": frozenset[str](), "link_kinds": {},
    "openers": frozenset({"story"}), "reference_fields": {"deal": "hubspot.deal"},
    "whole_histories": frozenset({"title"}), "exclusive": frozenset[str](), "digest": 4, "generic": 49,
    "component": 999, "called_generic": frozenset({"jira.key|PAY-1"}), "called_specific": frozenset({"jira.key|PAY-1"}),
    "connections": {"jira-acme": JIRA},
}  # fmt: skip
"""For each rule another one."""


@pytest.mark.parametrize("rule", [one.name for one in fields(Rules)])
def test_every_rule_for_all_counts(rule: str) -> None:
    assert fingerprint(replace(RULES, **{rule: OTHER[rule]})) != fingerprint(RULES)


@pytest.mark.parametrize("rule", [one.name for one in fields(ConnectionRules)])
def test_every_rule_of_a_connection_counts(rule: str) -> None:
    other = replace(JIRA, **{rule: OTHER[rule]})
    assert fingerprint(replace(RULES, connections={**RULES.connections, "jira-acme": other})) != fingerprint(RULES)


def test_the_order_does_not_count_and_the_release_does() -> None:
    turned = replace(
        RULES,
        connections={
            "crm": ConnectionRules("hubspot"),
            "jira-acme": replace(JIRA, projects=frozenset({"OPS", "PAY"})),
        },
    )
    assert version_of(turned) == version_of(RULES) == f"{MAPPING_VERSION}-{fingerprint(RULES)}"
