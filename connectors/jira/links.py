"""What an issue names: itself, its parent, epic and sub-tasks, the issues it is linked with, addresses elsewhere."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.jira.shapes import obj, rows, word
from schemas.artifacts import Evidence, Part, Reference
from schemas.links import LinkType

EPIC_LINK = "com.pyxis.greenhopper.jira:gh-epic-link"
"""Type of the custom field that names an issue's epic, on Data Center and in older Cloud projects."""
PARENT_LINK = "com.atlassian.jpo:jpo-custom-field-parent"
"""The same one level up (Advanced Roadmaps); its value is a key, or an object that holds one."""

_KEY = re.compile(r"[A-Z][A-Z0-9_]*-[0-9]+")
_TRACKING = re.compile(r"utm_\w+|gclid|fbclid|msclkid|mc_[ce]id|_hs(?:enc|mi)|atlOrigin", re.IGNORECASE)


def issue_key(value: object) -> str | None:
    """An issue key in capitals; None for what is none."""
    text = (word(value) or "").strip().upper()
    return text if len(text) <= 100 and _KEY.fullmatch(text) else None


def itself(connection: str, issue_id: str, url: str | None) -> Iterator[Reference]:
    """The values by which an issue is known, besides its key."""
    yield Reference("jira.issue", connection, issue_id, Evidence.IDENTITY, "is", "id")
    if url:
        yield Reference("url", urlsplit(url).netloc, url, Evidence.IDENTITY, "is", "url")


def keys(connection: str, key: str | None) -> dict[str, Part]:
    """The issue's key as a part of its own, which stands when the issue bears another one.

    Jira opens an issue under each key that it ever had. The history tells a move, but not that a project was renamed.
    """
    own = Reference("jira.key", connection, key or "", Evidence.IDENTITY, "is", "key")
    return {f"key:{key}": Part((own,))} if key else {}


def named_issues(connection: str, fields: dict[str, Any], names: dict[str, Any]) -> Iterator[Reference]:
    """Parent, epic, sub-tasks and issue links, each with its relation in its direction. names: see `custom_values`."""
    yield from _issue(connection, fields.get("parent"), _parent_relation(fields), "parent")
    yield from _issue(connection, fields.get("epic"), "epic", "epic")
    for subtask in rows(fields.get("subtasks")):
        yield from _issue(connection, subtask, "sub-task", "subtasks", "parent")
    for link in rows(fields.get("issuelinks")):
        kind = obj(link.get("type"))
        for side, direction, other in (("outwardIssue", "outward", "inward"), ("inwardIssue", "inward", "outward")):
            relation = word(kind.get(direction)) or word(kind.get("name")) or "linked with"
            mirror = (word(kind.get(other)) or "").strip().lower()
            yield from _issue(connection, link.get(side), relation.strip().lower(), "issuelinks", mirror)
    for custom, named in ((EPIC_LINK, "epic"), (PARENT_LINK, "parent")):
        for name, value in custom_values(fields, names, custom):
            key = (
                issue_key(value)
                or issue_key(obj(obj(value).get("data")).get("key"))
                or issue_key(obj(value).get("key"))
            )
            if key:
                yield Reference("jira.key", connection, key, Evidence.EXPLICIT, named, name)


def link_types(fields: dict[str, Any]) -> Iterator[LinkType]:
    """The types of an issue's links, with both directions (REST v3, "Get issue link types")."""
    for link in rows(fields.get("issuelinks")):
        kind = obj(link.get("type"))
        name, outward, inward = (word(kind.get(one)) for one in ("name", "outward", "inward"))
        if name and outward and inward:
            yield LinkType(name, outward, inward)


def custom_values(fields: dict[str, Any], names: dict[str, Any], custom: str) -> Iterator[tuple[str, Any]]:
    """(field id, value) of the custom fields of a type. names: field id to {name, custom}, as `GET field` has them."""
    for field_id, described in names.items():
        if obj(described).get("custom") == custom and fields.get(field_id) is not None:
            yield field_id, fields[field_id]


def _parent_relation(fields: dict[str, Any]) -> str:
    """Cloud's `parent` of a standard issue is its epic; a sub-task's is the issue it is part of."""
    kind = obj(fields.get("issuetype"))
    return "parent" if kind.get("subtask") is True or kind.get("hierarchyLevel") == -1 else "epic"


def _issue(connection: str, value: object, relation: str, field: str, mirror: str = "") -> Iterator[Reference]:
    other = obj(value)
    issue_id, key = word(other.get("id")), issue_key(other.get("key"))
    if issue_id:
        yield Reference("jira.issue", connection, issue_id, Evidence.EXPLICIT, relation, field, mirror=mirror)
    if key:
        yield Reference("jira.key", connection, key, Evidence.EXPLICIT, relation, field, mirror=mirror)


def remote(links: object) -> tuple[Reference, ...]:
    """Remote links, as addresses; what record an address shows is for the pipeline to see."""
    addresses = (normal_url(word(obj(link.get("object")).get("url")) or "") for link in rows(links))
    found = (
        Reference("url", urlsplit(url).netloc, url, Evidence.EXPLICIT, "remote link", "remotelinks")
        for url in addresses
        if url
    )
    return tuple(dict.fromkeys(found))


def normal_url(address: str) -> str | None:
    """A web address in its normal form: scheme and host in lower case, no fragment, no tracking parameters, no user."""
    try:
        parts = urlsplit(address.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    place = host if port in (None, {"http": 80, "https": 443}[parts.scheme.lower()]) else f"{host}:{port}"
    kept = [(name, value) for name, value in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(name)]
    query = "?" + urlencode(kept) if kept else ""
    return f"{parts.scheme.lower()}://{place}{parts.path.rstrip('/')}{query}"
