"""How a tool's types and statuses become stages and states: configuration, with a reason for every row."""

from dataclasses import dataclass

from schemas.artifacts import State

STAGES = ("alignment", "requirements", "development", "change", "improvement")
"""Default stages in their order."""

NOT_MAPPED = "not mapped"
"""The stage of what no row of a stage map knows. Never guessed."""


@dataclass(frozen=True, slots=True)
class StageRule:
    """One row of a stage map. The first row that fits wins; matching ignores case; "*" fits everything.

    connection "" fits every connection of the connector. A row without a state takes the status's own category.
    """

    connector: str
    kind: str
    type: str
    status: str
    """The status's label or id."""
    stage: str
    state: State | None
    reason: str
    connection: str = ""
    waiting: str | None = None
    """Why it waits when state is waiting: customer, another team, blocked."""
