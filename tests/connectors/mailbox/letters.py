"""Mails to test with."""

import functools
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from connectors.mailbox import MailboxOptions
from connectors.mailbox.message import leaves, parse
from connectors.mailbox.telling import Found, event_of
from schemas.events import SourceEvent

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def letter(
    subject: str = "New export", text: str = "Please add an export.\n", number: int = 1, at: datetime | None = NOON,
    sender: str = "Anna Berg <anna@example.com>", **headers: str,
) -> EmailMessage:  # fmt: skip
    """A plain mail; headers by name with _ for -."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = "Requests <requests@sandbox.example>"
    mail["Subject"] = subject
    if at:
        mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<m{number}@Example.com>"
    for name, value in headers.items():
        del mail[name.replace("_", "-")]
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


@functools.cache
def with_file(size: int, number: int = 90) -> bytes:
    """A mail with a text and one attachment of so many bytes."""
    mail = letter("A big file", "See the file.\n", number)
    mail.add_attachment(bytes(range(256)) * (size // 256), "application", "zip", filename="Übersicht.zip")
    return mail.as_bytes()


def options(port: int = 1, **given: Any) -> MailboxOptions:
    """Options for a server on loopback."""
    told: dict[str, Any] = {
        "host": "127.0.0.1", "port": port, "security": "plain",
        "auth": {"kind": "password", "user": "requests@sandbox.example", "password": "sandbox-secret"},
    }  # fmt: skip
    return MailboxOptions.model_validate(told | given)


def told(raw: bytes, arrived: datetime | None = NOON, folder: str = "INBOX", **given: Any) -> SourceEvent:
    """The source event of a mail read whole, with line ends as on the wire."""
    found = Found("c-test", folder, arrived, NOON + timedelta(hours=1))
    mail = parse(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    return event_of(mail, leaves(mail), found, options(**given))
