"""The default stage map."""

import pytest

from connectors.hubspot import connector
from schemas.artifacts import State
from services.sandbox.hubspot_vocabulary import DEFAULT_PIPELINES


def placed(kind: str, status: str) -> tuple[str, State | None, str | None]:
    """The first row that fits, as the stage map says."""
    rule = next(
        each for each in connector.stages if each.kind == kind and each.status.casefold() in ("*", status.casefold())
    )
    return rule.stage, rule.state, rule.waiting


@pytest.mark.parametrize("kind", ["deal", "ticket"])
def test_every_default_stage_has_a_row_by_id_and_by_label(kind: str) -> None:
    for stage in DEFAULT_PIPELINES[kind]()["stages"]:
        by_id, by_label = placed(kind, stage["id"]), placed(kind, stage["label"])
        assert by_id == by_label
        assert by_id[1] is not None


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("deal", "contractsent", ("alignment", State.WAITING, "customer")),
        ("deal", "closedwon", ("requirements", State.DONE, None)),
        ("deal", "Abgeschlossen und verloren", ("alignment", State.CANCELLED, None)),
        ("deal", "My own stage", ("alignment", None, None)),
        ("ticket", "Warten auf Kontakt", ("improvement", State.WAITING, "customer")),
        ("ticket", "90125", ("improvement", None, None)),
    ],
)
def test_chosen_rows(kind: str, status: str, expected: tuple[str, State | None, str | None]) -> None:
    assert placed(kind, status) == expected
