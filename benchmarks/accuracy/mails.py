"""Mails as bytes on the wire (RFC 5322, 2045, 2047), as clients, forms and systems write them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

_PLACE = "-subject-"
"""Stands for the subject until the end: the modern way of folding loses spaces between encoded words."""
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
    form: str = "plain"
    """plain, html, or both."""
    attached: "Mail | None" = None
    """A mail attached to this one."""
    folder: str = "INBOX"

    def chain(self) -> tuple[str, ...]:
        """What a client that answers this writes into References."""
        return (*self.references, self.message_id)[-12:]

    def raw(self) -> bytes:
        """The mail with line ends as on the wire."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = _address(self.sender)
        mail["To"] = [_address(one) for one in self.to] or REQUESTS
        mail["Subject"] = _PLACE
        mail["Date"] = format_datetime(self.at)
        mail["Message-ID"] = self.message_id
        told = self.answers.message_id if self.answers else self.in_reply_to
        if told:
            mail["In-Reply-To"] = told
        if self.references:
            mail["References"] = " ".join(self.references)
        for name, value in self.headers.items():
            mail[name] = value
        self._fill(mail)
        for place, part in enumerate(mail.walk()):
            if part.is_multipart() and part.get_content_maintype() == "multipart":
                part.set_boundary(f"=_{self.thing}_{place}")  # the library's own is random
        subject = Header(self.subject, header_name="Subject").encode(linesep="\r\n")
        return mail.as_bytes().replace(b"Subject: " + _PLACE.encode(), b"Subject: " + subject.encode(), 1)

    def _fill(self, mail: EmailMessage) -> None:
        """The text in its form, and what is attached."""
        if self.form == "html":
            mail.set_content(_html(self.text), subtype="html")
        else:
            mail.set_content(self.text + "\n", charset=_charset(self.text))
        if self.form == "both":
            mail.add_alternative(_html(self.text), subtype="html")
        if self.attached:
            mail.add_attachment(message_from_bytes(self.attached.raw(), policy=SMTP))

    @property
    def arrived(self) -> datetime:
        """When the server took it."""
        return self.at + timedelta(seconds=5)


def _address(person: Person) -> Address:
    return Address(person.name, addr_spec=person.address)


def _charset(text: str) -> str:
    """Older clients write Latin-1 where it suffices; here in every second such text."""
    try:
        text.encode("iso-8859-1")
    except UnicodeEncodeError:
        return "utf-8"
    return "utf-8" if len(text) % 2 else "iso-8859-1"


def _html(text: str) -> str:
    """The text as a client writes it in HTML: quoted lines in quotes."""
    lines, depth = [], 0
    for line in text.split("\n"):
        marks = len(line) - len(line.lstrip("> ")) if line.startswith(">") else 0
        level = line[:marks].count(">")
        lines.append("<blockquote>" * max(0, level - depth) + "</blockquote>" * max(0, depth - level))
        depth = level
        bare = escape(line[marks:])
        lines.append(f"<div>{bare}</div>" if bare else "<div><br></div>")
    return f"<html><body>{''.join(lines)}{'</blockquote>' * depth}</body></html>"
