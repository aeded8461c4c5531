"""Since when there is the evidence of a link, where its tool tells that in its history only. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pipelines.correlate.rules import DEDICATED
from schemas.artifacts import Activity, ActivityKind, Evidence
from schemas.links import Link

_HANGS_BELOW = {"parent": ("parent", "epic"), "epic": ("parent", "epic"), "sub-task": ("parent",)}
"""Relations of what lies below to the roles in which its history names what it lies below."""

KINDS = (ActivityKind.LINKED.value, ActivityKind.UNLINKED.value, ActivityKind.FIELD.value)
"""Kinds of activities that are needed."""

_PLACE, _TYPE = "parent", "issuetype"
"""Fields: what an artifact hangs below, and what may move it elsewhere without a word of that."""

Began = Callable[[str, str], datetime | None]
"""Of an artifact and a field: when the artifact was created, if its tool tells every change of the field since then."""


def since(
    link: Link,
    known_as: Mapping[str, frozenset[str]],
    happened: Mapping[str, Sequence[Activity]],
    began: Began = lambda _, __: None,
) -> datetime | None:
    """When the evidence came to be; None where nothing tells.

    A text counts from its newest change: earlier ones may not have said it. What never changed counts from the
    beginning. known_as: artifact to the keys of references that name it. happened: artifact to what happened to it,
    in any order.
    """
    if link.since is not None or link.to_artifact is None:
        return link.since
    if link.until is not None:
        times = [at for at in _linked(link, known_as, happened) if at <= link.until]
    elif link.evidence is Evidence.EXPLICIT:
        times = _linked(link, known_as, happened) or _born_below(link, happened, began)
    else:
        told = happened.get(link.from_artifact, ())
        field = link.field.lower() if link.relation == DEDICATED else link.field  # histories name fields in lower case
        times = [one.at for one in told if one.kind is ActivityKind.FIELD and one.field and one.field == field]
        times = times or _of(began(link.from_artifact, field))
    return max(times, default=None)


def _of(time: datetime | None) -> list[datetime]:
    return [time] if time else []


def _born_below(link: Link, happened: Mapping[str, Sequence[Activity]], began: Began) -> list[datetime]:
    """When what lies below was created, if it lay there from the beginning: nothing tells that it was ever moved."""
    if link.relation not in _HANGS_BELOW:
        return []
    assert link.to_artifact is not None
    child = link.to_artifact if link.relation == "sub-task" else link.from_artifact
    for one in happened.get(child, ()):
        moved = one.kind in {ActivityKind.LINKED, ActivityKind.UNLINKED} and any(
            role in {"parent", "epic"} for _, role in one.objects
        )
        if moved or one.field in {_PLACE, _TYPE}:
            return []
    return _of(began(child, _PLACE))


def _linked(
    link: Link, known_as: Mapping[str, frozenset[str]], happened: Mapping[str, Sequence[Activity]]
) -> list[datetime]:
    """When one was linked with the other in this way."""
    assert link.to_artifact is not None
    one, other = link.from_artifact, link.to_artifact
    if link.relation == "sub-task":  # stated by what lies above
        one, other = other, one
    names = known_as.get(other, frozenset())
    return [
        activity.at
        for activity in happened.get(one, ())
        if activity.kind is ActivityKind.LINKED
        for name, role in activity.objects
        if name in names and _says(activity, role, link.relation)
    ]


def _says(activity: Activity, role: str, relation: str) -> bool:
    """Whether what happened made a link of this relation."""
    if relation in _HANGS_BELOW:
        return role in _HANGS_BELOW[relation]
    return role == "linked" and relation.lower() in (activity.to_label or "").lower()
