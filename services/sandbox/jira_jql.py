"""The part of JQL that the sandbox understands. Anything else is an error, as an unknown field is in Jira.

clauses joined by AND; `project in (A, "B")`, `project = A`, `status|type|labels|id|key = value` or `in (...)`,
`updated >= <milliseconds | "yyyy/MM/dd HH:mm" | "-15m">`; ORDER BY updated, created, key or id, ASC or DESC.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.sandbox.jira_state import Issue, JiraState

_TOKEN = re.compile(
    r"\s*(?:(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|([A-Za-z_][\w.\[\]]*(?:-\d+)?)|(\d+)|(>=|<=|!=|[=<>(),]))"
)
_READ: dict[str, Callable[[Issue], set[str]]] = {
    "project": lambda issue: {issue.project.upper()},
    "status": lambda issue: {issue.status.upper()},
    "issuetype": lambda issue: {issue.type.upper()},
    "type": lambda issue: {issue.type.upper()},
    "labels": lambda issue: {label.upper() for label in issue.labels},
    "id": lambda issue: {issue.id},
    "key": lambda issue: {issue.key},
}
Test = Callable[[Issue], bool]


class BadQuery(Exception):
    """JQL that Jira would answer with 400."""


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    tests: tuple[Test, ...]
    order: tuple[tuple[str, bool], ...]

    def select(self, issues: Iterable[Issue]) -> list[Issue]:
        """The issues that fit, in order."""
        found = [issue for issue in issues if all(test(issue) for test in self.tests)]
        for name, descending in reversed(self.order):
            found.sort(key=lambda issue: _place(issue, name), reverse=descending)
        return found


def parse(text: str, state: JiraState, *, zone: str, now: datetime, epoch_times: bool, bounded: bool) -> Query:
    """Read a query. zone: how a time without one is meant; bounded: a query without restriction is refused (Cloud).
    Raises BadQuery."""
    parts = re.split(r"\border\s+by\b", text, maxsplit=1, flags=re.IGNORECASE)
    parser = _Parser(_tokens(parts[0]), state, ZoneInfo(zone), now, epoch_times)
    tests = parser.clauses() if parser.left else []
    if bounded and not tests:
        raise BadQuery("Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    return Query(tuple(tests), tuple(_order(parts[1])) if len(parts) > 1 else (("created", True),))


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if not match:
            raise BadQuery("Error in the JQL Query: the character is a reserved JQL character.")
        found.append(match.group().strip())
        place = match.end()
    return found


def _order(text: str) -> Iterable[tuple[str, bool]]:
    terms = text.split(",")
    if len(terms) > 7:
        raise BadQuery("At most 7 fields in ORDER BY.")
    for term in terms:
        match = re.fullmatch(r"\s*(updated|created|key|id)(?:\s+(asc|desc))?\s*", term, re.IGNORECASE)
        if not match:
            raise BadQuery("Error in the JQL Query: expecting a field name in ORDER BY.")
        yield match[1].lower(), (match[2] or "asc").lower() == "desc"


def _place(issue: Issue, name: str) -> Any:
    if name in ("updated", "created"):
        return getattr(issue, name)
    return int(issue.id) if name == "id" else (issue.project, int(issue.key.rpartition("-")[2]))


class _Parser:
    def __init__(self, tokens: list[str], state: JiraState, zone: ZoneInfo, now: datetime, epoch_times: bool) -> None:
        self.left = tokens
        self._state, self._zone, self._now, self._epoch_times = state, zone, now, epoch_times

    def clauses(self) -> list[Test]:
        """Clauses up to the end or a closing bracket."""
        found = self._clause()
        while self.left and self.left[0] != ")":
            if self._take().upper() != "AND":
                raise BadQuery("Error in the JQL Query: expecting AND.")
            found += self._clause()
        return found

    def _take(self, expected: str | None = None) -> str:
        if not self.left or (expected is not None and self.left[0].upper() != expected):
            raise BadQuery(f"Error in the JQL Query: expecting {expected or 'more'}.")
        return self.left.pop(0)

    def _clause(self) -> list[Test]:
        name = self._take()
        if name == "(":
            inner = self.clauses()
            self._take(")")
            return inner
        name, operator = name.lower(), self._take().lower()
        if name == "updated":
            return [self._time(operator, self._take())]
        if name not in _READ:
            raise BadQuery(f"Field '{name}' does not exist or you do not have permission to view it.")
        if operator not in ("=", "!=", "in"):
            raise BadQuery(f"The operator '{operator}' is not supported by the '{name}' field.")
        values = self._values() if operator == "in" else {_plain(self._take())}
        self._exist(name, values)
        wanted, read, negated = {value.upper() for value in values}, _READ[name], operator == "!="
        return [lambda issue: bool(read(issue) & wanted) != negated]

    def _values(self) -> set[str]:
        self._take("(")
        values = {_plain(self._take())}
        while self._take() == ",":
            values.add(_plain(self._take()))
        return values

    def _exist(self, name: str, values: set[str]) -> None:
        known = {project for project in self._state.projects if project not in self._state.hidden_projects}
        for value in values:
            if name == "project" and value.upper() not in known:
                raise BadQuery(f"The value '{value}' does not exist for the field 'project'.")

    def _time(self, operator: str, value: str) -> Test:
        if operator not in (">=", ">", "<", "<="):
            raise BadQuery("The operator is not supported by the 'updated' field.")
        at = self._instant(value)
        compare: dict[str, Test] = {
            ">=": lambda issue: issue.updated >= at,
            ">": lambda issue: issue.updated > at,
            "<": lambda issue: issue.updated < at,
            "<=": lambda issue: issue.updated <= at,
        }
        return compare[operator]

    def _instant(self, value: str) -> datetime:
        if value.isdigit():
            if not self._epoch_times:
                raise BadQuery(f"Date value '{value}' for field 'updated' is invalid.")
            return datetime.fromtimestamp(int(value) / 1000, self._zone)
        text = _plain(value)
        relative = re.fullmatch(r"-(\d+)([mhd])", text)
        if relative:
            units = {"m": "minutes", "h": "hours", "d": "days"}
            return self._now - timedelta(**{units[relative[2]]: int(relative[1])})
        for form in ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y-%m-%d"):
            try:
                # Of an hour that happens twice the later one is taken: the reading that would lose an hour.
                return datetime.strptime(text, form).replace(tzinfo=self._zone, fold=1)
            except ValueError:
                continue
        raise BadQuery(f"Date value '{text}' for field 'updated' is invalid.")


def _plain(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[:1] in "\"'" else token
