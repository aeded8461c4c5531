"""An issue's own fields in the hub's words. Reads the shapes of REST v3 (Cloud), REST v2 (Data Center) and webhooks."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from urllib.parse import urlsplit

from connectors.jira.links import issue_key, normal_url
from connectors.jira.people import People
from connectors.jira.shapes import moment, number, obj, rows, word
from connectors.jira.text import words
from connectors.keeping import EXCERPT
from schemas.artifacts import State
from schemas.canonical import instant

_CATEGORIES = {"new": State.NEW, "indeterminate": State.ACTIVE, "done": State.DONE}
"""Jira's own three kinds of status; they cannot be changed by an admin (REST v3, StatusCategory)."""
_CONTAINERS = {"epic": 1, "epos": 1, "initiative": 2, "theme": 3, "saga": 3}
"""Levels of types above the standard one by their names, for Data Center, which states no level."""
_CANCELLED = frozenset(
    {"won't do", "won't fix", "wont fix", "duplicate", "cannot reproduce", "incomplete", "declined", "rejected"}
    | {"cancelled", "canceled", "invalid", "withdrawn", "obsolete", "abandoned", "known error", "not a bug"}
    | {"wird nicht erledigt", "wird nicht behoben", "duplikat", "nicht reproduzierbar", "abgelehnt", "zurückgezogen"}
    | {"abgebrochen", "storniert", "ungültig", "unvollständig", "hinfällig"}
)
"""Names of resolutions that mean "this will not be done"; every other resolution means it was."""
_SHOWN_ROOM = 300
_SHOWN_MOST = 40


def told(issue: dict[str, Any], names: dict[str, Any] | None, site: str | None, people: People) -> dict[str, Any]:
    """The fields this body states. A field that the body does not hold is not in the result.

    names: id to {name, custom} of every custom field that has a value; None: it is not known what they mean.
    """
    fields = obj(issue.get("fields"))
    result: dict[str, Any] = {"deleted": False, "out_of_scope": False}
    key = issue_key(issue.get("key"))
    if key:
        result |= {"natural_key": key, "url": issue_url(issue, site)}
    for name, value in fields.items():
        reader = _READERS.get(name)
        if reader:
            result |= reader(value, fields)
    result |= _people(fields, people)
    if {"resolution", "status"} <= set(fields):
        result["outcome"] = _outcome(fields)
    if names is not None:
        result |= _custom(fields, names)
    return result


def issue_url(issue: dict[str, Any], site: str | None) -> str | None:
    """Where a person opens the issue. site: the address people use; else it is taken from the issue's own `self`."""
    key = issue_key(issue.get("key"))
    own = word(issue.get("self")) or ""
    if not site and "/rest/" in own:
        site = own.partition("/rest/")[0]
    if not key or not site:
        return None
    url = normal_url(f"{site}/browse/{key}")
    # The gateway for scoped tokens is no place a person can open (developer.atlassian.com, "scoped API tokens").
    return None if url is None or urlsplit(url).hostname == "api.atlassian.com" else url


def level_of(issue_type: object) -> int | None:
    """1 epic, 2 and more what holds epics, 0 standard, -1 sub-task; None where the body does not say."""
    kind = obj(issue_type)
    level = number(kind.get("hierarchyLevel"))
    if level is not None:
        return max(-1, level)
    if kind.get("subtask") is True:
        return -1
    standard = 0 if kind.get("subtask") is False else None
    return _CONTAINERS.get((word(kind.get("name")) or "").lower(), standard)


