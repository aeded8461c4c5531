"""Jira issues as REST v3 gives them: fields, changelog, comments, remote links.

Shapes after developer.atlassian.com, "Jira Cloud platform REST API v3" (issues, issue links, remote links) and the
documents of text in Atlassian's format (ADF).
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.accuracy.mails import Person

_URL = re.compile(r"https?://\S+[\w/]")
TYPES = {
    "Story": ("10001", 0),
    "Bug": ("10004", 0),
    "Task": ("10002", 0),
    "Epic": ("10000", 1),
    "Sub-task": ("10003", -1),
}
LINKS = {
    "Blocks": ("10000", "is blocked by", "blocks"),
    "Cloners": ("10001", "is cloned by", "clones"),
    "Relates": ("10003", "relates to", "relates to"),
    "Issue split": ("10004", "split from", "split to"),
    "Implements": ("10005", "is implemented by", "implements"),
}
"""Name to (id, inward, outward)."""
STATUS = {"To Do": ("10000", 2, "new"), "In Progress": ("3", 4, "indeterminate"), "Done": ("10002", 3, "done")}


@dataclass(frozen=True, slots=True)
class Site:
    """A Jira site with a connection of its own."""

    connection: str
    url: str
    projects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote under an issue."""

    number: int
    author: Person
    text: str
    at: datetime


@dataclass(slots=True)
class Issue:
    """An issue as it is now, with what is told of it earlier."""

    thing: int
    site: Site
    number: int
    key: str
    type: str
    summary: str
    text: str
    reporter: Person
    created: datetime
    updated: datetime
    status: str = "To Do"
    parent: "Issue | None" = None
    children: list["Issue"] = field(default_factory=list)
    links: list[tuple[int, str, str, "Issue"]] = field(default_factory=list)
    """(id, type, inward or outward, the other)."""
    comments: list[Comment] = field(default_factory=list)
    remote: list[tuple[str, str]] = field(default_factory=list)
    """(address, title)."""
    histories: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    """The issue as it was told before, oldest first."""
    deleted: datetime | None = None

    @property
    def url(self) -> str:
        """Where people read it."""
        return f"{self.site.url}/browse/{self.key}"

    def as_json(self) -> dict[str, Any]:
        """As `GET issue` answers, without comments and history."""
        project, _, _ = self.key.partition("-")
        fields: dict[str, Any] = {
            "summary": self.summary,
            "issuetype": self._type(),
            "project": {"id": str(10000 + self.site.projects.index(project)), "key": project, "name": project.title()},
            "status": self._status(),
            "resolution": None,
            "priority": {"id": "3", "name": "Medium"},
            "labels": [],
            "assignee": None,
            "reporter": account(self.reporter),
            "creator": account(self.reporter),
            "created": moment(self.created),
            "updated": moment(self.updated),
            "duedate": None,
            "security": None,
            "description": document(self.text) if self.text else None,
            "subtasks": [child.brief() for child in self.children if child.type == "Sub-task"],
            "issuelinks": [self._link(*one) for one in self.links],
        }
        if self.parent:
            fields["parent"] = self.parent.brief()
        return {"id": str(self.number), "key": self.key, "self": self._self(), "fields": fields}

    def brief(self) -> dict[str, Any]:
        """As other issues show it."""
        shown = {"summary": self.summary, "status": self._status(), "issuetype": self._type()}
        return {"id": str(self.number), "key": self.key, "self": self._self(), "fields": shown}

    def comments_as_json(self) -> list[dict[str, Any]]:
        """As `GET comment` answers."""
        return [
            {
                "id": str(one.number),
                "author": account(one.author),
                "body": document(one.text),
                "created": moment(one.at),
                "updated": moment(one.at),
                "jsdPublic": True,
            }
            for one in self.comments
        ]

    def remote_as_json(self) -> list[dict[str, Any]]:
        """As `GET remotelink` answers."""
        return [
            {"id": self.number * 10 + place, "self": f"{self._self()}/remotelink/{place}",
             "object": {"url": url, "title": title}}
            for place, (url, title) in enumerate(self.remote)
        ]  # fmt: skip

    def changed(self, number: int, at: datetime, *items: tuple[str, str | None, str | None]) -> None:
        """An entry in the history: (field, from, to) as shown."""
        told = [
            {"field": name, "fieldtype": "jira", "fieldId": name.lower(), "from": None, "fromString": old, "to": None,
             "toString": new}
            for name, old, new in items
        ]  # fmt: skip
        entry = {"id": str(number), "author": account(self.reporter), "created": moment(at), "items": told}
        self.histories.append(entry)
        self.updated = max(self.updated, at)

    def remember(self) -> None:
        """Tell the issue as it is at this moment, before it changes."""
        self.told.append(self.as_json())

    def _self(self) -> str:
        return f"{self.site.url}/rest/api/3/issue/{self.number}"

    def _type(self) -> dict[str, Any]:
        number, level = TYPES[self.type]
        return {"id": number, "name": self.type, "subtask": level < 0, "hierarchyLevel": level}

    def _status(self) -> dict[str, Any]:
        number, category, key = STATUS[self.status]
        return {"id": number, "name": self.status, "statusCategory": {"id": category, "key": key, "name": self.status}}

    def _link(self, number: int, name: str, direction: str, other: "Issue") -> dict[str, Any]:
        type_id, inward, outward = LINKS[name]
        kind = {"id": type_id, "name": name, "inward": inward, "outward": outward}
        return {"id": str(number), "type": kind, f"{direction}Issue": other.brief()}


def moment(at: datetime) -> str:
    """An instant as Jira writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def account(person: Person) -> dict[str, Any]:
    """A user."""
    shown = {"displayName": person.name, "active": True, "accountType": "atlassian", "emailAddress": person.address}
    return {"accountId": f"712020:{person.address.replace('@', '-')}", **shown}


def document(text: str) -> dict[str, Any]:
    """A text in Atlassian's format: a paragraph for each line, quoted lines as quotes, addresses as links."""
    blocks: list[dict[str, Any]] = []
    for line in filter(None, text.split("\n")):
        quoted = line.startswith(">")
        paragraph = {"type": "paragraph", "content": _inline(line.lstrip("> "))}
        blocks.append({"type": "blockquote", "content": [paragraph]} if quoted else paragraph)
    return {"type": "doc", "version": 1, "content": blocks}


def _inline(line: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    end = 0
    for url in _URL.finditer(line):
        if url.start() > end:
            found.append({"type": "text", "text": line[end : url.start()]})
        found.append({"type": "inlineCard", "attrs": {"url": url.group()}})
        end = url.end()
    if end < len(line):
        found.append({"type": "text", "text": line[end:]})
    return found
