"""Putting recorded ticket histories into the sandbox's Jira: one row per change, as a CSV of an issue tracker's log.

Columns used: ticket, date_created, As.Of.Date (time of the change, with offset), Changed.Fields, Status, assignee_anon,
Journal, mc_number_anon. A row holds the values *before* its change; the values after it stand in the next younger row.
The youngest row of a ticket repeats the time of its last change: it is the state now, no change.
"""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from services.sandbox.jira_company import Hands
from services.sandbox.jira_state import Issue

Row = dict[str, str]


def rows_of(path: Path) -> dict[str, list[Row]]:
    """Ticket to its rows, oldest first."""
    tickets: dict[str, list[Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            tickets.setdefault(row["ticket"], []).append(row)
    for rows in tickets.values():
        # The file has the newest first, and of two rows with one time the upper one is the younger.
        rows.reverse()
        rows.sort(key=_at)
    return tickets


def load(hands: Hands, tickets: dict[str, list[Row]]) -> int:
    """Make every ticket and its changes, in the order of time: how many changes there were."""
    people: dict[str, str] = {}
    steps = sorted((step for rows in tickets.values() for step in _steps(rows)), key=lambda step: step[0])
    issues: dict[str, Issue] = {}
    for at, before, after in steps:
        ticket = before["ticket"]
        if ticket not in issues:
            issues[ticket] = _create(hands, before, people)
        _change(hands, issues[ticket], at, before, after, people)
    return len(steps)


def _steps(rows: list[Row]) -> Iterator[tuple[datetime, Row, Row]]:
    for before, after in pairwise(rows):
        yield _at(before), before, after


def _at(row: Row) -> datetime:
    return datetime.fromisoformat(row["As.Of.Date"]).astimezone(UTC)


def _create(hands: Hands, row: Row, people: dict[str, str]) -> Issue:
    project = row["ticket"].partition("-")[0]
    if project not in hands.state.projects:
        hands.state.add_project(project, project)
    first = datetime.fromisoformat(row["date_created"]).replace(tzinfo=UTC)
    created = min(first, _at(row) - timedelta(seconds=1))
    title = f"{row['Journal'] or 'Manuscript'}: {row['ticket']}"
    label = [f"MC-{row['mc_number_anon']}"] if row["mc_number_anon"] else []
    by = _person(hands, "reporter", people)
    assignee = _person(hands, row["assignee_anon"], people) if row["assignee_anon"] else None
    return hands.create(
        project, title, at=created, by=by, kind="Task", assignee=assignee, status=row["Status"], labels=label
    )


def _change(hands: Hands, issue: Issue, at: datetime, before: Row, after: Row, people: dict[str, str]) -> None:
    by = _person(hands, after["assignee_anon"] or "reporter", people)
    if before["Status"] != after["Status"]:
        hands.transition(issue, after["Status"], at=at, by=by, resolution=after["Resolution"] or None)
    if before["assignee_anon"] != after["assignee_anon"]:
        to = _person(hands, after["assignee_anon"], people) if after["assignee_anon"] else None
        hands.assign(issue, to, at=at, by=by)
    named: list[dict[str, Any]] = [
        {"field": name, "fieldtype": "custom", "from": None, "fromString": None, "to": None, "toString": None}
        for name in before["Changed.Fields"].split(",")
        if name and name not in ("status", "assignee")
    ]
    if named:
        hands.record(issue, named, at=at, by=by)


def _person(hands: Hands, number: str, people: dict[str, str]) -> str:
    if number not in people:
        people[number] = hands.state.add_user(f"Person {number}")
    return people[number]
