"""The connector's page in docs says what the code does."""

from pathlib import Path

from connectors.hubspot import connector
from connectors.hubspot.check import SCOPES
from services.sandbox.hubspot_vocabulary import SCOPES as ASKED_FOR

PAGE = (Path(__file__).parents[3] / "docs" / "connectors" / "hubspot.md").read_text("utf-8")


def test_every_option_is_explained() -> None:
    for name, info in connector.Options.model_fields.items():
        assert f"| `{name}` | {info.title} | {info.description} |" in PAGE


def test_every_stage_is_in_the_table_with_its_reason() -> None:
    for rule in connector.stages:
        rows = [row for row in PAGE.splitlines() if row.startswith(f"| {rule.kind} |") and rule.status in row]
        if rule.status != "*":
            assert [row for row in rows if f"| {rule.stage} |" in row and rule.reason in row], rule.status


def test_every_scope_is_listed_and_known_to_hubspot() -> None:
    listed = {row.split("`")[1] for row in PAGE.splitlines() if row.startswith("| `")}
    assert set(SCOPES.values()) | {"crm.objects.owners.read"} == set(ASKED_FOR.values())
    assert set(ASKED_FOR.values()) <= listed
