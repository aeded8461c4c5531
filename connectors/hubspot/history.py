"""What happened to a HubSpot record, from its property history, and the deeds that notes and e-mails record.

HubSpot keeps the last 20 values of a deal's or ticket's property (contacts: 45; knowledge.hubspot.com, "View property
history"). What the hub read earlier stays, since each change has a key of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.hubspot.mails import LoggedMail
from connectors.hubspot.pipelines import Pipelines
from connectors.hubspot.reading import (
    PIPELINE_PROPERTY,
    STAGE_PROPERTY,
    decimal_text,
    dicts_at,
    id_at,
    mapping_at,
    milliseconds,
    moment_at,
    text_at,
)
from connectors.hubspot.told import Told
from schemas.artifacts import Activity, ActivityKind
from schemas.canonical import instant

KEPT_VALUES = 20
"""How many values of one property HubSpot keeps: a list this long may have lost its beginning."""

_PEOPLE_SOURCES = {
    "CRM_UI",
    "CRM_UI_BULK_ACTION",
    "MOBILE_IOS",
    "MOBILE_ANDROID",
    "CONVERSATIONS",
    "MEETINGS",
    "SALES",
    "EXTENSION",
}
"""`sourceType`s behind which a person sits; all else (workflow, import, API, calculation) is a machine."""

_SHOWN = {"amount": "Amount", "closedate": "Close date", "hs_ticket_priority": "Priority", "hs_priority": "Priority"}
_OURS = {"amount": "amount", "closedate": "target_at", "hs_ticket_priority": "priority", "hs_priority": "priority"}
"""Properties that are fields of the hub's."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value a property had, and the value before it (None: there was none, or HubSpot no longer knows)."""

    property: str
    value: str
    before: str | None
    at: datetime
    user: str | None
    by_person: bool


def values(told: Told, name: str) -> list[Value]:
    """The changes of one property, oldest first; a value set again unchanged is none."""
    entries = dicts_at(mapping_at(told.record, "propertiesWithHistory"), name)
    timed = [(at, text_at(each, "value") or "", each) for each in entries if (at := moment_at(each, "timestamp"))]
    changes: list[Value] = []
    before: str | None = None
    for at, value, entry in sorted(timed, key=lambda each: each[:2]):
        if value != (before or ""):
            person = text_at(entry, "sourceType") in _PEOPLE_SOURCES
            changes.append(Value(name, value, before, at, _user(entry), person))
        before = value
    return changes


def _user(entry: dict[str, Any]) -> str | None:
    # sourceId is the integration's or workflow's number unless it says that it is a user's.
    kind, _, number = (text_at(entry, "sourceId") or "").partition(":")
    return id_at(entry, "updatedByUserId") or (id_at({"id": number}, "id") if kind == "userId" else None)


def entered(told: Told, name: str) -> datetime | None:
    """When a property got the value it has now."""
    changes = values(told, name)
    return changes[-1].at if changes and changes[-1].value == text_at(told.properties, name) else None


def activities(told: Told, pipelines: Pipelines) -> tuple[Activity, ...]:
    """Everything a deal or ticket says that happened to it."""
    stage, pipeline = STAGE_PROPERTY[told.kind], text_at(told.properties, PIPELINE_PROPERTY[told.kind])
    found = [*_created(told), *_deleted(told)]
    found += [_moved(told, change, pipelines, pipeline) for change in values(told, stage)]
    found += [_assigned(told, change) for change in values(told, "hubspot_owner_id")]
    for name, label in _SHOWN.items():
        changes = values(told, name)
        found += [
            _changed(told, each, ActivityKind.FIELD, label, (each.before, each.value or None)) for each in changes
        ]
    return tuple(found)


def _moved(told: Told, change: Value, pipelines: Pipelines, pipeline: str | None) -> Activity:
    ends = change.before, change.value or None
    before, after = (pipelines.stage_label(each, pipeline) for each in ends)
    moved = _changed(told, change, ActivityKind.STATUS, "status", (before, after))
    was, became = (pipelines.category(each, pipeline) for each in ends)
    return replace(moved, from_category=was, to_category=became)


