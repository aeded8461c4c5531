"""What a Jira holds, in memory: users, projects, issues and every change to them, each at a time that the caller gives.

The search index lags: `Indexed` keeps what search shows of an issue until a change becomes visible there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

STATUSES = {
    "To Do": ("10000", "new"),
    "Analysis": ("10001", "indeterminate"),
    "In Progress": ("3", "indeterminate"),
    "In Review": ("10002", "indeterminate"),
    "Waiting for customer": ("10003", "indeterminate"),
    "Ready for Release": ("10004", "indeterminate"),
    "Released": ("10005", "done"),
    "Done": ("10006", "done"),
    "Won't Do": ("10007", "done"),
}
"""Name to id and category of the statuses that every project has; others are added when first used."""
TYPES = {"Initiative": 2, "Epic": 1, "Story": 0, "Task": 0, "Bug": 0, "Service Request": 0, "Change": 0, "Sub-task": -1}
"""Issue types and their hierarchy levels."""
LINK_TYPES = {
    "Blocks": ("blocks", "is blocked by"),
    "Relates": ("relates to", "relates to"),
    "Implements": ("implements", "is implemented by"),
    "Duplicate": ("duplicates", "is duplicated by"),
    "Cloners": ("clones", "is cloned by"),
    "Issue split": ("split to", "split from"),
    "Deployment": ("deploys", "is deployed by"),
}
"""Link types: outward and inward description."""
CUSTOM = {
    "customfield_10014": ("Epic Link", "com.pyxis.greenhopper.jira:gh-epic-link"),
    "customfield_10019": ("Rank", "com.pyxis.greenhopper.jira:gh-lexo-rank"),
    "customfield_10020": ("Sprint", "com.pyxis.greenhopper.jira:gh-sprint"),
    "customfield_10021": ("Flagged", "com.atlassian.jira.plugin.system.customfieldtypes:multicheckboxes"),
    "customfield_10030": ("Business Unit", "com.atlassian.jira.plugin.system.customfieldtypes:select"),
    "customfield_10031": ("Mail reference", "com.atlassian.jira.plugin.system.customfieldtypes:textfield"),
}
"""Custom fields: name and type."""


@dataclass
class User:
    """An account."""

    id: str
    name: str
    email: str | None = None
    machine: bool = False
    zone: str = "Europe/Berlin"


@dataclass
class Comment:
    """A comment; visibility names a role, internal marks a service desk's own."""

    id: str
    author: str
    text: str
    created: datetime
    updated: datetime
    visibility: str | None = None
    internal: bool = False


@dataclass
class Link:
    """An issue link as one of its ends sees it."""

    id: str
    type: str
    outward: bool
    other: str


@dataclass
class Project:
    """A project; desk makes it a service desk."""

    id: str
    key: str
    name: str
    desk: bool = False
    count: int = 0


@dataclass
class Issue:
    """An issue as it is now."""

    id: str
    key: str
    project: str
    type: str
    title: str
    created: datetime
    updated: datetime
    creator: str
    reporter: str | None = None
    assignee: str | None = None
    description: str = ""
    status: str = "To Do"
    resolution: str | None = None
    resolved: datetime | None = None
    priority: str = "Medium"
    labels: list[str] = field(default_factory=list)
    due: str | None = None
    versions: list[tuple[str, str | None]] = field(default_factory=list)
    security: str | None = None
    parent: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    attachments: list[tuple[str, int, str]] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    remote_links: list[dict[str, Any]] = field(default_factory=list)
    histories: list[dict[str, Any]] = field(default_factory=list)

    def copy(self) -> "Issue":
        """As it stands now, for the index; what is only appended to is shared."""
        return replace(
            self,
            labels=list(self.labels),
            custom=dict(self.custom),
            comments=[replace(comment) for comment in self.comments],
            links=list(self.links),
        )


@dataclass
class Indexed:
    """What search shows of one issue: states with the time from which they are visible; None: it is deleted."""

    states: list[tuple[datetime, Issue | None]] = field(default_factory=list)

    def add(self, at: datetime, visible: datetime, state: Issue | None) -> None:
        """A change at a time, visible later. States that nobody can see any more are dropped."""
        shown = [place for place, (since, _) in enumerate(self.states) if since <= at]
        self.states = [*self.states[shown[-1] if shown else 0 :], (visible, state)]

    def now(self, at: datetime) -> Issue | None:
        """The newest visible state."""
        visible = [state for since, state in self.states if since <= at]
        return visible[-1] if visible else None


Told = Callable[[str, Issue, str, dict[str, Any]], None]
"""Called after a change with a webhook's event name, the issue, who did it, and the rest of the body's parts."""


class JiraState:
    """The data, and ids that count up. Late visibility: every change is indexed after its own, repeatable delay."""

    def __init__(self, lag: timedelta = timedelta(seconds=90)) -> None:
        self.lag = lag
        self.users: dict[str, User] = {}
        self.projects: dict[str, Project] = {}
        self.issues: dict[str, Issue] = {}
        self.keys: dict[str, str] = {}
        self.index: dict[str, Indexed] = {}
        self.statuses = dict(STATUSES)
        self.hidden_projects: set[str] = set()
        """Keys of projects that the reading account may not see."""
        self.children: dict[str, list[str]] = {}
        """Ids of those that were once below an issue."""
        self.watchers: list[Told] = []
        self._count = 10_000

    def next_id(self) -> str:
        """The next number: ids of everything count up together."""
        self._count += 1
        return str(self._count)

    def add_user(self, name: str, email: str | None = None, *, machine: bool = False) -> str:
        """A new account: its id."""
        account = f"5b10a{len(self.users):019d}"
        self.users[account] = User(account, name, email, machine)
        return account

    def add_project(self, key: str, name: str, *, desk: bool = False) -> Project:
        """A new project."""
        project = self.projects[key] = Project(self.next_id(), key, name, desk)
        return project

    def issue(self, id_or_key: str) -> Issue | None:
        """The issue with this id, key or old key."""
        return self.issues.get(self.keys.get(id_or_key, id_or_key))

    def subtasks(self, issue_id: str) -> list[Issue]:
        """The sub-tasks of an issue."""
        children = [self.issues[child] for child in self.children.get(issue_id, ()) if child in self.issues]
        return [child for child in children if child.parent == issue_id and TYPES.get(child.type, 0) < 0]

    def status_of(self, name: str) -> tuple[str, str]:
        """Id and category of a status; one that was never used before is in progress."""
        return self.statuses.setdefault(name, (str(20_000 + len(self.statuses)), "indeterminate"))

    def took_place(self, issue: Issue, at: datetime, *, deleted: bool = False) -> None:
        """Index the issue as it is now, after this change's delay."""
        if not deleted:
            issue.updated = max(at, issue.updated)
        if issue.parent and issue.id not in self.children.setdefault(issue.parent, []):
            self.children[issue.parent].append(issue.id)
        self.index.setdefault(issue.id, Indexed()).add(
            at, at + self._delay(issue.id), None if deleted else issue.copy()
        )

    def tell(self, event: str, issue: Issue, by: str, **parts: Any) -> None:
        """Tell everybody who listens (webhooks)."""
        for watcher in self.watchers:
            watcher(event, issue, by, parts)

    def _delay(self, issue_id: str) -> timedelta:
        """Up to the whole lag, differing from change to change: younger changes show before older ones."""
        seed = hashlib.sha256(f"{issue_id}/{self.next_id()}".encode()).digest()
        return self.lag * (int.from_bytes(seed[:4], "big") / 2**32)
