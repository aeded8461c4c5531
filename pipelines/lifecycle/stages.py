"""Which stage and state a tool's type and status mean: the first row of the stage map that fits, never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.artifacts import State, Status
from schemas.stages import NOT_MAPPED, STAGES, StageRule

Gate = Literal["any", "all"]

ANY_VALUE = "*"
_STATES = frozenset(State)
_REMEMBERED = 10_000
_NO_STATE = StageRule("", "", "", "", NOT_MAPPED, None, "")
DEFAULT_GATES: Mapping[str, Gate] = {"development": "all", "change": "all"}


@dataclass(frozen=True, slots=True)
class StageMap:
    """Configuration: rows in order, the stages in theirs, and how each stage is left.

    Raises ValueError for a row or a gate of a stage that is not among the stages.
    """

    rules: tuple[StageRule, ...]
    stages: tuple[str, ...] = STAGES
    gates: Mapping[str, Gate] = field(default_factory=lambda: DEFAULT_GATES)
    """Stages not listed have the gate `any`."""
    asked: dict[tuple[str, str, str, str | None, Status | None], "Placement"] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """What was asked before: a map has hundreds of rows, and the same few statuses are asked again and again."""
    by_status: dict[str, list[int]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Numbers of the rows, from 1, by the status that they name."""

    def __post_init__(self) -> None:
        for number, rule in enumerate(self.rules, 1):
            self.by_status.setdefault(rule.status.casefold(), []).append(number)
            if rule.stage not in self.stages and rule.stage != NOT_MAPPED:
                raise ValueError(
                    f"row {number} of the stage map names the stage {rule.stage!r}; use one of {self.stages}"
                )

        for name in self.gates:
            if name not in self.stages and self.gates is not DEFAULT_GATES:
                raise ValueError(f"a gate names the stage {name!r}; use one of {self.stages}")

    def about(self, status: Status | None) -> list[tuple[int, StageRule]]:
        """The rows that name this status, or any, in their order, with their numbers."""
        words = {ANY_VALUE, *(word.casefold() for word in ((status.label, status.id) if status else ("",)))}
        numbers = sorted(number for word in words for number in self.by_status.get(word, ()))
        return [(number, self.rules[number - 1]) for number in numbers]

    def gate(self, stage: str) -> Gate:
        """How the stage is left."""
        return self.gates.get(stage, "any")


@dataclass(frozen=True, slots=True)
class Placement:
    """A stage, a state, and the row that says so."""

    stage: str
    state: State | None
    waiting: str | None = None
    reason: str = ""
    row: int | None = None
    """Number of the row from 1; None where no row fits."""


def _fits(pattern: str, *values: str | None) -> bool:
    if pattern == ANY_VALUE:
        return True
    folded = pattern.casefold()
    return any(value is not None and value.casefold() == folded for value in values)


def _row_fits(rule: StageRule, connection: str, connector: str, kind: str, type_: str, status: Status | None) -> bool:
    return (
        (not rule.connection or _fits(rule.connection, connection))
        and _fits(rule.connector, connector)
        and _fits(rule.kind, kind)
        and _fits(rule.type, type_)
        and _fits(rule.status, *((status.label, status.id) if status else ("",)))
    )


def _named(stage_map: StageMap, connection: str, connector: str, kind: str, status: Status | None) -> StageRule:
    """The first row that gives the status itself a state, whatever the type: a status means one state."""
    known = (
        rule
        for _, rule in stage_map.about(status)
        if rule.state and rule.status != ANY_VALUE and _row_fits(rule, connection, connector, kind, rule.type, status)
    )
    return next(known, _NO_STATE)


def place(
    stage_map: StageMap, connection: str, connector: str, kind: str, type_: str | None, status: Status | None
) -> Placement:
    """Where a thing of this type and status stands. status None: its tool gives it none (a mail)."""
    known = stage_map.asked
    key = (connection, connector, kind, type_, status)
    placed = known.get(key)
    if placed is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        placed = known[key] = _place(stage_map, connection, connector, kind, type_, status)
    return placed


def _place(
    stage_map: StageMap, connection: str, connector: str, kind: str, type_: str | None, status: Status | None
) -> Placement:
    category = status.category if status else None
    for number, rule in stage_map.about(status):
        if _row_fits(rule, connection, connector, kind, type_ or "", status):
            named = rule if rule.state or category else _named(stage_map, connection, connector, kind, status)
            state = named.state or category
            waiting = named.waiting if state is State.WAITING else None
            return Placement(rule.stage, state, waiting, rule.reason, number)
    thing = f"{kind} {type_}" if type_ else kind
    label = f"status {status.label!r}" if status else "no status"
    return Placement(NOT_MAPPED, category, None, f"no row of the stage map knows {connector} {thing} with {label}")


def explain(
    stage_map: StageMap, connection: str, connector: str, kind: str, type_: str | None, status: Status | None
) -> str:
    """The row that decides and its reason, in one sentence for an admin."""
    placed = place(stage_map, connection, connector, kind, type_, status)
    state = placed.state.value if placed.state else "state unknown"
    if placed.row is None:
        source = "the state is the tool's own category" if placed.state else "the tool gives no category"
        return f"{NOT_MAPPED}, {state}: {placed.reason}; {source}"
    rule = stage_map.rules[placed.row - 1]
    whose = f"{rule.connection} " if rule.connection else ""
    row = f"row {placed.row} ({whose}{rule.connector}, {rule.kind}, {rule.type}, {rule.status})"
    whence = "the tool's own category" if status and status.category else "another row for this status"
    own = "" if rule.state or placed.state is None else f", by {whence}"
    return f"{placed.stage}, {state}{own}: {row}: {placed.reason}"


def read_status(value: Any) -> Status | None:
    """The status an artifact's `status` field holds; None where it holds none or is of another shape."""
    if value is None or not isinstance(value, (dict, Mapping)):  # the look at the abstract class costs much
        return None
    id_, label = value.get("id"), value.get("label")
    if not isinstance(label, str):
        label = id_ if isinstance(id_, str) else None
    if label is None:
        return None
    category, pipeline = value.get("category"), value.get("pipeline")
    return Status(
        id=id_ if isinstance(id_, str) else label,
        label=label,
        category=State(category) if isinstance(category, str) and category in _STATES else None,
        pipeline=pipeline if isinstance(pipeline, str) else None,
    )
