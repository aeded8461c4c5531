"""A stage and a state for a status that no row knows: proposed with the reason, never applied unasked. Pure."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.artifacts import State, Status
from schemas.stages import NOT_MAPPED

_STAGES = (
    ("change", "deploy release rollout roll-out cab change live production go-live install"),
    ("development", "develop development implement implementing build building code coding review test testing qa dev"),
    ("requirements", "requirement requirements analysis analyse analyze specification spec refine refinement estimate"),
    ("alignment", "board approval approve approved steering align alignment proposal offer quote contract budget"),
    ("improvement", "improve improvement feedback retrospective follow-up hypercare monitor monitoring warranty"),
)
_STATES = (
    (State.CANCELLED, "cancel cancelled canceled reject rejected declined duplicate obsolete abandoned withdrawn lost"),
    (State.WAITING, "wait waiting awaiting hold blocked pending paused postponed deferred parked"),
    (State.DONE, "done closed close resolved complete completed released finished delivered live accepted won"),
    (State.NEW, "new open todo to-do backlog submitted created received triage inbox reopened"),
    (State.ACTIVE, "progress doing active working started ongoing review testing analysis development implementing"),
)
"""Words of a status, the more telling first."""
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A row that may be chosen. state None: the tool's own category is right."""

    stage: str
    state: State | None
    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """A status that a row does know."""

    kind: str
    type: str | None
    stage: str
    artifacts: int


def propose(kind: str, type_: str | None, status: Status | None, known: Iterable[Known]) -> Proposal | None:
    """By the words of its name, by where others of its type stand, by its category; None where nothing speaks."""
    stage = _stage(kind, type_, status, [one for one in known if one.stage != NOT_MAPPED])
    if stage is None:
        return None
    state, told = _state(status)
    return Proposal(stage[0], state, f"{stage[1]}; {told}")


def _stage(kind: str, type_: str | None, status: Status | None, known: list[Known]) -> tuple[str, str] | None:
    words = _words(status)
    for stage, telling in _STAGES:
        if word := next((one for one in words if one in telling.split()), None):
            return stage, f'its name says "{word}"'
    for same, what in (
        ([one for one in known if (one.kind, one.type) == (kind, type_)], f"{kind} {type_}" if type_ else kind),
        ([one for one in known if one.kind == kind], kind),
    ):
        counted = Counter[str]()
        for one in same:
            counted[one.stage] += one.artifacts
        if counted:
            stage, number = max(counted.items(), key=lambda pair: (pair[1], pair[0]))
            return stage, f"most of {what} stand in {stage} ({number:,} of {counted.total():,})"
    return None


def _state(status: Status | None) -> tuple[State | None, str]:
    """None: as the tool says."""
    for state, telling in _STATES:
        if word := next((one for one in _words(status) if one in telling.split()), None):
            own = status is not None and status.category is state
            return (None if own else state), f'"{word}" says {state.value}'
    if status is not None and status.category is not None:
        return None, f"the tool's own category is {status.category.value}"
    return None, "nothing says what it is doing"


def _words(status: Status | None) -> list[str]:
    return [one.casefold() for one in _WORD.findall(status.label)] if status else []
