"""What the parts of a record are read from: a request's artifacts in order, their histories, and its way as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipelines.lifecycle.histories import (
    FINISHED,
    LAST,
    History,
    Wait,
    created,
    history,
    instant_of,
    settings,
    with_waits,
)
from pipelines.lifecycle.members import LinkInput, Member, RequestInput
from pipelines.lifecycle.people import People
from pipelines.lifecycle.spans import VOICES, Stretch, delivered, heard, stretches
from pipelines.lifecycle.stages import Placement, StageMap, place, read_status
from schemas.artifacts import Activity, State, Status
from schemas.stages import NOT_MAPPED

BLOCKED = "blocked"
"""The waiting reason of what depends on something that is not done."""


@dataclass(frozen=True, slots=True)
class Life:
    """One request, read once."""

    request: RequestInput
    stage_map: StageMap
    people: People
    members: Sequence[Member]
    """Oldest first: by their tools' time of creation, then id; unknown times last."""
    born: Mapping[str, datetime | None]
    histories: Mapping[str, History]
    """Of members and others, waits laid over members' own."""
    activities: Sequence[Activity]
    """Of members, oldest first, without those taken back."""
    way: Sequence[Stretch]
    standing: Mapping[str, Placement]

    def stands(self, member: Member) -> Placement:
        """Where an artifact stands, or stood when it went away."""
        return self.standing[member.id]

    def since(self, member: Member) -> datetime | None:
        """Since when it stands there."""
        placed, at = self.stands(member), None
        for step in reversed(self.histories[member.id].steps):
            if step.placement is None:
                continue
            if not _alike(step.placement, placed):
                break
            at = step.at
        return at

    def gone(self, member: Member) -> bool:
        """Whether it is deleted or merged into another."""
        return bool(member.fields.get("deleted") or member.fields.get("merged_into"))

    @property
    def only_asks(self) -> bool:
        """Whether all work in it that was not given up is tickets."""
        return self.only_asked_until == LAST

    @property
    def only_asked_until(self) -> datetime | None:
        """When the first work began that is no ticket and was not given up: LAST if none did, None if it is not known
        or there is no ticket."""
        work = [each for each in self.members if carries(each) and not self._given_up(each)]
        if not any(each.kind == "ticket" for each in work):
            return None
        begun = [self.born[each.id] for each in work if each.kind != "ticket"]
        return None if None in begun else min(filter(None, begun), default=LAST)

    def _given_up(self, member: Member) -> bool:
        """Whether it was cancelled, or went away before it was done."""
        state = self.stands(member).state
        return state is State.CANCELLED or (self.gone(member) and state is not State.DONE)

    def unfinished(self, member: Member) -> bool:
        """Whether work on it is open. What has no status of its own is never open work."""
        return carries(member) and not self.gone(member) and self.stands(member).state not in FINISHED


def _alike(one: Placement, other: Placement) -> bool:
    return (one.stage, one.state, one.waiting) == (other.stage, other.state, other.waiting)


def carries(member: Member) -> bool:
    """Whether its tool gives it a status: a mail or a note has none and only speaks."""
    return read_status(member.fields.get("status")) is not None


def in_order(activities: Iterable[Activity]) -> list[Activity]:
    """By time, artifact, key; one of each key."""
    kept: dict[str, Activity] = {}
    for each in activities:
        known = kept.get(each.key)
        if known is None or repr(each) > repr(known):
            kept[each.key] = each
    return sorted(kept.values(), key=lambda each: (each.at, each.artifact, each.key))


def read(request: RequestInput, stage_map: StageMap) -> Life:
    """Everything about the request that several parts of its record need."""
    everyone = {each.id: each for each in (*request.others, *request.members)}
    own: dict[str, list[Activity]] = {name: [] for name in everyone}
    for activity in in_order(request.activities):
        if activity.artifact in own and not activity.withdrawn:
            own[activity.artifact].append(activity)
    placer = _Placer(stage_map, everyone.values())
    told = {name: history(each, own[name], placer) for name, each in everyone.items()}
    born = {name: created(each, own[name]) for name, each in everyone.items()}
    members = sorted(request.members, key=lambda each: (born[each.id] or LAST, each.id))
    waits = _waits((*request.links, *request.past), members, told, own)
    told |= {each.id: with_waits(told[each.id], waits.get(each.id, ())) for each in members}
    told |= _heard(members, told, born, stage_map)
    activities = sorted(
        (each for member in members for each in own[member.id]), key=lambda each: (each.at, each.artifact, each.key)
    )
    standing = {
        name: next(step.placement for step in reversed(each.steps) if step.placement is not None)
        for name, each in told.items()
    }
    way = stretches(_moving([told[each.id] for each in members]), stage_map)
    return Life(request, stage_map, People(request), members, born, told, activities, way, standing)


