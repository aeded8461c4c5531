"""One artifact's history as steps from one stage and state to the next; what its tool did not tell stays unknown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby

from pipelines.lifecycle.members import Member
from pipelines.lifecycle.stages import Placement, read_status
from schemas.artifacts import Activity, ActivityKind, State, Status
from schemas.canonical import parse_instant

LAST = datetime.max.replace(tzinfo=UTC)
"""Orders what happened at a time nobody knows, after everything dated."""

FINISHED = frozenset({State.DONE, State.CANCELLED})

_AT_ONCE = 100
"""Changes of one instant that are put in order: more (an import without times) stay as they come."""

Placer = Callable[[Member, Status | None], Placement]


@dataclass(frozen=True, slots=True)
class Step:
    """From here on the artifact stands there; placement None: it is gone (deleted, or merged into another)."""

    order: datetime
    """Where the step lies in time; LAST where it came after everything dated."""
    at: datetime | None
    """When it was taken; None where the tool's history does not say."""
    placement: Placement | None


@dataclass(frozen=True, slots=True)
class _Stand:
    """As a step, before it is known what the status means."""

    order: datetime
    at: datetime | None
    status: Status | None


@dataclass(frozen=True, slots=True)
class History:
    """All steps of one artifact, oldest first."""

    member: Member
    steps: tuple[Step, ...]
    complete: bool
    """Whether the tool's telling has no gap."""


def instant_of(value: object) -> datetime | None:
    """The instant in a field's text; None where it states none (a date alone is no instant)."""
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except (ValueError, OverflowError):
        return None


def created(member: Member, activities: Iterable[Activity] = ()) -> datetime | None:
    """When its tool says it came to be."""
    stated = instant_of(member.fields.get("created_at"))
    return stated or min((each.at for each in activities if each.kind is ActivityKind.CREATED), default=None)


def _status(value: str | None, label: str | None, category: State | None) -> Status | None:
    if value is None and label is None:
        return None
    return Status(value if value is not None else label or "", label if label is not None else value or "", category)


def status_left(change: Activity) -> Status | None:
    """The status from which it led away."""
    return _status(change.from_value, change.from_label, change.from_category)


def status_reached(change: Activity) -> Status | None:
    """The status to which it led."""
    return _status(change.to_value, change.to_label, change.to_category)


def _same(one: Status, other: Status) -> bool:
    return one.id == other.id or one.label.casefold() == other.label.casefold()


def gone_at(member: Member, activities: Sequence[Activity]) -> tuple[bool, datetime | None]:
    """Whether the artifact is deleted or merged into another, and since when."""
    fields = member.fields
    for name, kind in (("merged_into", ActivityKind.MERGED), ("deleted", ActivityKind.DELETED)):
        if fields.get(name):
            told = max((each.at for each in activities if each.kind is kind), default=None)
            return True, told or member.times.get(name)
    return False, None


def history(member: Member, activities: Sequence[Activity], place: Placer) -> History:
    """The steps of an artifact. activities are its own, oldest first."""
    start = created(member, activities)
    status = read_status(member.fields.get("status"))
    changes = [each for each in activities if each.kind is ActivityKind.STATUS]
    if changes:
        stands, complete = _from_changes(changes, status, start)
    else:
        stands, complete = _unchanged(member, status, start, place)
    steps = _given_up(member, list(_placed(member, stands, settings(activities, "type"), place)), activities)
    gone, when = gone_at(member, activities)
    if gone:
        steps = [_before(step, when or LAST) for step in steps if step.at is None or when is None or step.at <= when]
        complete = complete and when is not None
    if not steps:  # told changes without a status, or gone before anything else that is dated
        steps, complete = [Step(when or LAST, None, place(member, status))], False
    if gone:
        steps.append(Step(when or LAST, when, None))
    return History(member, tuple(steps), complete)


def settings(activities: Iterable[Activity], name: str) -> list[tuple[datetime, str | None, str | None]]:
    """When a field was set, and its value before and after, oldest first; activities: oldest first."""
    return [(each.at, before, after) for each in activities for field, before, after in each.sets if field == name]


def _given_up(member: Member, steps: list[Step], activities: Sequence[Activity]) -> list[Step]:
    """What its tool calls closed without being done is cancelled, though its status says done.

    Each time it was closed counts as it was called last: today, or before it was taken up again.
    """
    outcome = member.fields.get("outcome")
    result = outcome.get("result") if isinstance(outcome, dict) else None
    told = settings(activities, "outcome")
    for place in reversed(range(len(steps))):
        placed = steps[place].placement
        if placed is None or placed.state is not State.DONE:
            result = _called(told, steps[place].order)
        elif result == State.CANCELLED:
            cancelled = replace(placed, state=State.CANCELLED, reason=f"closed without being done; {placed.reason}")
            steps[place] = replace(steps[place], placement=cancelled)
    return steps


def _called(told: Sequence[tuple[datetime, str | None, str | None]], before: datetime) -> str | None:
    """The value just before a moment."""
    later = next((was for at, was, _ in told if at >= before), None)
    earlier = [value for at, _, value in told if at < before]
    return earlier[-1] if earlier else later


