"""A request's way through the stages, merged from its artifacts' histories.

At every moment the request is in exactly one stage: the furthest in which some artifact stands, held back by the
earliest stage with the gate `all` in which some artifact is not finished. So an `any` stage is left as soon as some
artifact is in a later one, an `all` stage only when all that entered it are done there or elsewhere.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from pipelines.lifecycle.histories import FINISHED, LAST, History, Step
from pipelines.lifecycle.stages import Placement, StageMap
from pipelines.lifecycle.standing import Standing, role_of
from schemas.artifacts import State

VOICES = frozenset({"mail", "ticket", "note"})
"""Kinds in which a customer speaks: in the first stage before anything was delivered, in the last stage after."""

WORDS = frozenset({"mail", "note"})
"""Those of them that have no status of their own."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One unbroken time of a request in one stage and state. left and entered are None where nobody knows when."""

    stage: str
    state: State | None
    waiting: str | None
    entered: datetime | None
    left: datetime | None = None
    open: bool = False
    again: bool = False
    """Whether it began with an artifact that came back from done or cancelled."""


def stretches(histories: Sequence[History], stage_map: StageMap, *, whole: bool = True) -> list[Stretch]:
    """The request's stretches, oldest first, without overlap. Cost n log n in the number of steps.

    whole: nothing is done while an issue of the request is open in an earlier stage. Otherwise each stage speaks for
    itself.
    """
    timeline = sorted(
        (
            (step.order, told.member.id, place, step, told)
            for told in histories
            for place, step in enumerate(told.steps)
        ),
        key=lambda entry: entry[:3],
    )
    standing = Standing(stage_map, whole=whole)
    where: dict[str, Placement] = {}
    found: list[Stretch] = []
    at = 0
    while at < len(timeline):
        order, exact, again = timeline[at][0], True, False
        while at < len(timeline) and timeline[at][0] == order:
            _, _, _, step, told = timeline[at]
            exact = exact and step.at is not None
            again = _move(standing, where, step, told) or again
            at += 1
        if where or found:
            _extend(found, standing.look(), order if exact and order != LAST else None, again=again)
    if found:
        found[-1] = replace(found[-1], open=True)
    return found


def _move(standing: Standing, where: dict[str, Placement], step: Step, told: History) -> bool:
    """Whether the artifact came back from done or cancelled with this step."""
    role = role_of(told.member)
    before = where.get(told.member.id)
    placed = step.placement
    if placed is None:
        if before is None or (before.state is State.DONE and not told.member.fields.get("merged_into")):
            return False  # what was done stays done, though somebody deleted it later
        placed = replace(before, state=State.CANCELLED, waiting=None)
    if before is not None:
        standing.count(before, role, -1)
    standing.count(placed, role, 1)
    where[told.member.id] = placed
    return role != "voice" and before is not None and before.state in FINISHED and placed.state not in FINISHED


def _extend(
    found: list[Stretch], now: tuple[str, State | None, str | None], at: datetime | None, *, again: bool
) -> None:
    stage, state, waiting = now
    if found:
        last = found[-1]
        if (last.stage, last.state, last.waiting) == now:
            return
        found[-1] = replace(last, left=at)
    found.append(Stretch(stage, state, waiting, at, again=again))


def delivered(histories: Sequence[History], stage_map: StageMap) -> tuple[bool, datetime | None]:
    """Whether work was done in the last `all` stage that the request came to, and when for the first time.

    What was done in the last of all such stages is delivered; before that, only with nothing open in an earlier stage.
    """
    levels = {name: level for level, name in enumerate(stage_map.stages)}
    found = stretches(histories, stage_map, whole=False)
    work = [levels[each.stage] for each in found if each.stage in levels and stage_map.gate(each.stage) == "all"]
    if not work:
        return False, None
    final, reached = max(work), False
    if final < last_for_all(stage_map):
        found = stretches(histories, stage_map)
    for each in found:
        level = levels.get(each.stage, -1)
        if (level == final and each.state is State.DONE) or (reached and level > final):
            return True, each.entered
        reached = reached or level == final
    return False, None


def heard(told: History, spoke: datetime | None, done: tuple[bool, datetime | None], stage_map: StageMap) -> History:
    """The history of a customer's voice, in the first or the last stage by whether it spoke after the delivery."""
    first, last = stage_map.stages[0], stage_map.stages[-1]
    was_delivered, when = done
    if was_delivered and (when is None or spoke is None):
        return told
    after = was_delivered and when is not None and spoke is not None and spoke > when
    stage, why = (last, "said after the delivery") if after else (first, "said before anything was delivered")
    # Words after the delivery are given with their saying; only what has a status of its own can ask for more work.
    given = after and told.member.kind in WORDS
    return replace(told, steps=tuple(_restaged(told.steps, {first, last}, stage, why, given=given)))


def _restaged(steps: Iterable[Step], moved: set[str], stage: str, why: str, *, given: bool) -> Iterable[Step]:
    for step in steps:
        if (placed := step.placement) and placed.stage in moved:
            reason = placed.reason if placed.stage == stage else f"{why}; {placed.reason}"
            state = State.DONE if given else placed.state
            step = replace(step, placement=replace(placed, stage=stage, state=state, reason=reason))
        yield step


def parts(found: Sequence[Stretch]) -> list[list[Stretch]]:
    """The stretches grouped into stays: neighbours in one stage."""
    stays: list[list[Stretch]] = []
    for each in found:
        if stays and stays[-1][-1].stage == each.stage:
            stays[-1].append(each)
        else:
            stays.append([each])
    return stays


def over(here: Stretch, stage_map: StageMap) -> bool:
    """Whether nothing was left to do: all cancelled, or done in the last stage that waits for all, or a later one."""
    names = stage_map.stages
    if here.state is not State.DONE or here.stage not in names:
        return here.state is State.CANCELLED
    return names.index(here.stage) >= last_for_all(stage_map)


def last_for_all(stage_map: StageMap) -> int:
    """The place of the last stage with the gate `all`; of the last stage where none has it."""
    names = stage_map.stages
    return max((level for level, name in enumerate(names) if stage_map.gate(name) == "all"), default=len(names) - 1)


def reopened(found: Sequence[Stretch], stage_map: StageMap, only_asked_until: datetime | None = None) -> int:
    """How often the request came back: one of its artifacts from finished work, or all of it from its end.

    The first work in a stage after the end (a ticket after the delivery) is the way on, not back. only_asked_until:
    as long as tickets were all the work there was, closing them was an end in whatever stage they were.
    """
    levels = {name: level for level, name in enumerate(stage_map.stages)}
    count, worked = 0, set()
    for before, after in pairwise(found):
        if before.state not in FINISHED:
            worked.add(before.stage)
        here, there = levels.get(before.stage, -1), levels.get(after.stage, -1)
        back = there < here or (there == here and (after.again or after.stage in worked))
        alone = only_asked_until is not None and (before.left or LAST) <= only_asked_until
        work = alone or stage_map.gate(before.stage) == "all" or before.stage == stage_map.stages[-1]
        done = before.state is State.DONE and work and back and (after.again or over(before, stage_map))
        count += (done or before.state is State.CANCELLED) and after.state not in FINISHED
    return count
