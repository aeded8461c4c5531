"""Mails as bytes on the wire (RFC 5322, 2045, 2047), as clients, forms and systems write them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

REQUESTS = Address("Requests", "requests", "acme.example")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes, with the address used."""

    name: str
    address: str


@dataclass(slots=True)
class Mail:
    """A mail that arrived."""

    thing: int
    sender: Person
    subject: str
    text: str
    at: datetime
    message_id: str
    answers: "Mail | None" = None
    """The mail whose id stands in In-Reply-To."""
    in_reply_to: str = ""
    """In place of `answers`: an id nobody else saw."""
    references: tuple[str, ...] = ()
    to: tuple[Person, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    html: bool = False
    folder: str = "INBOX"

    def chain(self) -> tuple[str, ...]:
        """What a client that answers this writes into References."""
        return (*self.references, self.message_id)[-12:]

    def raw(self) -> bytes:
        """The mail with line ends as on the wire."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = _address(self.sender)
        mail["To"] = [_address(one) for one in self.to] or REQUESTS
        mail["Subject"] = self.subject
        mail["Date"] = format_datetime(self.at)
        mail["Message-ID"] = self.message_id
        told = self.answers.message_id if self.answers else self.in_reply_to
        if told:
            mail["In-Reply-To"] = told
        if self.references:
            mail["References"] = " ".join(self.references)
        for name, value in self.headers.items():
            mail[name] = value
        mail.set_content(self.text + "\n")
        if self.html:
            mail.add_alternative(_html(self.text), subtype="html")
        return mail.as_bytes()

    @property
    def arrived(self) -> datetime:
        """When the server took it."""
        return self.at + timedelta(seconds=5)


def _address(person: Person) -> Address:
    return Address(person.name, addr_spec=person.address)


def _html(text: str) -> str:
    """The same text as a client writes it beside the plain one."""
    lines = [f"<div>{escape(line)}</div>" if line else "<div><br></div>" for line in text.split("\n")]
    return f"<html><body>{''.join(lines)}</body></html>"