def _before(step: Step, when: datetime) -> Step:
    return replace(step, order=min(step.order, when))


def _placed(
    member: Member,
    stands: Sequence[_Stand],
    types: Sequence[tuple[datetime, str | None, str | None]],
    place: Placer,
) -> Iterable[Step]:
    """Where it stood, by the status and the type that it had."""
    points: list[tuple[datetime, int, _Stand | None, str | None]] = [(each.order, 1, each, None) for each in stands]
    points += [(at, 0, None, after) for at, _, after in types]
    typed = _of_type(member, types[0][1]) if types else member
    here: _Stand | None = None
    shown: Placement | None = None
    for order, _, stand, after in sorted(points, key=lambda point: point[:2]):
        here, typed = stand or here, typed if stand else _of_type(member, after)
        if here is None:
            continue
        placed = place(typed, here.status)
        if stand or placed != shown:
            yield Step(order, stand.at if stand else order, placed)
        shown = placed


def _of_type(member: Member, type_: str | None) -> Member:
    return replace(member, fields={**member.fields, "type": type_})


def _unchanged(
    member: Member, status: Status | None, start: datetime | None, place: Placer
) -> tuple[list[_Stand], bool]:
    """No change was told: it stands where it was created, unless nobody creates a thing there (done, cancelled)."""
    if status is None or place(member, status).state not in FINISHED:
        return [_Stand(start or LAST, start, status)], start is not None
    outcome = member.fields.get("outcome")
    ended = instant_of(outcome.get("at")) if isinstance(outcome, dict) else None
    return [_Stand(ended or LAST, ended, status)], False


def _from_changes(
    changes: Sequence[Activity], status: Status | None, start: datetime | None
) -> tuple[list[_Stand], bool]:
    complete = start is not None
    changes = chained(changes)
    first = changes[0]
    stands: list[_Stand] = []
    before = status_left(first)
    if before is not None:
        begin = min(start, first.at) if start else None
        stands.append(_Stand(begin or first.at, begin, before))
    for change in changes:
        told = status_left(change)
        if told and before and not _same(told, before):
            stands.append(_Stand(change.at, None, told))
            complete = False
        before = status_reached(change) or before
        if before is not None:
            stands.append(_Stand(change.at, change.at, before))
    if status and (before is None or not _same(status, before)):
        stands.append(_Stand(LAST, None, status))
        complete = False
    return stands, complete


def chained(changes: Sequence[Activity]) -> list[Activity]:
    """Changes of one instant, which nothing else orders, each from where the one before ended."""
    found: list[Activity] = []
    for _, several in groupby(changes, lambda each: each.at):
        left = list(several)
        while left and len(left) <= _AT_ONCE:
            found.append(_next(left, found[-1] if found else None))
            left.remove(found[-1])
        found += left
    return found


def _next(left: Sequence[Activity], last: Activity | None) -> Activity:
    """Of changes of one instant one that goes on from the last, else one to which no other leads; those in front that
    lead on."""
    if len(left) == 1:
        return left[0]
    begins, ends = {each.from_value for each in left}, {each.to_value for each in left}
    on = [each for each in left if last is not None and each.from_value == last.to_value]
    open_ = on or [each for each in left if each.from_value not in ends] or left
    return next((each for each in open_ if each.to_value in begins), open_[0])


@dataclass(frozen=True, slots=True)
class Wait:
    """A time in which an artifact waits whatever its status says. start None: nobody knows since when."""

    start: datetime | None
    until: datetime | None
    reason: str


def _waiting(placed: Placement | None, reason: str | None) -> Placement | None:
    if reason is None or placed is None or placed.state in FINISHED:
        return placed
    if placed.state is State.WAITING and placed.waiting:
        return placed
    return replace(placed, state=State.WAITING, waiting=reason)


def with_waits(told: History, waits: Sequence[Wait]) -> History:
    """The history with waits laid over the steps that are neither finished nor waiting by themselves."""
    if not waits or not told.steps:
        return told
    points: list[tuple[datetime, int, Step | None, int, str]] = [(step.order, 1, step, 0, "") for step in told.steps]
    for wait in waits:
        begin = wait.start or LAST
        if wait.until is not None and wait.until <= begin:
            continue
        points.append((begin, 2, None, 1, wait.reason))
        if wait.until is not None:
            points.append((wait.until, 0, None, -1, wait.reason))
    points.sort(key=lambda point: point[:2])
    return replace(told, steps=tuple(_laid_over(points)))


def _laid_over(points: list[tuple[datetime, int, Step | None, int, str]]) -> Iterable[Step]:
    running: dict[str, int] = {}
    below: Step | None = None
    shown: Placement | None = None
    for order, _, step, change, reason in points:
        if step is not None:
            below = step
        else:
            running[reason] = running.get(reason, 0) + change
        if below is None:
            continue
        reasons = [name for name, count in sorted(running.items()) if count > 0]
        placed = _waiting(below.placement, reasons[0] if reasons else None)
        if step is not None or placed != shown:
            yield Step(order, step.at if step else (None if order == LAST else order), placed)
        shown = placed
