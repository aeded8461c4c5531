"""What of a mail's texts its sender wrote."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.mailbox.headers import addresses, message_ids, values
from connectors.mailbox.html import visible_text
from connectors.mailbox.payload import MailPayload, TextPart
from connectors.replies import split

_REPORT = "message/delivery-status"
_RECIPIENT = re.compile(r"^(?:original|final)-recipient:\s*[^;\n]*;\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_FAILED = re.compile(r"^action:\s*failed\b", re.IGNORECASE | re.MULTILINE)
_GAP = re.compile(r"\r?\n[ \t]*\r?\n")
_ID_LINE = re.compile(r"^[>\s]{0,8}message-id:\s*(<[^<>]{1,998}>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Body:
    """A mail's texts, told apart by who wrote them."""

    written: str
    quoted: str
    footer: str
    attached: str
    """Texts of attached mails and of reports."""
    forwarded: dict[str, str]
    """The header block of a mail forwarded in the text (see `replies.Split`)."""
    reported: tuple[str, ...] = ()
    """Message-IDs that a line of a text states: in a bounce, of the mail that was not delivered."""
    undelivered: tuple[str, ...] | None = None
    """Addresses that a report says were not reached (RFC 3464 section 2.3); None: nothing says which."""

    @property
    def passed_on(self) -> str:
        """What a mail without words of its own passes on."""
        return (self.quoted if self.forwarded else "") or self.attached


def read_body(mail: MailPayload) -> Body:
    """Tell a mail's texts apart; HTML counts only where the mail has no plain text."""
    if mail.words is not None:
        kept = mail.words.model_dump(exclude={"reported", "undelivered"})
        undelivered = None if mail.words.undelivered is None else tuple(mail.words.undelivered)
        return Body(**kept, reported=tuple(mail.words.reported), undelivered=undelivered)
    own = [part for part in mail.texts if not part.within and part.type in {"text/plain", "text/html"}]
    others = [part for part in mail.texts if part not in own]
    plain = [part for part in own if part.type == "text/plain" and part.text.strip()]
    sender = next((who.name for who in addresses(mail.headers, "From")), "")
    pieces = [split(_shown(part), sender) for part in (plain or own)]
    return Body(
        written=_joined(piece.written for piece in pieces),
        quoted=_joined(piece.quoted for piece in pieces),
        footer=_joined(piece.footer for piece in pieces),
        attached=_joined(_shown(part) for part in others if part.text),
        forwarded=next((piece.forwarded for piece in pieces if piece.forwarded), {}),
        reported=tuple(_reported(mail.texts)),
        undelivered=_undelivered(mail),
    )


def _undelivered(mail: MailPayload) -> tuple[str, ...] | None:
    """Of each recipient a report has a block of lines; one that says "delayed" may still be reached."""
    blocks = [block for part in mail.texts if part.type == _REPORT for block in _GAP.split(part.text)]
    told = [block for block in blocks if _RECIPIENT.search(block)]
    named = [value for block in told if _FAILED.search(block) for value in _RECIPIENT.findall(block)]
    named += values(mail.headers, "X-Failed-Recipients")
    if not told and not named:
        return None
    return tuple(dict.fromkeys(who.address for value in named for who in addresses([("To", value)], "To")))


def _reported(texts: Iterable[TextPart]) -> Iterator[str]:
    for part in texts:
        hit = _ID_LINE.search(part.text)
        if hit and part.type in {"text/rfc822-headers", "text/plain"}:
            yield from message_ids(hit[1])


def _shown(part: TextPart) -> str:
    return visible_text(part.text) if part.type == "text/html" else part.text


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text.strip()).strip()
