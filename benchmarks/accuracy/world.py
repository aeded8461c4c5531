"""The world a company lives in: its tools, its customers, a clock, and the truth about each thing as it is made."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, zip_longest
from random import Random
from typing import Any
from urllib.parse import quote

from benchmarks.accuracy import holdout
from benchmarks.accuracy.hubspots import Account, Entry
from benchmarks.accuracy.jiras import LINKS, Comment, Issue, Site
from benchmarks.accuracy.mails import Mail, Person
from benchmarks.accuracy.noise import Noise
from benchmarks.accuracy.traps import Trap
from benchmarks.accuracy.truth import Planted, Truth
from benchmarks.accuracy.wording import ENGLISH, Wording

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SPAN = timedelta(days=360)
MAIN = Site("jira-main", "https://acme.atlassian.net", ("PAY", "SHOP", "APP", "DATA", "MNT", "OPS"))
PLANT = Site("jira-plant", "https://acme-plant.atlassian.net", ("PLC", "NET", "OPS"))
LATE = Site("jira-late", "https://acme-lab.atlassian.net", ("LAB",))
"""Connected only after everything else was read."""
SITES = (MAIN, PLANT, LATE)
SHARED_PROJECT = "OPS"
"""The project key that two sites own."""
ORDINARY = ("PAY", "SHOP", "APP", "DATA")


@dataclass(slots=True)
class Customer:
    """A company that asks for things."""

    name: str
    domain: str
    wording: Wording
    people: list[Person]


@dataclass(slots=True)
class Request:
    """A true request while it is made up: what there is of it, and its clock."""

    number: int
    customer: Customer
    person: Person
    topic: str
    at: datetime
    things: list[int] = field(default_factory=list)
    mail: Mail | None = None
    """The mail that opened it."""
    last: Mail | None = None
    """The newest mail of its thread."""
    issue: Issue | None = None
    deal: Entry | None = None
    ticket: Entry | None = None


class World:
    """Makes things and keeps what is true about them."""

    def __init__(self, seed: int, size: int, noise: Noise) -> None:
        self.chance, self.noise, self.truth = Random(seed), noise, Truth()
        self.account, self.mails = Account(), list[Mail]()
        self.issues: list[Issue] = []
        self._numbers, self._ids = Counter[tuple[str, str]](), 10_000
        self.requests: list[Request] = []
        self.early: list[Entry] = []
        """Records that are also told as they are before `merges`."""
        self.merges: list[tuple[Entry, Entry, datetime]] = []
        self._contacts: dict[str, Entry] = {}
        self._wordings: Iterator[Wording] = cycle(holdout.WORDINGS if noise.holdout else (ENGLISH,))
        self.staff = [self._staff(place) for place in range(12)]
        self.customers = [self._customer(place) for place in range(max(8, size // 5))]

    def _staff(self, place: int) -> Person:
        name = ENGLISH.name(self.chance)
        return Person(name, f"{name.split()[0].lower()}.{place}@acme.example")

    def _customer(self, place: int) -> Customer:
        wording = next(self._wordings)
        domain = f"customer{place}.example"
        people = [Person(wording.name(self.chance), f"contact{number}@{domain}") for number in range(3)]
        return Customer(f"{people[0].name.split()[-1]} {place}", domain, wording, people)

    def colleague(self) -> Person:
        """Somebody of the company itself."""
        return self.chance.choice(self.staff)

    def id(self) -> int:
        """A number that nothing else has."""
        self._ids += 1
        return self._ids

    def when(self) -> datetime:
        """A moment to begin something."""
        minutes = int((SPAN - timedelta(days=40)).total_seconds() // 60)
        return NOW - SPAN + timedelta(minutes=self.chance.randrange(minutes))

    def later(self, request: Request, hours: int = 30) -> datetime:
        """The request's clock, moved on."""
        request.at += timedelta(minutes=self.chance.randint(10, hours * 60))
        return request.at

    def begin(self, customer: Customer | None = None, person: Person | None = None, topic: str = "") -> Request:
        """A request of which there is nothing yet."""
        customer = customer or self.chance.choice(self.customers)
        topic = topic or customer.wording.topic(self.chance)
        person = person or self.chance.choice(customer.people)
        request = Request(len(self.requests), customer, person, topic, self.when())
        self.requests.append(request)
        return request

    def thing(self, request: Request | None) -> int:
        """Another thing, of this request or of none."""
        self.truth.artifact.append("")
        self.truth.request.append(request.number if request else None)
        number = len(self.truth.artifact) - 1
        if request:
            request.things.append(number)
        return number

    def plant(self, one: int, other: int, kind: Planted) -> None:
        """Evidence that two things belong together."""
        self.truth.planted.append((one, other, kind))

    def message_id(self, person: Person) -> str:
        """A fresh Message-ID of somebody's client."""
        return f"<{self.chance.getrandbits(64):016x}.{self.id()}@{person.address.partition('@')[2]}>"

    def mail(
        self, request: Request | None, sender: Person, subject: str, text: str, at: datetime, **told: Any
    ) -> Mail:  # fmt: skip
        """A mail that arrived. told: further fields of Mail; one that answers carries the thread's references."""
        answers: Mail | None = told.get("answers")
        if answers:
            told.setdefault("references", answers.chain())
        told.setdefault("message_id", self.message_id(sender))
        told.setdefault("form", self.chance.choices(("plain", "both", "html"), (4, 4, 2))[0])
        folder = "Sent" if sender.address.endswith("@acme.example") else "INBOX"
        mail = Mail(self.thing(request), sender, subject, text, at, folder=folder, **told)
        self.mails.append(mail)
        return mail

    def answer(self, request: Request, sender: Person, at: datetime, *more: str, subject: str = "") -> Mail:
        """Somebody answers the newest mail of the thread, quoting it."""
        last = request.last
        assert last is not None, "no thread to answer in"
        wording = request.customer.wording
        own = wording.answer(self.chance, sender.name, *more)
        quoted = self.chance.choice(wording.quotes)(last.sender.name, last.sender.address, last.at, last.text)
        subject = subject or wording.reply(self.chance, last.subject)
        below = quoted.splitlines()[-1].startswith(">") and self.chance.random() < 0.15
        text = f"{quoted}\n\n{own}" if below else f"{own}\n\n{quoted}"
        mail = self.mail(request, sender, subject, text, at, answers=last)
        self.plant(last.thing, mail.thing, Planted.EXPLICIT)
        request.last = mail
        return mail

    def key(self, site: Site, project: str) -> str:
        """The next key of a project."""
        self._numbers[site.connection, project] += 1
        return f"{project}-{self._numbers[site.connection, project]}"

    def make_issue(
        self, request: Request | None, at: datetime, summary: str, *, text: str = "", kind: str = "Story",
        site: Site = MAIN, project: str = "", key: str = "",
    ) -> Issue:  # fmt: skip
        """An issue; the first of a request is its main one."""
        key = key or self.key(site, project or self.chance.choice(ORDINARY))
        thing = self.thing(request)
        issue = Issue(thing, site, self.id(), key, kind, summary, text, self.colleague(), at, at)
        if request and request.issue is None:
            request.issue = issue
        self.issues.append(issue)
        return issue

    def link(self, one: Issue, name: str, other: Issue) -> None:
        """An issue link: outward on the first, inward on the second."""
        assert name in LINKS, name
        number = self.id()
        one.links.append((number, name, "outward", other))
        other.links.append((number, name, "inward", one))

    def under(self, child: Issue, parent: Issue) -> None:
        """Make one issue the parent of another."""
        child.parent = parent
        parent.children.append(child)

    def comment(self, issue: Issue, at: datetime, text: str) -> None:
        """Somebody comments."""
        issue.comments.append(Comment(self.id(), self.colleague(), text, at))
        issue.updated = max(issue.updated, at)

    def entry(self, request: Request | None, kind: str, at: datetime, **properties: str | None) -> Entry:
        """A HubSpot record; contacts and companies are people and organisations, no things."""
        thing = -1 if kind in {"contact", "company"} else self.thing(request)
        return self.account.add(kind, thing, at, **properties)

    def contact(self, person: Person) -> Entry:
        """A person as the CRM knows them."""
        if person.address not in self._contacts:
            first, _, last = person.name.partition(" ")
            known = self.entry(None, "contact", NOW - SPAN, firstname=first, lastname=last, email=person.address)
            self._contacts[person.address] = known
        return self._contacts[person.address]

    def merge(self, survivor: Entry, gone: Entry, at: datetime) -> None:
        """Two records become one, once they were told as they are."""
        self.early += [survivor, gone]
        self.merges.append((survivor, gone, at))

    def adverse(self) -> bool:
        """Whether a trap takes its worst form this time."""
        return self.chance.random() < self.noise.adverse

    def mark(self, trap: Trap, focus: Sequence[int], *requests: Request, most: int = 24) -> None:
        """A trap occurred: pairs of its own things with those of the requests it touches, by turns."""
        turns = zip_longest(*(request.things for request in requests))
        others = [thing for turn in turns for thing in turn if thing is not None]
        self.truth.concern(trap, focus, others, most)

    def names(self, request: Request, issue: Issue) -> str:
        """A sentence that names an issue."""
        return request.customer.wording.names(self.chance, self.spelled(issue.key), self.address(issue))

    def spelled(self, key: str) -> str:
        """A key as somebody types it: now and then in small letters."""
        return key.lower() if self.chance.random() < self.noise.careless else key

    def address(self, issue: Issue) -> str:
        """An issue's address as it is copied: plain, of a comment, of a board, or rewritten by a mail gateway."""
        way = self.chance.random()
        if way < 0.1:
            return f"{issue.url}?focusedCommentId={self.id()}"
        if way < 0.2:
            project = issue.key.partition("-")[0]
            return f"{issue.site.url}/jira/software/c/projects/{project}/boards/7?selectedIssue={issue.key}"
        if way < 0.3:
            told = quote(issue.url, safe="")
            return f"https://eur01.safelinks.protection.outlook.com/?url={told}&data=05%7C02%7C&reserved=0"
        return issue.url

    def record_address(self, entry: Entry) -> str:
        """A record's address as it is copied: of the record page, or in the older form that still works."""
        return entry.url if self.chance.random() < 0.7 else entry.older_url
