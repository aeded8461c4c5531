"""Jira's changelog as activities: one for each item of each history entry, keyed by the entry's id and its place in it.

Fields of an item: field, fieldId, from and to (ids), fromString and toString (labels as shown at that time); REST v3,
"Get changelogs". `fieldId` is missing on Data Center and for some apps, so that `field` is looked at as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.jira.issues import category_of, day_of, is_flag, result_of
from connectors.jira.links import issue_key
from connectors.jira.people import People
from connectors.jira.shapes import moment, obj, rows, word
from schemas.artifacts import Activity, ActivityKind, Evidence, Reference

_KINDS = {
    "status": ActivityKind.STATUS,
    "assignee": ActivityKind.ASSIGNED,
    "key": ActivityKind.MOVED,
    "project": ActivityKind.MOVED,
    "link": ActivityKind.LINKED,
    "remoteissuelink": ActivityKind.LINKED,
    "epic link": ActivityKind.LINKED,
    "parent": ActivityKind.LINKED,
    "parent link": ActivityKind.LINKED,
    "issueparentassociation": ActivityKind.LINKED,
}
_ROLES = {"link": "linked", "epic link": "epic", "parent": "parent", "parent link": "parent"}
_ABOVE = frozenset({"parent", "parent link", "issueparentassociation"})
"""Fields that hold what an issue lies below."""
_BY_ITSELF = frozenset({"rank", "workflow", "statuscategory", "statuscategorychangedate", "remoteworkitemlink"})
"""Fields that change as a side effect: reordering a board, an admin's new workflow. No sign of human work."""
_OURS = {"summary": "title", "priority": "priority", "resolution": "resolution", "issuetype": "type"}
"""Fields whose labels are what the hub has under another name or the same."""
_LONG_TEXTS = frozenset({"description", "environment", "comment"})
_LABEL_ROOM = 300


def activities(
    connection: str,
    artifact: str,
    issue_id: str,
    histories: object,
    people: People,
    told_at: datetime | None = None,
    categories: Mapping[str, Any] | None = None,
) -> Iterator[Activity]:
    """Every item of every history entry that has an id and a time. told_at: the time of entries that have none;
    categories: the keys of statuses' categories by their ids."""
    for history in rows(histories):
        entry, at = word(history.get("id")), moment(history.get("created")) or told_at
        if entry is None or at is None:
            continue
        actor = people.account(history.get("author"))
        for place, item in enumerate(rows(history.get("items"))):
            activity = _activity(f"{connection}/{issue_id}/{entry}/{place}", artifact, item, at, actor, people)
            yield _categorised(activity, categories or {}) if activity.kind is ActivityKind.STATUS else activity


def _categorised(moved: Activity, categories: Mapping[str, Any]) -> Activity:
    was, became = (category_of(categories.get(each or "")) for each in (moved.from_value, moved.to_value))
    return replace(moved, from_category=was, to_category=became)


def statuses_in(histories: object) -> set[str]:
    """Ids of the statuses that history entries name."""
    items = (item for history in rows(histories) for item in rows(history.get("items")))
    ends = (word(item.get(side)) for item in items if field_name(item) == "status" for side in ("from", "to"))
    return {one for one in ends if one}


def old_keys(connection: str, histories: object) -> tuple[Reference, ...]:
    """The keys an issue had before it was moved: it is still known by them."""
    found = []
    for history in rows(histories):
        for item in rows(history.get("items")):
            key = issue_key(item.get("fromString"))
            if key and field_name(item) == "key":
                since = moment(history.get("created"))
                found.append(Reference("jira.key", connection, key, Evidence.IDENTITY, "is", "key", since=since))
    return tuple(dict.fromkeys(found))


