"""Issues, comments and accounts as Jira's REST answers show them: v3 (Cloud, documents) or v2 (wiki text)."""

from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from services.sandbox.jira_state import CUSTOM, LINK_TYPES, TYPES, Comment, Issue, JiraState, User

Edition = Literal["cloud", "datacenter"]
_CATEGORY = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}
INLINE_COMMENTS = 20
INLINE_HISTORIES = 40
_ZONES = ("UTC", "Europe/Berlin", "America/New_York")


def when(at: datetime, zone: str = "Europe/Berlin") -> str:
    """An instant as Jira writes it: milliseconds, and an offset without a colon."""
    local = at.astimezone(ZoneInfo(zone))
    return local.strftime("%Y-%m-%dT%H:%M:%S.") + f"{local.microsecond // 1000:03d}" + local.strftime("%z")


def document(text: str) -> dict[str, Any]:
    """Plain text as an Atlassian document: a paragraph a line."""
    lines = text.split("\n")
    paragraphs = [{"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []} for line in lines]
    return {"type": "doc", "version": 1, "content": paragraphs}


class Shapes:
    """Renders for one edition. site is the address people use."""

    def __init__(self, state: JiraState, edition: Edition, site: str, *, wiki: bool = False) -> None:
        self.state, self.edition, self.site = state, edition, site
        self.documents = edition == "cloud" and not wiki
        self.api = f"{site}/rest/api/{3 if edition == 'cloud' else 2}"

    def issue(self, issue: Issue, fields: list[str], expand: str = "") -> dict[str, Any]:
        """An issue with the fields asked for. fields: names, `*all`, `*navigable`, `-name`."""
        shown: dict[str, Any] = {
            "expand": "operations,changelog",
            "id": issue.id,
            "self": f"{self.api}/issue/{issue.id}",
        }
        shown["key"] = issue.key
        everything = self._fields(issue)
        plus = {name for name in fields if not name.startswith("-")}
        minus = {name[1:] for name in fields if name.startswith("-")}
        if plus & {"*all", "*navigable"} or not plus:
            names = set(everything) - (set() if "*all" in plus else {"comment"})
        else:
            names = plus & set(everything)
        if plus <= {"id", "key"} and plus:
            return {"id": issue.id} | ({"key": issue.key} if "key" in plus else {})
        shown["fields"] = {name: everything[name] for name in everything if name in names - minus}
        if "changelog" in expand.split(","):
            shown["changelog"] = self._changelog(issue)
        return shown

    def user(self, account: str | None) -> dict[str, Any] | None:
        """An account. Cloud knows it by accountId, Data Center by key and name."""
        if account is None:
            return None
        user = self.state.users[account]
        shown: dict[str, Any] = {
            "self": f"{self.api}/user?accountId={user.id}",
            "displayName": user.name,
            "active": True,
        }
        shown["timeZone"] = user.zone
        if user.email:
            shown["emailAddress"] = user.email
        if self.edition == "cloud":
            return shown | {"accountId": user.id, "accountType": "app" if user.machine else "atlassian"}
        return shown | {"key": _key(user), "name": _key(user)}

    def comment(self, issue: Issue, comment: Comment, *, properties: bool = False) -> dict[str, Any]:
        """A comment."""
        cloud = self.edition == "cloud"
        shown: dict[str, Any] = {
            "self": f"{self.api}/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": self.user(comment.author),
            "body": document(comment.text) if self.documents else comment.text,
            "updateAuthor": self.user(comment.author),
            "created": when(comment.created),
            "updated": when(comment.updated),
        }
        if comment.visibility:
            shown["visibility"] = {"type": "role", "value": comment.visibility}
        if cloud:
            shown["jsdPublic"] = not comment.internal
        if properties and comment.internal:
            shown["properties"] = [{"key": "sd.public.comment", "value": {"internal": True}}]
        return shown

    def history(self, entry: dict[str, Any]) -> dict[str, Any]:
        """A history entry. Data Center leaves out fieldId and names accounts by their keys."""
        items = []
        for item in entry["items"]:
            item = dict(item)
            if self.edition == "datacenter":
                item.pop("fieldId", None)
                for side in ("from", "to"):
                    if item["field"] == "assignee" and item[side]:
                        item[side] = _key(self.state.users[item[side]])
            items.append({name: value for name, value in item.items() if value is not None or self.edition != "cloud"})
        # Offsets change inside one history, as they do with daylight saving and travelling people.
        zone = _ZONES[int(entry["id"]) % len(_ZONES)]
        author = self.user(entry["author"])
        return {"id": entry["id"], "author": author, "created": when(entry["created"], zone), "items": items}

    def project(self, key: str) -> dict[str, Any]:
        """A project."""
        project = self.state.projects[key]
        return {
            "self": f"{self.api}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "service_desk" if project.desk else "software",
        }

    def status(self, name: str) -> dict[str, Any]:
        """A status with its category."""
        identifier, category = self.state.status_of(name)
        number, label = _CATEGORY[category]
        return {
            "self": f"{self.api}/status/{identifier}",
            "name": name,
            "id": identifier,
            "statusCategory": {"id": number, "key": category, "name": label, "colorName": "yellow"},
        }

    def _changelog(self, issue: Issue) -> dict[str, Any]:
        """Newest first; Cloud leaves out the oldest without a word, but for `total`."""
        shown = [self.history(entry) for entry in reversed(issue.histories)]
        if self.edition == "cloud":
            shown = shown[:INLINE_HISTORIES]
        return {"startAt": 0, "maxResults": len(shown), "total": len(issue.histories), "histories": shown}

    def _fields(self, issue: Issue) -> dict[str, Any]:
        text = issue.description or None
        return {
            "summary": issue.title,
            "description": document(text) if text and self.documents else text,
            "issuetype": self.issue_type(issue.type),
            "project": self.project(issue.project),
            "status": self.status(issue.status),
            "resolution": {"id": "10000", "name": issue.resolution} if issue.resolution else None,
            "resolutiondate": when(issue.resolved) if issue.resolved else None,
            "priority": {"id": "3", "name": issue.priority},
            "labels": list(issue.labels),
            "assignee": self.user(issue.assignee),
            "reporter": self.user(issue.reporter),
            "creator": self.user(issue.creator),
            "created": when(issue.created),
            "updated": when(issue.updated),
            "duedate": issue.due,
            "fixVersions": [self._version(place, *version) for place, version in enumerate(issue.versions)],
            "security": {"id": "10100", "name": issue.security} if issue.security else None,
            "subtasks": [self._stub(other) for other in self.state.subtasks(issue.id)],
            "issuelinks": self._links(issue),
            "attachment": [
                {"id": str(place), "filename": name, "size": size, "mimeType": kind}
                for place, (name, size, kind) in enumerate(issue.attachments)
            ],
            "comment": self._comments(issue),
            **{field: issue.custom.get(field) for field in CUSTOM},
            **self._parent(issue),
        }  # fmt: skip

    def _version(self, place: int, name: str, day: str | None) -> dict[str, Any]:
        return {"id": str(10_000 + place), "name": name} | ({"releaseDate": day} if day else {})

    def _parent(self, issue: Issue) -> dict[str, Any]:
        """Cloud names every parent; Data Center a sub-task's only, and the epic in a field of its own."""
        parent = self.state.issues.get(issue.parent or "")
        if parent is None:
            return {}
        if self.edition == "cloud" or TYPES.get(issue.type, 0) < 0:
            return {"parent": self._stub(parent)}
        return {"customfield_10014": parent.key}

    def issue_type(self, name: str) -> dict[str, Any]:
        """An issue type."""
        level = TYPES.get(name, 0)
        identifier = str(10_100 + (list(TYPES).index(name) if name in TYPES else 99))
        shown = {"self": f"{self.api}/issuetype/{identifier}", "id": identifier, "name": name, "subtask": level < 0}
        return shown | ({"hierarchyLevel": level} if self.edition == "cloud" else {})

    def _stub(self, issue: Issue) -> dict[str, Any]:
        """An issue as others show it."""
        fields = {"summary": issue.title, "status": self.status(issue.status), "issuetype": self.issue_type(issue.type)}
        return {"id": issue.id, "key": issue.key, "self": f"{self.api}/issue/{issue.id}", "fields": fields}

    def _links(self, issue: Issue) -> list[dict[str, Any]]:
        found = []
        for link in issue.links:
            other = self.state.issues.get(link.other)
            if other is not None:
                outward, inward = LINK_TYPES[link.type]
                kind = {"id": "10000", "name": link.type, "inward": inward, "outward": outward}
                side = "outwardIssue" if link.outward else "inwardIssue"
                found.append({"id": link.id, "type": kind, side: self._stub(other)})
        return found

    def _comments(self, issue: Issue) -> dict[str, Any]:
        """The newest comments are left out above the cap, which only `total` shows."""
        shown = [self.comment(issue, comment) for comment in issue.comments[:INLINE_COMMENTS]]
        return {"comments": shown, "startAt": 0, "maxResults": len(shown), "total": len(issue.comments)}


def _key(user: User) -> str:
    return "JIRAUSER" + user.id[-5:]
