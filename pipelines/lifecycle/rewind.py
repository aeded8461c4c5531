"""The inputs of an earlier moment, by today's knowledge and membership.

What came later is left out, what was taken back since is there. A field goes back to what its history says it was; a
field without a history keeps the value known today, except one that only says how things ended or that they wait.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pipelines.lifecycle.histories import chained, created, gone_at, instant_of, status_left, status_reached
from pipelines.lifecycle.lives import in_order
from pipelines.lifecycle.members import LinkInput, Member, RequestInput
from pipelines.lifecycle.people import People
from pipelines.lifecycle.stages import read_status
from schemas.artifacts import Activity, ActivityKind
from schemas.canonical import instant


def rewound(request: RequestInput, at: datetime) -> RequestInput:
    """The request as it stood at the instant; members that did not exist then are left out."""
    people = People(request)
    own: dict[str, list[Activity]] = {}
    for activity in in_order(request.activities):
        if not activity.withdrawn:
            own.setdefault(activity.artifact, []).append(activity)
    then = {each.id: _member(each, own.get(each.id, []), at, people) for each in (*request.others, *request.members)}
    later = {name for name, member in then.items() if member is None}
    links = [*request.links, *(replace(each, until=None) for each in request.past if _stood(each, at))]
    return replace(
        request,
        members=[member for each in request.members if (member := then[each.id])],
        others=[member for each in request.others if (member := then[each.id])],
        activities=[each for each in request.activities if each.at <= at],
        links=[each for each in links if _was_there(each, at) and later.isdisjoint((each.left, each.right))],
        past=[each for each in request.past if not _stood(each, at) and _was_there(each, at)],
    )


def _stood(link: LinkInput, at: datetime) -> bool:
    """Whether what was taken back stood then: where no history tells of its beginning, from its ends' beginning on."""
    return link.until is not None and link.until > at


def _was_there(link: LinkInput, at: datetime) -> bool:
    return link.since is None or link.since <= at


def _member(member: Member, activities: Sequence[Activity], at: datetime, people: People) -> Member | None:
    born = created(member, activities)
    if born is not None:
        if born > at:
            return None
    elif activities and activities[0].at > at:
        return None
    fields = dict(member.fields)
    _drop_later(fields, member, activities, at)
    fields |= _before_set(fields, activities, at)
    if "status" in fields:
        fields["status"] = _status(fields["status"], activities, at)
    assigned = [each for each in activities if each.kind is ActivityKind.ASSIGNED]
    later = next((each for each in assigned if each.at > at), None)
    if later is not None:
        fields["assignee"] = _identity(member, later.from_value, people)
        fields["participants"] = _without_assignee(fields.get("participants"))
    return replace(member, fields=fields)


def _without_assignee(participants: object) -> object:
    """Those beside whom it is assigned to, which a field of its own says."""
    if not isinstance(participants, list | tuple):
        return participants
    return [each for each in participants if not isinstance(each, dict) or each.get("role") != "assignee"]


def _identity(member: Member, native: str | None, people: People) -> str | None:
    """The identity behind a tool's own id: a known one, else one of the same form as today's assignee."""
    known, today = people.named(member, native), member.text("assignee")
    if known or native is None or today is None:
        return known
    return f"{today.rpartition('/')[0]}/{native}"


def _drop_later(fields: dict[str, Any], member: Member, activities: Sequence[Activity], at: datetime) -> None:
    gone, when = gone_at(member, activities)
    if gone and when is not None and when > at:
        fields.pop("deleted", None)
        fields.pop("merged_into", None)
    for name, inside in (("outcome", "at"), ("waiting", "since")):
        value = fields.get(name)
        since = instant_of(value.get(inside)) if isinstance(value, Mapping) else None
        if since is not None and since > at:
            fields.pop(name)
    told = member.times.get("out_of_scope")
    if told is not None and told > at:
        fields.pop("out_of_scope", None)
    updated = instant_of(fields.get("updated_at"))
    if updated is not None and updated > at:
        fields.pop("updated_at")


def _before_set(fields: Mapping[str, Any], activities: Sequence[Activity], at: datetime) -> dict[str, Any]:
    """The fields that were set later, as they were."""
    values: dict[str, str | None] = {}
    since: dict[str, datetime] = {}
    for each in activities:
        for name, before, _ in each.sets:
            if each.at > at:
                values.setdefault(name, before)
            else:
                since[name] = each.at
    values = {name: value for name, value in values.items() if name in fields or value is not None}
    return {name: _formed(name, value, values, fields, since.get(name)) for name, value in values.items()}


def _formed(
    name: str, value: str | None, values: Mapping[str, str | None], fields: Mapping[str, Any], since: datetime | None
) -> Any:
    """A value in the shape that its field has."""
    if value is None:
        return None
    told = instant(since) if since else None
    if name == "outcome":
        return {"result": value, "reason": values.get("resolution", fields.get("resolution")), "at": told}
    if name == "waiting":
        return {"reason": value, "since": told}
    if name == "amount":
        today = fields.get("amount")
        return {"value": value, "currency": today.get("currency") if isinstance(today, Mapping) else None}
    return value


def _status(value: object, activities: Sequence[Activity], at: datetime) -> object:
    changes = chained([each for each in activities if each.kind is ActivityKind.STATUS])
    before = [each for each in changes if each.at <= at]
    after = [each for each in changes if each.at > at]
    if not after:
        return value
    then = status_reached(before[-1]) if before else status_left(after[0])
    if then is None:
        return None
    today = read_status(value)
    category = then.category or (today.category if today is not None and today.id == then.id else None)
    return {"id": then.id, "label": then.label, "category": category}
