"""The resources of the sandbox's Jira: what each request is answered, and what makes it a bad one.

Strict: a parameter or a member of a body that Jira does not know is an error. The fake and Atlassian's OpenAPI document
are compared by a test, so that it cannot agree with the connector on something wrong.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.sandbox.jira_jql import BadQuery, Query, parse
from services.sandbox.jira_shapes import Edition, Shapes, when
from services.sandbox.jira_state import CUSTOM, TYPES, Issue, JiraState

_TOKEN_LIFE = timedelta(days=7)


class Bad(Exception):
    """An answer other than 200, with Jira's error body."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(*messages)
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": {}}


@dataclass
class Search:
    """A frozen search result that is handed out page by page."""

    query: str
    ids: list[str]
    begun: datetime
    start: int = 0


@dataclass
class Answers:
    """Answers questions about a state as one account sees it."""

    state: JiraState
    edition: Edition
    site: str
    account: str
    now: Callable[[], datetime]
    page_cap: int = 100
    """Most issues on a page, whatever is asked for."""
    version: tuple[int, ...] = (10, 3, 2)
    """Of a Data Center."""
    administrator: bool = False
    """Whether the account may administer Jira."""
    listed_histories: int | None = None
    """Most history entries of an issue that a search of Data Center shows; None: all."""
    bearable: int | None = None
    """Most issues that a search shows with all their fields before it takes too long; None: any number."""
    unlisted: set[str] = field(default_factory=set)
    """Issues, by id, that no search shows with all their fields."""
    searches: dict[str, Search] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shapes = Shapes(self.state, self.edition, self.site)

    def server_info(self, given: dict[str, Any]) -> Any:
        """GET serverInfo. Anybody may ask."""
        _only(given)
        cloud = self.edition == "cloud"
        return {
            "baseUrl": self.site,
            "version": "1001.0.0-SNAPSHOT" if cloud else ".".join(map(str, self.version)),
            "versionNumbers": [1001, 0, 0] if cloud else list(self.version),
            "deploymentType": "Cloud" if cloud else "Server",
            "buildNumber": 100286,
            "serverTime": when(self.now()),
            "serverTitle": "Jira",
        }

    def myself(self, given: dict[str, Any]) -> Any:
        """GET myself."""
        _only(given, "expand")
        return self.shapes.user(self.account)

    def my_permissions(self, given: dict[str, Any]) -> Any:
        """GET mypermissions: on Cloud it must be said of which; this one knows only ADMINISTER."""
        _only(given, "permissions")
        if given.get("permissions") != "ADMINISTER":
            raise Bad(400, "The 'permissions' query parameter is required.")
        administers = {"id": "0", "key": "ADMINISTER", "name": "Administer Jira", "type": "GLOBAL"}
        return {"permissions": {"ADMINISTER": administers | {"havePermission": self.administrator}}}

    def issue_types(self, given: dict[str, Any]) -> Any:
        """GET issuetype."""
        _only(given)
        return [self.shapes.issue_type(name) for name in TYPES]

    def statuses(self, given: dict[str, Any]) -> Any:
        """GET status."""
        _only(given)
        return [self.shapes.status(name) for name in self.state.statuses]

    def fields(self, given: dict[str, Any]) -> Any:
        """GET field."""
        _only(given)
        system = [{"id": name, "name": name.capitalize(), "custom": False} for name in ("summary", "status", "updated")]
        custom = [
            {
                "id": one,
                "name": name,
                "custom": True,
                "schema": {"type": "any", "custom": kind, "customId": int(one[12:])},
            }
            for one, (name, kind) in CUSTOM.items()
        ]
        return system + custom

    def projects(self, given: dict[str, Any]) -> Any:
        """GET project/search (Cloud) or project (Data Center)."""
        seen = [self.shapes.project(key) for key in self.state.projects if key not in self.state.hidden_projects]
        if self.edition == "datacenter":
            _only(given)
            return seen
        _only(given, "startAt", "maxResults")
        start, most = _whole(given, "startAt", 0), min(_whole(given, "maxResults", 50), 50)
        page = seen[start : start + most]
        last = start + len(page) >= len(seen)
        return {"startAt": start, "maxResults": most, "total": len(seen), "isLast": last, "values": page}

    def project(self, key: str, given: dict[str, Any]) -> Any:
        """GET project/{key}."""
        _only(given)
        if key not in self.state.projects or key in self.state.hidden_projects:
            raise Bad(404, f"No project could be found with key '{key}'.")
        return self.shapes.project(key)

    def issue(self, key: str, given: dict[str, Any]) -> Any:
        """GET issue/{idOrKey}: as it is now, not as the index has it."""
        _only(given, "fields", "expand", "updateHistory")
        fields = [name for name in str(given.get("fields", "*all")).split(",") if name]
        return self.shapes.issue(self._seen(key), fields, str(given.get("expand", "")))

    def comments(self, key: str, given: dict[str, Any]) -> Any:
        """GET issue/{idOrKey}/comment."""
        _only(given, "startAt", "maxResults", "orderBy", "expand")
        issue = self._seen(key)
        start, most = _whole(given, "startAt", 0), min(_whole(given, "maxResults", 50), 100)
        properties = "properties" in str(given.get("expand", "")).split(",")
        shown = [self.shapes.comment(issue, one, properties=properties) for one in issue.comments[start : start + most]]
        return {"comments": shown, "startAt": start, "maxResults": most, "total": len(issue.comments)}

    def changelog(self, key: str, given: dict[str, Any]) -> Any:
        """GET issue/{idOrKey}/changelog (Cloud): oldest first."""
        _only(given, "startAt", "maxResults")
        issue = self._seen(key)
        start, most = _whole(given, "startAt", 0), min(_whole(given, "maxResults", 100), 100)
        shown = [self.shapes.history(entry) for entry in issue.histories[start : start + most]]
        total = len(issue.histories)
        return {"startAt": start, "maxResults": most, "total": total, "isLast": start + most >= total, "values": shown}

    def remote_links(self, key: str, given: dict[str, Any]) -> Any:
        """GET issue/{idOrKey}/remotelink."""
        _only(given, "globalId")
        issue = self._seen(key)
        place = f"{self.shapes.api}/issue/{issue.key}/remotelink"
        return [{"self": f"{place}/{link['id']}", **link} for link in issue.remote_links]

    def enhanced_search(self, given: dict[str, Any]) -> Any:
        """POST search/jql (Cloud): a frozen list of ids, each shown as the index has it when it is handed out."""
        _only(
            given,
            "jql",
            "nextPageToken",
            "maxResults",
            "fields",
            "expand",
            "properties",
            "fieldsByKeys",
            "reconcileIssues",
        )
        fields = _names(given.get("fields", ["id"]))
        asked = _whole(given, "maxResults", 50)
        most = min(asked, 5000 if set(fields) <= {"id", "key"} else self.page_cap)
        search = self._search(str(given.get("jql", "")), given.get("nextPageToken"))
        after = search.start + most
        page, rest = search.ids[search.start : after], after < len(search.ids)
        shown = [state for state in (self._indexed(issue_id) for issue_id in page) if state is not None]
        self._bear(shown, fields)
        answer: dict[str, Any] = {
            "issues": [self.shapes.issue(issue, fields, str(given.get("expand", ""))) for issue in shown],
            "isLast": not rest,
        }
        if rest:
            answer["nextPageToken"] = self._token(replace(search, start=after))
        return answer

    def count(self, given: dict[str, Any]) -> Any:
        """POST search/approximate-count (Cloud)."""
        _only(given, "jql")
        return {"count": len(self._select(self.query(str(given.get("jql", "")))))}

    def offset_search(self, given: dict[str, Any]) -> Any:
        """GET search (Data Center): counts rows in what the index has at this moment."""
        _only(given, "jql", "startAt", "maxResults", "fields", "expand", "validateQuery")
        start, most = _whole(given, "startAt", 0), min(_whole(given, "maxResults", 50), 1000)
        found = self._select(self.query(str(given.get("jql", ""))))
        page = found[start : start + min(most, self.page_cap if given.get("fields") != "id" else 1000)]
        fields = _names(str(given.get("fields", "*navigable")).split(","))
        self._bear(page, fields)
        return {
            "startAt": start,
            "maxResults": most,
            "total": len(found),
            "issues": [self._in_list(self.shapes.issue(issue, fields, str(given.get("expand", "")))) for issue in page],
        }

    def _bear(self, issues: list[Issue], fields: list[str]) -> None:
        if "*all" not in fields:
            return
        if self.unlisted & {issue.id for issue in issues}:
            raise Bad(500, "Internal server error")
        if self.bearable is not None and len(issues) > self.bearable:
            raise Bad(504, "Gateway time-out")

    def _in_list(self, shown: dict[str, Any]) -> dict[str, Any]:
        if "changelog" in shown:
            shown["changelog"]["histories"] = shown["changelog"]["histories"][: self.listed_histories]
        return shown

    def changelogs(self, given: dict[str, Any]) -> Any:
        """POST changelog/bulkfetch (Cloud): all issues' entries by time, in pages."""
        _only(given, "issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken")
        wanted = given.get("issueIdsOrKeys")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= 1000:
            raise Bad(400, "issueIdsOrKeys: between 1 and 1000 are needed.")
        most = _whole(given, "maxResults", 1000)
        start = int(_opened(given.get("nextPageToken")).get("start", 0))
        issues = [issue for issue in (self.state.issue(str(one)) for one in wanted) if issue and self._may_see(issue)]
        entries = sorted(
            ((entry["created"], issue.id, entry) for issue in issues for entry in issue.histories),
            key=lambda row: (row[0], row[1], int(row[2]["id"])),
        )
        logs: dict[str, list[Any]] = {}
        for _, issue_id, entry in entries[start : start + most]:
            logs.setdefault(issue_id, []).append(self.shapes.history(entry))
        answer: dict[str, Any] = {
            "issueChangeLogs": [{"issueId": issue, "changeHistories": found} for issue, found in logs.items()]
        }
        if start + most < len(entries):
            answer["nextPageToken"] = _closed({"start": start + most})
        return answer

    def _seen(self, key: str) -> Issue:
        issue = self.state.issue(key)
        if issue is None or not self._may_see(issue):
            raise Bad(404, "Issue does not exist or you do not have permission to see it.")
        return issue

    def _may_see(self, issue: Issue) -> bool:
        return issue.project not in self.state.hidden_projects

    def _indexed(self, issue_id: str) -> Issue | None:
        state = self.state.index[issue_id].now(self.now())
        return state if state is not None and self._may_see(state) else None

    def _select(self, query: Query) -> list[Issue]:
        shown = (self._indexed(issue_id) for issue_id in self.state.index)
        return query.select(issue for issue in shown if issue is not None)

    def query(self, text: str) -> Query:
        """JQL as this Jira reads it. Raises Bad."""
        cloud = self.edition == "cloud"
        zone = self.state.users[self.account].zone
        try:
            return parse(text, self.state, zone=zone, now=self.now(), epoch_times=cloud, bounded=cloud)
        except BadQuery as problem:
            raise Bad(400, str(problem)) from None

    def _search(self, query: str, token: object) -> Search:
        if token is None:
            return Search(query, [issue.id for issue in self._select(self.query(query))], self.now())
        search = self.searches.get(str(token))
        if search is None or search.query != query or self.now() - search.begun > _TOKEN_LIFE:
            raise Bad(400, "The provided next page token is invalid or expired.")
        return search

    def _token(self, search: Search) -> str:
        token = _closed({"search": len(self.searches), "start": search.start})
        self.searches[token] = search
        return token


def _only(given: dict[str, Any], *known: str) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise Bad(400, f"Unrecognized field or parameter: {min(unknown)}")


def _whole(given: dict[str, Any], name: str, default: int) -> int:
    value = given.get(name, default)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or value < 0:
        raise Bad(400, f"{name}: a whole number is needed.")
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Bad(400, "fields: a list of names is needed.")
    return list(value)


def _closed(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def _opened(token: object) -> dict[str, Any]:
    if token is None:
        return {}
    try:
        value = json.loads(base64.urlsafe_b64decode(str(token)))
    except ValueError:
        raise Bad(400, "The provided next page token is invalid or expired.") from None
    return value if isinstance(value, dict) else {}