class _Placer:
    """Asks the stage map; learns the categories of statuses from what artifacts say today."""

    def __init__(self, stage_map: StageMap, members: Iterable[Member]) -> None:
        self._map = stage_map
        self._categories: dict[tuple[str, str], State] = {}
        for member in members:
            status = read_status(member.fields.get("status"))
            if status and status.category:
                key = (member.connection, status.id)
                self._categories[key] = min(status.category, self._categories.get(key, status.category))

    def __call__(self, member: Member, status: Status | None) -> Placement:
        if status is not None:
            category = status.category or self._categories.get((member.connection, status.id))
            status = Status(status.id, status.label, category)
        return place(self._map, member.connection, member.connector, member.kind, member.text("type"), status)


def _waits(
    links: Iterable[LinkInput],
    members: Iterable[Member],
    told: Mapping[str, History],
    own: Mapping[str, Sequence[Activity]],
) -> dict[str, list[Wait]]:
    """Artifact to the times in which it cannot go on: its tool says so, or what it depends on is not done."""
    found = {member.id: list(_stated(member, own[member.id])) for member in members}
    for link in links:
        if link.effect == "depends on" and link.left != link.right and link.right in told:
            found.setdefault(link.left, []).extend(_until_done(told[link.right], link.since, link.until))
    return found


def _stated(member: Member, activities: Sequence[Activity]) -> Iterable[Wait]:
    """The times in which its tool says that it waits: by its history, and today's by its state."""
    reason, since = None, None
    for at, before, after in settings(activities, "waiting"):
        if reason is not None and reason == before:
            yield Wait(since, at, reason)
        reason, since = after, at
    stated = member.fields.get("waiting")
    if isinstance(stated, Mapping) and stated.get("reason"):
        known = since if stated["reason"] == reason else None
        yield Wait(known or instant_of(stated.get("since")), None, str(stated["reason"]))


def _until_done(blocker: History, since: datetime | None, until: datetime | None) -> Iterable[Wait]:
    """The times in which the blocker was not done and the link stood; until: when it was taken back. What was taken
    back and is not known since when held nothing up that could be told."""
    for wait in _not_done(blocker, since):
        if until is None:
            yield wait
        elif wait.start is not None and wait.start < until:
            yield replace(wait, until=min(wait.until or until, until))


def _not_done(blocker: History, since: datetime | None) -> Iterable[Wait]:
    start: datetime | None = None
    for step in blocker.steps:
        finished = step.placement is None or step.placement.state in FINISHED
        if not finished and start is None:
            start = step.order
        elif finished and start is not None:
            if since is not None and start < LAST:
                yield Wait(max(since, start), step.order, BLOCKED)
            start = None
    if start is not None:
        yield Wait(max(since, start) if since is not None and start < LAST else None, None, BLOCKED)


def _moving(told: Sequence[History]) -> list[History]:
    """The histories that move a request: no container beside what it contains, no alias beside what it was merged into,
    nothing that only exists unmapped."""
    work = [each for each in told if each.member.level < 1 and not _alias(each.member)] or list(told)
    return [each for each in work if carries(each.member) or _mapped(each)] or work


def _alias(member: Member) -> bool:
    """Whether it was merged into another, and nothing is known of it but that."""
    return bool(member.fields.get("merged_into")) and not carries(member)


def _mapped(told: History) -> bool:
    return any(step.placement is not None and step.placement.stage != NOT_MAPPED for step in told.steps)


def _heard(
    members: Sequence[Member], told: Mapping[str, History], born: Mapping[str, datetime | None], stage_map: StageMap
) -> dict[str, History]:
    """Histories with what customers say put before or after the delivery."""
    if not any(each.kind in VOICES for each in members):
        return {}
    work = _moving([told[each.id] for each in members if each.kind not in VOICES])
    done = delivered(work, stage_map)
    return {each.id: heard(told[each.id], born[each.id], done, stage_map) for each in members if each.kind in VOICES}
