"""Plays happenings into the three sandbox tools, and remembers under which keys and ids they made of it."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from services.sandbox.hubspot_account import Account
from services.sandbox.jira import FakeJira
from services.sandbox.jira_state import Issue
from services.sandbox.letters import Letter
from services.sandbox.people import BUSINESSES, CUSTOMERS, PEOPLE, STAFF
from services.sandbox.post import Mailbox
from services.sandbox.script import Happening

PROJECTS = {"PAY": "Payments", "WEB": "Web shop", "PLAT": "Platform", "OPS": "Operations"}
FOLDERS = ("INBOX", "Payments")
_NAMED = re.compile(r"\[\[(?:(url|first) )?([a-z0-9.-]+)\]\]")
_UNIT = "customfield_10030"


class Player:
    """The tools' hands. Not to be used from two threads."""

    def __init__(self, jira: FakeJira, account: Account, mailbox: Mailbox, begin: datetime) -> None:
        self.jira, self.account, self.mailbox = jira, account, mailbox
        self._issues: dict[str, Issue] = {}
        self._first_keys: dict[str, str] = {}
        self._records: dict[str, tuple[str, str]] = {}
        self._letters: dict[str, tuple[Letter, bytes]] = {}
        self._furnish(begin)

    def _furnish(self, begin: datetime) -> None:
        """What is there before anything happens: accounts, projects, owners, contacts, companies, folders."""
        for key, title in PROJECTS.items():
            self.jira.state.add_project(key, title)
        self._accounts = {one.name: self.jira.state.add_user(one.full, one.address) for one in STAFF}
        self._owners = {one.name: self.account.create_owner(one.first, one.last, one.address, begin) for one in STAFF}
        companies = {one.title: self.account.create_company(one.title, one.domain, begin) for one in BUSINESSES}
        self._contacts: dict[str, tuple[str, str]] = {}
        for one in CUSTOMERS:
            contact = self.account.create_contact(one.first, one.last, one.address, begin)
            self._contacts[one.name] = (contact, companies[one.company])
        for folder in FOLDERS[1:]:
            self.mailbox.add_folder(folder)

    def play(self, happening: Happening, at: datetime | None = None) -> None:
        """Do it, at its own time or at another. Raises AttributeError for what nobody can do."""
        hand = getattr(self, f"_{happening.tool}_{happening.what}")
        with self.jira.lock:
            hand(happening, at or happening.at, dict(happening.payload))

    def key(self, name: str) -> str:
        """A thing's key, id, or Message-ID in angle brackets, as its tool knows it now."""
        if name in self._issues:
            return self._issues[name].key
        if name in self._records:
            kind, record = self._records[name]
            found = self.account.found(kind, record)
            return found.id if found else record
        return self._letters[name][0].message_id

    def natural(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """(name, `<connector>/<kind>/<natural key>`) of those things that are still there."""
        for name in names:
            if name in self._issues:
                if self._issues[name].id in self.jira.state.issues:
                    yield name, f"jira/issue/{self.key(name)}"
            elif name in self._records:
                yield name, f"hubspot/{self._records[name][0]}/{self.key(name)}"
            elif name in self._letters:
                yield name, f"mailbox/mail/{self.key(name).strip('<>')}"

    def _words(self, text: str) -> str:
        """A text with what it names in it."""
        return _NAMED.sub(self._named, text)

    def _named(self, found: re.Match[str]) -> str:
        how, name = found.groups()
        if how == "first":
            return self._first_keys[name]
        if how == "url" and name in self._issues:
            return f"{self.jira.url}/browse/{self.key(name)}"
        if how == "url" and name in self._records:
            return self.account.url(self.account.records[self._records[name]])
        return self.key(name)

    # --- mail ---

    def _mail_arrive(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        sender, answered = PEOPLE[happening.by], self._letters.get(said["answers"])
        thread = (*answered[0].thread, answered[0].message_id) if answered else ()
        letter = Letter(
            message_id=f"<{happening.name}.{at:%Y%m%d%H%M%S}@{sender.address.partition('@')[2]}>",
            at=at,
            sender=sender,
            subject=self._words(said["subject"]),
            text=self._words(said["text"]),
            also_to=PEOPLE[said["to"]].address if said["to"] else "",
            thread=thread,
            kind=said.get("kind", ""),
            about=answered[1] if answered else b"",
        )
        raw = letter.written()
        self._letters[happening.name] = letter, raw
        self.mailbox.append("INBOX", raw, at)

    def _mail_file(self, happening: Happening, _: datetime, said: dict[str, Any]) -> None:
        self.mailbox.copy(self._letters[happening.name][1], said["folder"])

    # --- Jira ---

    def _jira_issue(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        project, title = said.pop("project"), self._words(said.pop("title"))
        if parent := said.get("parent"):
            said["parent"] = self._issues[parent].id
        if assignee := said.get("assignee"):
            said["assignee"] = self._accounts[assignee]
        if unit := said.pop("unit", None):
            said["custom"] = {_UNIT: {"value": unit}}
        said["description"] = self._words(said.get("description", ""))
        by = self._accounts[happening.by]
        issue = self.jira.hands.create(project, title, at=at, by=by, **said)
        self._issues[happening.name], self._first_keys[happening.name] = issue, issue.key

    def _jira_transition(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        self.jira.hands.transition(self._issues[happening.name], at=at, by=self._accounts[happening.by], **said)

    def _jira_comment(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        said["text"] = self._words(said["text"])
        self.jira.hands.comment(self._issues[happening.name], at=at, by=self._accounts[happening.by], **said)

    def _jira_assign(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        to = self._accounts[said["to"]]
        self.jira.hands.assign(self._issues[happening.name], to, at=at, by=self._accounts[happening.by])

    def _jira_link(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        one, other = self._issues[happening.name], self._issues[said["other"]]
        self.jira.hands.link(one, said["kind"], other, at=at, by=self._accounts[happening.by])

    def _jira_remote_link(self, happening: Happening, _: datetime, said: dict[str, Any]) -> None:
        self.jira.hands.remote_link(self._issues[happening.name], self._words(said["url"]), said["title"])

    def _jira_move(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        by = self._accounts[happening.by]
        self.jira.hands.move(self._issues[happening.name], said["project"], at=at, by=by)

    def _jira_delete(self, happening: Happening, at: datetime, _: dict[str, Any]) -> None:
        self.jira.hands.delete(self._issues[happening.name], at=at, by=self._accounts[happening.by])

    # --- HubSpot ---

    def _hubspot_deal(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        owner, properties = self._owners[happening.by], dict(said["properties"])
        made = self.account.create_deal(properties.pop("dealname"), at, owner, hubspot_owner_id=owner, **properties)
        self._made(happening, "deal", made, at)

    def _hubspot_ticket(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        owner, properties = self._owners[happening.by], dict(said["properties"])
        subject = properties.pop("subject")
        made = self.account.create_ticket(subject, at, owner, hubspot_owner_id=owner, **properties)
        self._made(happening, "ticket", made, at)

    def _made(self, happening: Happening, kind: str, made: str, at: datetime) -> None:
        self._records[happening.name] = kind, made
        contact, company = self._contacts[happening.payload["contact"]]
        self.account.associate((kind, made), ("contact", contact), at, label="Primary")
        self.account.associate((kind, made), ("company", company), at, label="Primary")

    def _hubspot_stage(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        record = self.key(happening.name)
        self.account.set_stage(said["kind"], record, said["stage"], at, self._owners[happening.by])

    def _hubspot_set(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        record = self.key(happening.name)
        self.account.set(said["kind"], record, at, self._owners[happening.by], **said["properties"])

    def _hubspot_associate(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        one, other = (said["kind"], self.key(happening.name)), (said["other_kind"], self.key(said["other"]))
        self.account.associate(one, other, at)

    def _hubspot_merge(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        self.account.merge(said["kind"], self.key(happening.name), self.key(said["other"]), at)

    def _hubspot_note(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        kind, _ = self._records[said["on"]]
        on = (kind, self.key(said["on"]))
        made = self.account.create_note(self._words(said["text"]), on, at, self._owners[happening.by])
        self._records[happening.name] = "note", made

    def _hubspot_email(self, happening: Happening, at: datetime, said: dict[str, Any]) -> None:
        kind, _ = self._records[said["on"]]
        letter = self._letters[said["mail"]][0]
        made = self.account.create_email(
            letter.subject, self._words(said["text"]), (kind, self.key(said["on"])), at,
            hs_email_direction="INCOMING_EMAIL", hs_email_message_id=letter.message_id,
            hs_email_from_email=letter.sender.address,
        )  # fmt: skip
        self._records[happening.name] = "email", made