def taken_back(connection: str, histories: object, told_at: datetime | None = None) -> Iterator[Reference]:
    """The links that history entries say are no more: what was said of which issue, and since when it is not.

    A link's entry holds its words with the key at the end: `This issue is blocked by PAY-31`, in the site's language.
    What a sub-task lay below before stands in the entry of its new place.
    """
    for history in rows(histories):
        at = moment(history.get("created")) or told_at
        for item in rows(history.get("items")):
            name, said = field_name(item), word(item.get("fromString")) or ""
            key = issue_key(item.get("from")) or issue_key(said)
            if at is None or key is None:
                continue
            if name == "link" and said.upper().endswith(f" {key}"):
                relation = said[: -len(key)].strip().lower()
                yield Reference("jira.key", connection, key, Evidence.WITHDRAWN, relation, "link", since=at)
            elif name in _ABOVE:
                yield Reference("jira.key", connection, key, Evidence.WITHDRAWN, "parent", "parent", since=at)


def _activity(
    key: str, artifact: str, item: dict[str, Any], at: datetime, actor: str | None, people: People
) -> Activity:
    name = field_name(item)
    before, after = _value(item, "from"), _value(item, "to")
    kind = _KINDS.get(name, ActivityKind.FIELD)
    if kind is ActivityKind.LINKED and not (after or word(item.get("toString"))):
        kind = ActivityKind.UNLINKED
    hidden = name in _LONG_TEXTS
    return Activity(
        key=key,
        artifact=artifact,
        kind=kind,
        at=at,
        actor=actor,
        automatic=name in _BY_ITSELF or people.is_machine(actor),
        field=word(item.get("fieldId")) or word(item.get("field")),
        from_value=_short(before),
        from_label=None if hidden else _short(word(item.get("fromString"))),
        to_value=_short(after),
        to_label=None if hidden else _short(word(item.get("toString"))),
        objects=tuple(_objects(name, item, before, after, people)),
        sets=tuple(_sets(name, item)),
    )


def field_name(item: dict[str, Any]) -> str:
    """The field's fixed name in lower case: `field` may be a label in the site's language, `fieldId` is not."""
    field_id = word(item.get("fieldId")) or ""
    return (word(item.get("field")) or "" if field_id.startswith("customfield_") or not field_id else field_id).lower()


def _value(item: dict[str, Any], side: str) -> str | None:
    """The id on one side of a change. Webhooks of Cloud sites name accounts in `tmpFromAccountId`, `tmpToAccountId`."""
    return word(item.get(f"tmp{side.capitalize()}AccountId")) or word(item.get(side))


def _objects(
    name: str, item: dict[str, Any], before: str | None, after: str | None, people: People
) -> Iterator[tuple[str, str]]:
    if name == "assignee":
        for native, role in ((before, "before"), (after, "assignee")):
            identity = people.by_id(native)
            if identity:
                yield identity, role
    elif name in _ROLES:
        # Link items hold keys; parents hold an id beside the key in the label.
        key = (
            issue_key(after)
            or issue_key(item.get("toString"))
            or issue_key(before)
            or issue_key(item.get("fromString"))
        )
        if key:
            yield f"jira.key|{key}", _ROLES[name]


def _sets(name: str, item: dict[str, Any]) -> Iterator[tuple[str, str | None, str | None]]:
    """Which of the issue's fields changed, in the hub's words, from what to what."""
    before, after = word(item.get("fromString")), word(item.get("toString"))
    if name in _OURS:
        yield _OURS[name], before, after
    if name == "resolution":
        yield "outcome", before and result_of(before), after and result_of(after)
    elif name == "duedate":
        yield "due_at", day_of(item.get("from")) or day_of(before), day_of(item.get("to")) or day_of(after)
    elif is_flag(name):
        yield "waiting", before and "blocked", after and "blocked"


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LABEL_ROOM else text[: _LABEL_ROOM - 1] + "…"


def entries(changelog: object) -> list[dict[str, Any]]:
    """The history entries of an expanded changelog."""
    return list(rows(obj(changelog).get("histories")))
