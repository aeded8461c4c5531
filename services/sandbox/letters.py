"""Mails of the sandbox company as octets: the same words are the same octets, so that they survive a restart."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from services.sandbox.people import REQUESTS, Person

_KINDS = {
    "auto-reply": {"Auto-Submitted": "auto-replied", "Precedence": "auto_reply"},
    "digest": {"List-Id": "<digest.acme.example>", "Precedence": "bulk"},
}
_DAEMON = Person("daemon", "Mail Delivery", "System", "mailer-daemon@mail.acme.example")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to be written."""

    message_id: str
    """With angle brackets."""
    at: datetime
    sender: Person
    subject: str
    text: str
    also_to: str = ""
    """An address."""
    thread: tuple[str, ...] = ()
    """Message-IDs of those before it, oldest first."""
    kind: str = ""
    about: bytes = field(default=b"", repr=False)
    """For a bounce: the mail that was not delivered."""

    def written(self) -> bytes:
        """The octets."""
        return _bounce(self) if self.kind == "bounce" else _plain(self).as_bytes()


def _plain(letter: Letter) -> EmailMessage:
    message = EmailMessage(policy.SMTP)
    message["Message-ID"] = letter.message_id
    message["Date"] = format_datetime(letter.at)
    message["From"] = Address(letter.sender.full, addr_spec=letter.sender.address)
    message["To"] = ", ".join(address for address in (REQUESTS, letter.also_to) if address)
    message["Subject"] = letter.subject
    if letter.thread:
        message["In-Reply-To"] = letter.thread[-1]
        message["References"] = " ".join(letter.thread)
    for name, value in _KINDS.get(letter.kind, {}).items():
        message[name] = value
    message.set_content(letter.text, cte="quoted-printable")
    return message


def _bounce(letter: Letter) -> bytes:
    """A delivery status notification (RFC 3464) about the mail before it: what answers to it are its headers only."""
    whole = _plain(replace(letter, sender=_DAEMON, subject="Undelivered Mail Returned to Sender", thread=()))
    seam = "".join(sign if sign.isalnum() else "-" for sign in letter.message_id.strip("<>"))[:60]
    for name in ("Content-Type", "Content-Transfer-Encoding"):
        del whole[name]
    whole["Content-Type"] = f'multipart/report; report-type=delivery-status; boundary="{seam}"'
    head = whole.as_bytes().partition(b"\r\n\r\n")[0].decode("ascii")
    address = letter.sender.address
    parts = (
        f"Content-Type: text/plain\n\nYour mail to {address} could not be delivered: the mailbox is full.\n",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mail.acme.example\n\n"
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.2.2\n",
        "Content-Type: text/rfc822-headers\n\n" + letter.about.partition(b"\r\n\r\n")[0].decode("ascii"),
    )
    body = "".join(f"--{seam}\n{part}\n" for part in parts)
    return f"{head}\n\n{body}--{seam}--\n".replace("\r\n", "\n").replace("\n", "\r\n").encode("ascii")
