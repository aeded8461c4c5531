"""How many artifacts of a request stand where at one moment, and what that makes of the request."""

from collections.abc import Set as AbstractSet
from typing import Literal

from pipelines.lifecycle.histories import FINISHED
from pipelines.lifecycle.members import Member
from pipelines.lifecycle.stages import Placement, StageMap
from schemas.artifacts import State
from schemas.stages import NOT_MAPPED

_Counts = dict[State | None, int]

_OPEN = frozenset({State.NEW, State.ACTIVE, State.WAITING})

Role = Literal["voice", "carrier", "issue"]
"""What an artifact is to the request's way: its tool gives it no status, it gives it one, or it is a piece of work."""


def role_of(member: Member) -> Role:
    """The role of an artifact."""
    if member.fields.get("status") is None:
        return "voice"
    return "issue" if member.kind == "issue" and member.level == 0 else "carrier"


class Standing:
    """Counts by stage and state, kept while a sweep moves artifacts. Level -1 is `not mapped`."""

    def __init__(self, stage_map: StageMap, *, whole: bool = True) -> None:
        self._whole = whole
        self._names = stage_map.stages
        self._levels = {name: level for level, name in enumerate(stage_map.stages)}
        self._waits_for_all = [stage_map.gate(name) == "all" for name in stage_map.stages] + [False]
        self._carried: list[_Counts] = [{} for _ in range(len(self._names) + 1)]
        self._spoken: list[_Counts] = [{} for _ in range(len(self._names) + 1)]
        self._issues: dict[tuple[int, State], int] = {}
        """Open issues by level and state."""
        self._waits: dict[tuple[int, str], int] = {}
        self._had_carriers = False
        self._alive = 0
        self._stage: str | None = None

    def count(self, placed: Placement, role: Role, change: int) -> None:
        """One artifact more or less in a place."""
        level = self._levels.get(placed.stage, -1)
        carrier = role != "voice"
        counts = (self._carried if carrier else self._spoken)[level]
        left = counts.get(placed.state, 0) + change
        if left:
            counts[placed.state] = left
        else:
            del counts[placed.state]
        if placed.state is State.WAITING:
            wait = (level, placed.waiting or "")
            self._waits[wait] = self._waits.get(wait, 0) + change
        if role == "issue" and placed.state in _OPEN:
            self._issues[level, placed.state] = self._issues.get((level, placed.state), 0) + change
        if carrier:
            self._had_carriers = True
            if placed.state is not State.CANCELLED:
                self._alive += change

    def look(self) -> tuple[str, State | None, str | None]:
        """Stage, state and waiting reason of the request at this moment."""
        if self._had_carriers and not self._alive:
            return self._stage or self._deepest_cancelled(), State.CANCELLED, None
        held = self._held()
        states = self._carried[held].keys() - {State.CANCELLED} or self._spoken[held].keys()
        self._stage = self._names[held] if held >= 0 else NOT_MAPPED
        state, levels = together(states), frozenset({held})
        if self._whole and state is State.DONE and (left := self._left()):
            state, levels = together({State.DONE, *(each for _, each in left)}), frozenset(level for level, _ in left)
        return self._stage, state, self._reason(levels) if state is State.WAITING else None

    def _held(self) -> int:
        """The level the request is at: the furthest, held back by the earliest `all` stage with something open."""
        last = len(self._names) - 1
        held, found = -1, False
        for level in range(last, -1, -1):
            counts = self._carried[level]
            if not found and self._spoken[level] and (not self._had_carriers or level == last):
                held, found = level, True
            if not counts:
                continue
            if not found and any(state is not State.CANCELLED for state in counts):
                held, found = level, True
            if self._waits_for_all[level] and any(state not in FINISHED for state in counts):
                held = level
        return held

    def _deepest_cancelled(self) -> str:
        level = max((level for level in self._levels.values() if self._carried[level]), default=-1)
        return self._names[level] if level >= 0 else NOT_MAPPED

    def _left(self) -> set[tuple[int, State]]:
        """Where issues are open, and in which state."""
        return {place for place, count in self._issues.items() if count > 0}

    def _reason(self, levels: AbstractSet[int]) -> str | None:
        """The reason most things wait for; ties by name."""
        totals: dict[str, int] = {}
        for (level, reason), count in self._waits.items():
            if level in levels:
                totals[reason] = totals.get(reason, 0) + count
        reasons = sorted((-count, reason) for reason, count in totals.items() if count > 0)
        return next((reason for _, reason in reasons if reason), None)


def together(states: AbstractSet[State | None]) -> State | None:
    """One state for all that stand in a stage: somebody works, else it waits, else it is new, else it is done."""
    if State.ACTIVE in states:
        return State.ACTIVE
    if State.WAITING in states:
        return State.WAITING
    if State.NEW in states:
        return State.ACTIVE if State.DONE in states else State.NEW
    if None in states or not states:
        return None
    return State.DONE if State.DONE in states else State.CANCELLED
