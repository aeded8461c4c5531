"""Hands that work in a Jira: everything a person or an app can do to it, each at a given time and by a given account.

state = JiraState()
jira = Hands(state)
anna = state.add_user("Anna Kern", "anna@acme.example")
state.add_project("PAY", "Payments")
issue = jira.create("PAY", "Refunds take too long", at=..., by=anna)
jira.transition(issue, "In Progress", at=..., by=anna)
"""

from datetime import datetime
from typing import Any

from services.sandbox.jira_state import CUSTOM, LINK_TYPES, Comment, Issue, JiraState, Link

_FIELDS = {"title": "summary", "due": "duedate", "type": "issuetype", "versions": "fixVersions"}
"""Names of attributes whose field in Jira is called otherwise."""


class Hands:
    """Changes a state as Jira's own pages and apps do, with history and `updated` as there."""

    def __init__(self, state: JiraState) -> None:
        self.state = state

    def create(self, project: str, title: str, *, at: datetime, by: str, kind: str = "Story", **more: Any) -> Issue:
        """A new issue. more: attributes of Issue (`description`, `parent`, `assignee`, `labels`, ...)."""
        home = self.state.projects[project]
        home.count += 1
        key = f"{project}-{home.count}"
        issue = Issue(self.state.next_id(), key, project, kind, title, at, at, by, **({"reporter": by} | more))
        self.state.issues[issue.id] = issue
        self.state.keys[key] = issue.id
        self.state.took_place(issue, at)
        self.state.tell("jira:issue_created", issue, by)
        return issue

    def change(self, issue: Issue, *, at: datetime, by: str, **values: Any) -> None:
        """Other values for attributes of Issue, in one history entry. Custom fields go by their names in `custom`."""
        items = []
        for name, value in values.items():
            if name == "custom":
                items += [self._custom(issue, field, new) for field, new in value.items()]
                continue
            before = getattr(issue, name)
            setattr(issue, name, value)
            items.append(_item(_FIELDS.get(name, name), _shown(before), _shown(value)))
        self._history(issue, at, by, items)

    def transition(self, issue: Issue, status: str, *, at: datetime, by: str, resolution: str | None = None) -> None:
        """Another status; a done one sets the resolution ("Done" if none is given), any other takes it away."""
        before, after = self.state.status_of(issue.status), self.state.status_of(status)
        items = [_item("status", issue.status, status, before[0], after[0])]
        new = (resolution or "Done") if after[1] == "done" else None
        if new != issue.resolution:
            items.append(_item("resolution", issue.resolution, new, None, "10000" if new else None))
            issue.resolution, issue.resolved = new, at if new else None
        issue.status = status
        self._history(issue, at, by, items)

    def assign(self, issue: Issue, to: str | None, *, at: datetime, by: str) -> None:
        """Another assignee, or none."""
        names = [self.state.users[user].name if user else None for user in (issue.assignee, to)]
        items = [_item("assignee", names[0], names[1], issue.assignee, to)]
        issue.assignee = to
        self._history(issue, at, by, items)

    def comment(
        self, issue: Issue, text: str, *, at: datetime, by: str, role: str | None = None, internal: bool = False
    ) -> str:
        """A new comment: its id. role restricts it; internal makes it a service desk's own."""
        comment = Comment(self.state.next_id(), by, text, at, at, role, internal)
        issue.comments.append(comment)
        self.state.took_place(issue, at)
        self.state.tell("comment_created", issue, by, comment=comment)
        return comment.id

    def edit_comment(self, issue: Issue, comment_id: str, text: str, *, at: datetime, by: str) -> None:
        """Other words in a comment."""
        comment = next(one for one in issue.comments if one.id == comment_id)
        comment.text, comment.updated = text, at
        self.state.took_place(issue, at)
        self.state.tell("comment_updated", issue, by, comment=comment)

    def delete_comment(self, issue: Issue, comment_id: str, *, at: datetime, by: str) -> None:
        """Take a comment back. Jira's history keeps its text, not its id."""
        comment = next(one for one in issue.comments if one.id == comment_id)
        issue.comments.remove(comment)
        self._history(issue, at, by, [_item("Comment", comment.text, None, field_id=False)], tell=False)
        self.state.tell("comment_deleted", issue, by, comment=comment)

    def link(self, issue: Issue, kind: str, other: Issue, *, at: datetime, by: str) -> str:
        """Link two issues by one of LINK_TYPES, outward from the first: the link's id."""
        link_id = self.state.next_id()
        for end, far, outward in ((issue, other, True), (other, issue, False)):
            end.links.append(Link(link_id, kind, outward, far.id))
            said = f"This issue {LINK_TYPES[kind][not outward]} {far.key}"
            self._history(end, at, by, [_item("Link", None, said, None, far.key, field_id=False)])
        return link_id

    def unlink(self, issue: Issue, link_id: str, *, at: datetime, by: str) -> None:
        """Take a link away at both ends."""
        ends = [issue, *(self.state.issues[link.other] for link in issue.links if link.id == link_id)]
        for end, far in zip(ends, reversed(ends), strict=True):
            link = next(one for one in end.links if one.id == link_id)
            end.links.remove(link)
            said = f"This issue {LINK_TYPES[link.type][not link.outward]} {far.key}"
            self._history(end, at, by, [_item("Link", said, None, far.key, None, field_id=False)])

    def remote_link(self, issue: Issue, url: str, title: str, *, relationship: str = "mentioned in") -> int:
        """A link to an address elsewhere: its id. `updated` does not move, as in Jira."""
        number = int(self.state.next_id())
        issue.remote_links.append(
            {"id": number, "relationship": relationship, "object": {"url": url, "title": title, "icon": {}}}
        )
        return number

    def remove_remote_link(self, issue: Issue, number: int) -> None:
        """Take a remote link away; `updated` does not move."""
        issue.remote_links[:] = [link for link in issue.remote_links if link["id"] != number]

    def move(self, issue: Issue, project: str, *, at: datetime, by: str) -> None:
        """To another project: a new key, while the id stays and the old key still leads here."""
        home, before, old = self.state.projects[project], self.state.projects[issue.project], issue.key
        home.count += 1
        issue.project, issue.key = project, f"{project}-{home.count}"
        self.state.keys[issue.key] = issue.id
        items = [
            _item("project", before.name, home.name, before.id, home.id),
            _item("Key", old, issue.key, field_id=False),
        ]
        self._history(issue, at, by, items)

    def restrict(self, issue: Issue, level: str | None, *, at: datetime, by: str) -> None:
        """Give the issue a security level, or take it away."""
        items = [_item("security", issue.security, level)]
        issue.security = level
        self._history(issue, at, by, items)

    def delete(self, issue: Issue, *, at: datetime, by: str) -> None:
        """Delete for good, with its comments and links."""
        for link in list(issue.links):
            self.unlink(issue, link.id, at=at, by=by)
        del self.state.issues[issue.id]
        self.state.took_place(issue, at, deleted=True)
        self.state.tell("jira:issue_deleted", issue, by, at=at)

    def record(self, issue: Issue, items: list[dict[str, Any]], *, at: datetime, by: str) -> None:
        """A history entry as it stands in a log, for fields that the sandbox does not hold."""
        self._history(issue, at, by, items)

    def _custom(self, issue: Issue, name: str, value: Any) -> dict[str, Any]:
        field_id = next(one for one, (label, _) in CUSTOM.items() if label == name)
        before = issue.custom.get(field_id)
        issue.custom[field_id] = value
        return _item(name, _shown(before), _shown(value)) | {"fieldtype": "custom", "fieldId": field_id}

    def _history(self, issue: Issue, at: datetime, by: str, items: list[dict[str, Any]], *, tell: bool = True) -> None:
        entry = {"id": self.state.next_id(), "author": by, "created": at, "items": items}
        issue.histories = [*issue.histories, entry]
        self.state.took_place(issue, at)
        if tell:
            self.state.tell("jira:issue_updated", issue, by, history=entry)


def _item(
    name: str,
    before: str | None,
    after: str | None,
    from_id: str | None = None,
    to_id: str | None = None,
    *,
    field_id: bool = True,
) -> dict[str, Any]:
    item = {"field": name, "fieldtype": "jira", "from": from_id, "fromString": before, "to": to_id, "toString": after}
    return item | ({"fieldId": name} if field_id else {})


def _shown(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return str(value.get("value") or value.get("name") or "")
    if isinstance(value, list):
        return " ".join(str(one[0] if isinstance(one, tuple) else one) for one in value)
    return str(value)
