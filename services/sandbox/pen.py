"""Writes the story of one request: each method tells one thing that happens, at the pen's time."""

from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any

from services.sandbox.people import ANALYSTS, CUSTOMERS, DEVELOPERS, OPERATORS, SALES, Person
from services.sandbox.script import Evidence, Happening

_OPENS, _CLOSES = time(8), time(18)

TOPICS = (
    ("Refunds take too long", "Refunds need nine days today; our customers expect three."),
    ("Export of invoices as PDF", "Accounting wants all invoices of a month as one file."),
    ("Second address for deliveries", "Large customers have more than one gate."),
    ("Sign in with the company account", "Nobody wants one more password."),
    ("Reminder before a contract ends", "We lose contracts because nobody looks at the date."),
    ("Prices in Swiss francs", "The shop shows euros only."),
    ("Faster search for orders", "The list needs twelve seconds on a Monday."),
    ("Approval for large discounts", "Anything over ten per cent should be seen by two people."),
    ("Report of open claims", "Once a week, by region, as a table."),
    ("Address book for drivers", "They call the office for every telephone number."),
    ("Bank holidays per country", "Delivery dates are wrong around Easter."),
    ("Archive of old offers", "Auditors ask for offers of the last ten years."),
)
"""What is asked for: subject and reason."""


class Pen:
    """One request's story. `name` is how its truth is called; things of it are called `<name>.<thing>`."""

    def __init__(self, number: int, start: datetime, chance: Random) -> None:
        self.name, self.chance = f"r{number}", chance
        self.at = _working(start)
        self.customer = CUSTOMERS[number % len(CUSTOMERS)]
        self.sales = SALES[number % len(SALES)]
        self.analyst = ANALYSTS[number % len(ANALYSTS)]
        self.developer = DEVELOPERS[number % len(DEVELOPERS)]
        self.operator = OPERATORS[0]
        self.project = ("PAY", "WEB")[number % 2]
        self.subject, self.reason = TOPICS[(number * 5) % len(TOPICS)]

    def beside(self, name: str) -> "Pen":
        """A pen for another request of the same people, whose things are called after this one's."""
        other = copy(self)
        other.name = f"{self.name}-{name}"
        return other

    def wait(self, least: float, most: float) -> None:
        """Working hours go by."""
        left = timedelta(hours=self.chance.uniform(least, most))
        day = timedelta(hours=_CLOSES.hour - _OPENS.hour)
        while left > day:
            self.at, left = _working(self.at + timedelta(days=1)), left - day
        self.at = _working(self.at + left)

    def of(self, thing: str) -> str:
        """A thing's name; one that has a dot is of another request."""
        return thing if "." in thing else f"{self.name}.{thing}"

    def mail(
        self,
        thing: str,
        by: Person,
        subject: str,
        text: str,
        evidence: Evidence,
        *,
        to: str = "",
        answers: str = "",
        request: str | None = None,
        **more: Any,
    ) -> Happening:
        """A mail arrives in the watched mailbox. to: who else gets it; answers: the mail whose thread it is in."""
        said: dict[str, Any] = {"subject": subject, "text": text, "to": to, "answers": answers and self.of(answers)}
        return self._made("mail", "arrive", thing, by, said | more, evidence, request)

    def issue(
        self,
        thing: str,
        by: Person,
        title: str,
        evidence: Evidence,
        *,
        project: str = "",
        kind: str = "Story",
        parent: str = "",
        request: str | None = None,
        **more: Any,
    ) -> Happening:
        """A new issue. more: attributes of the fake's issues."""
        home: dict[str, Any] = {"project": project or self.project, "kind": kind, "title": title}
        if parent:
            home["parent"] = self.of(parent)
        return self._made("jira", "issue", thing, by, home | more, evidence, request)

    def record(
        self, kind: str, thing: str, by: Person, evidence: Evidence, *, request: str | None = None, **properties: str
    ) -> Happening:
        """A new deal or ticket, of the customer and their company."""
        about = {"properties": properties, "contact": self.customer.name}
        return self._made("hubspot", kind, thing, by, about, evidence, request)

    def logged(self, kind: str, thing: str, by: Person, text: str, on: str, mail: str = "") -> Happening:
        """A note, or an e-mail that is logged, on a deal or ticket."""
        said = {"text": text, "on": self.of(on), "mail": mail and self.of(mail)}
        return self._made("hubspot", kind, thing, by, said, "explicit", None)

    def does(self, tool: Any, what: str, thing: str, by: Person, **said: Any) -> Happening:
        """Something happens to a thing."""
        return Happening(self.at, tool, what, self.of(thing), by.name, said)

    def status(self, thing: str, by: Person, *statuses: str) -> Iterator[Happening]:
        """An issue moves, with some hours in between."""
        for status in statuses:
            self.wait(1, 12)
            yield self.does("jira", "transition", thing, by, status=status)

    def stages(self, kind: str, thing: str, by: Person, *stages: str) -> Iterator[Happening]:
        """A deal or ticket moves, with some days in between."""
        for stage in stages:
            self.wait(4, 24)
            yield self.does("hubspot", "stage", thing, by, kind=kind, stage=stage)

    def _made(
        self,
        tool: Any,
        what: str,
        thing: str,
        by: Person,
        said: dict[str, Any],
        evidence: Evidence,
        request: str | None,
    ) -> Happening:
        owner = self.name if request is None else request
        return Happening(self.at, tool, what, self.of(thing), by.name, said, owner, evidence)


def _working(at: datetime) -> datetime:
    """The same moment, or the next at which somebody works."""
    at = at.astimezone(UTC)
    if at.time() >= _CLOSES:
        at = datetime.combine(at.date() + timedelta(days=1), _OPENS, UTC) + timedelta(minutes=at.minute)
    elif at.time() < _OPENS:
        at = datetime.combine(at.date(), _OPENS, UTC) + timedelta(minutes=at.minute)
    return at + timedelta(days=max(0, 7 - at.weekday()) if at.weekday() > 4 else 0)