def _title(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {"title": word(value)}


def _type(value: object, _: dict[str, Any]) -> dict[str, Any]:
    level = level_of(value)
    return {"type": word(obj(value).get("name")), "type_level": level, "opens": level == 0}


def _status(value: object, _: dict[str, Any]) -> dict[str, Any]:
    status = obj(value)
    label = word(status.get("name"))
    identifier = word(status.get("id")) or label
    if identifier is None:
        return {}
    category = category_of(obj(status.get("statusCategory")).get("key"))
    return {
        "status": {
            "id": identifier,
            "label": label or identifier,
            "category": category.value if category else None,
            "pipeline": None,
        }
    }


def _created(value: object, _: dict[str, Any]) -> dict[str, Any]:
    at = moment(value)
    return {"created_at": instant(at)} if at else {}


def _updated(value: object, _: dict[str, Any]) -> dict[str, Any]:
    at = moment(value)
    return {"updated_at": instant(at)} if at else {}


def _priority(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {"priority": word(obj(value).get("name"))}


def _resolution(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {"resolution": word(obj(value).get("name"))}


def _due(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {"due_at": day_of(value)}


def _versions(value: object, _: dict[str, Any]) -> dict[str, Any]:
    """The planned release: the latest day among the fix versions, as Jira's own release page has it."""
    days = [day for day in (day_of(version.get("releaseDate")) for version in rows(value)) if day]
    return {"target_at": max(days, default=None)}


def _project(value: object, _: dict[str, Any]) -> dict[str, Any]:
    project = obj(value)
    key = word(project.get("key"))
    return {"project": {"key": key, "name": word(project.get("name")) or key}} if key else {}


def _labels(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {"labels": [label for label in value if isinstance(label, str)] if isinstance(value, list) else []}


def _description(value: object, _: dict[str, Any]) -> dict[str, Any]:
    said = words(value)
    return {"excerpt": (said.written or said.quoted)[:EXCERPT] or None}


def _attachments(value: object, _: dict[str, Any]) -> dict[str, Any]:
    return {
        "attachments": [
            {"name": word(one.get("filename")), "size": number(one.get("size")), "type": word(one.get("mimeType"))}
            for one in rows(value)
        ]
    }


def _security(value: object, _: dict[str, Any]) -> dict[str, Any]:
    level = word(obj(value).get("name"))
    return {"audience": {"level": "restricted" if value else "open", "stated": level or ""}}


_READERS = {
    "summary": _title,
    "issuetype": _type,
    "status": _status,
    "created": _created,
    "updated": _updated,
    "priority": _priority,
    "resolution": _resolution,
    "duedate": _due,
    "fixVersions": _versions,
    "project": _project,
    "labels": _labels,
    "description": _description,
    "attachment": _attachments,
    "security": _security,
}


def _people(fields: dict[str, Any], people: People) -> dict[str, Any]:
    result: dict[str, Any] = {}
    participants = []
    for name, ours in (("reporter", "requester"), ("assignee", "assignee"), ("creator", None)):
        if name not in fields:
            continue
        identity = people.account(fields[name])
        if ours:
            result[ours] = identity
        if identity:
            participants.append({"identity": identity, "role": name})
    if {"reporter", "creator"} <= set(fields):
        result["participants"] = participants
    return result


def _outcome(fields: dict[str, Any]) -> dict[str, Any] | None:
    reason = word(obj(fields.get("resolution")).get("name"))
    category = word(obj(obj(fields.get("status")).get("statusCategory")).get("key"))
    if reason is None and category != "done":
        return None
    at = moment(fields.get("resolutiondate"))
    return {"result": result_of(reason or ""), "reason": reason, "at": instant(at) if at else None}


def result_of(resolution: str) -> Literal["done", "cancelled"]:
    """What a resolution's name means."""
    return "cancelled" if resolution.lower().replace("’", "'") in _CANCELLED else "done"


def category_of(key: object) -> State | None:
    """What the key of a status category means."""
    return _CATEGORIES.get(word(key) or "")


def is_flag(label: str) -> bool:
    """Whether a custom field of this label is the flag that says "blocked"."""
    return label.lower() in ("flagged", "markiert")


def day_of(value: object) -> str | None:
    """The day in a date's text; None for what is none."""
    text = word(value)
    try:
        return date.fromisoformat(text[:10]).isoformat() if text else None
    except ValueError:
        return None


def _custom(fields: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """Custom fields by their labels, the flag that says "blocked", and what Jira knows of development."""
    shown: dict[str, str] = {}
    result: dict[str, Any] = {"waiting": None, "development": None, "business_unit": None}
    for field_id in sorted(name for name in fields if name in names):
        described, value = obj(names[field_id]), fields[field_id]
        label = word(described.get("name")) or field_id
        if is_flag(label) and value:
            result["waiting"] = {"reason": "blocked", "since": None}
        elif label.lower() == "business unit":
            result["business_unit"] = _simple(value)
        elif "development" in (word(described.get("custom")) or ""):
            result["development"] = development(value)
        elif len(shown) < _SHOWN_MOST and (text := _simple(value)):
            shown[label] = text
    return result | {"fields": shown}


def _simple(value: object) -> str | None:
    """A value that a line of text can show; None for what is nested deeper, is long, or sorts a board (`0|i000db:`)."""
    if isinstance(value, dict):
        return word(value.get("value")) or word(value.get("name")) or word(value.get("displayName"))
    if isinstance(value, list):
        return (
            ", ".join(text for text in (_simple(one) for one in value[:10] if not isinstance(one, list)) if text)
            or None
        )
    if isinstance(value, float):
        return f"{value:g}"
    text = word(value)
    return text if text and len(text) <= _SHOWN_ROOM and not text.startswith(("0|", "{")) else None


def development(value: object) -> dict[str, Any] | None:
    """What the development field says, best effort: its text is `{pullrequest={...}, json={...}}`, undocumented."""
    text = value if isinstance(value, str) and len(value) < 100_000 else ""
    place = text.find("json={")
    if place < 0:
        return None
    try:
        told, _ = json.JSONDecoder().raw_decode(text, place + len("json="))
    except (ValueError, RecursionError):
        return None
    return dict(_development(obj(obj(obj(told).get("cachedValue")).get("summary")))) or None


def _development(summary: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind in sorted(summary):
        overall = obj(obj(summary[kind]).get("overall"))
        count = number(overall.get("count"))
        if count:
            yield kind, {"count": count, "state": word(overall.get("state"))}
