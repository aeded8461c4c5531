"""The connector's page says what the code says."""

from collections import defaultdict
from pathlib import Path

from connectors.jira.options import JiraOptions
from connectors.jira.stages import LINK_KINDS, STAGES

PAGE = (Path(__file__).parents[3] / "docs" / "connectors" / "jira.md").read_text("utf-8")


def test_every_option_stands_in_the_page() -> None:
    rows = [f"| `{name}` | {info.title} | {info.description} |" for name, info in JiraOptions.model_fields.items()]
    assert [row for row in rows if row not in PAGE] == []


def test_every_stage_rule_stands_in_the_page() -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    for rule in STAGES:
        state = rule.state.value if rule.state else "as Jira says"
        said = f"{rule.stage} | {state}: {rule.waiting}" if rule.waiting else f"{rule.stage} | {state}"
        of_type = rule.type != "*"
        groups[f"| {'{}' if of_type else 'any'} | {'any' if of_type else '{}'} | {said} | {rule.reason} |"].append(
            rule.type if of_type else rule.status
        )
    rows = [row.format(", ".join(names)) for row, names in groups.items()]
    assert [row for row in rows if row not in PAGE] == []


def test_every_link_kind_stands_in_the_page() -> None:
    for kind in ("joins", "depends on", "mentions"):
        relations = ", ".join(relation for relation, does in LINK_KINDS.items() if does == kind)
        assert f"| {kind} | {relations} |" in PAGE


def test_no_status_is_mapped_twice() -> None:
    seen = [(rule.type.lower(), rule.status.lower()) for rule in STAGES]
    assert sorted(pair for pair in set(seen) if seen.count(pair) > 1) == []