def _changed(
    told: Told, change: Value, kind: ActivityKind, field: str, labels: tuple[str | None, str | None]
) -> Activity:
    return Activity(
        key=f"{told.artifact}/{change.property}/{milliseconds(change.at)}/{change.value}",
        artifact=told.artifact,
        kind=kind,
        at=change.at,
        actor=told.people.user(change.user),
        automatic=not change.by_person,
        field=field,
        from_value=change.before,
        from_label=labels[0],
        to_value=change.value or None,
        to_label=labels[1],
        sets=tuple(_sets(change)),
    )


def _sets(change: Value) -> Iterator[tuple[str, str | None, str | None]]:
    if ours := _OURS.get(change.property):
        yield ours, _in_our_form(ours, change.before), _in_our_form(ours, change.value)


def _in_our_form(ours: str, value: str | None) -> str | None:
    if ours == "amount":
        return decimal_text(value)
    if ours == "target_at":
        at = moment_at({"at": value}, "at")
        return instant(at) if at else None
    return value or None


def _assigned(told: Told, change: Value) -> Activity:
    before = told.people.owner(id_at({"id": change.before}, "id"))
    after = told.people.owner(id_at({"id": change.value}, "id"))
    names = {identity.id: identity.name for identity in told.people.all}
    labels = (names.get(before or "") or change.before, names.get(after or "") or change.value or None)
    return _changed(told, change, ActivityKind.ASSIGNED, "assignee", labels)


def _created(told: Told) -> list[Activity]:
    at = moment_at(told.record, "createdAt") or moment_at(told.properties, "hs_createdate")
    actor = told.people.user(id_at(told.properties, "hs_created_by_user_id"))
    return [Activity(f"{told.artifact}/created", told.artifact, ActivityKind.CREATED, at, actor)] if at else []


def _deleted(told: Told) -> list[Activity]:
    at = moment_at(told.record, "archivedAt")
    if at is None or told.record.get("archived") is not True:
        return []
    return [Activity(f"{told.artifact}/deleted/{milliseconds(at)}", told.artifact, ActivityKind.DELETED, at)]


def commented(told: Told, body: str) -> tuple[Activity, ...]:
    """A note, as the comment it is."""
    at = moment_at(told.properties, "hs_timestamp") or moment_at(told.record, "createdAt")
    if at is None:
        return tuple(_deleted(told))
    actor = told.people.user(id_at(told.properties, "hs_created_by_user_id")) or told.people.owner(
        id_at(told.properties, "hubspot_owner_id")
    )
    said = Activity(
        key=f"{told.artifact}/commented",
        artifact=told.artifact,
        kind=ActivityKind.COMMENTED,
        at=at,
        actor=actor,
        text=told.said(body),
        withdrawn=told.record.get("archived") is True,
    )
    return (said, *_deleted(told))


def sent(told: Told, mail: LoggedMail) -> tuple[Activity, ...]:
    """A logged e-mail, as sent at the time HubSpot holds for it."""
    at = moment_at(told.properties, "hs_timestamp") or moment_at(told.record, "createdAt")
    if at is None:
        return tuple(_deleted(told))
    written = Activity(
        key=f"{told.artifact}/sent",
        artifact=told.artifact,
        kind=ActivityKind.SENT,
        at=at,
        actor=mail.sender,
        text=told.said(mail.written),
    )
    return (written, *_deleted(told))


def merged(told: Told, into: str, survivor: dict[str, Any]) -> tuple[Activity, ...]:
    """The record went into another one. HubSpot gives no time for that but the survivor's last change."""
    at = moment_at(survivor, "updatedAt")
    if at is None:
        return ()
    key = f"{told.artifact}/merged/{into}"
    return (Activity(key, told.artifact, ActivityKind.MERGED, at, objects=((into, "into"),)),)
