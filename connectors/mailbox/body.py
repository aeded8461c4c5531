"""What of a mail's texts its sender wrote."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from connectors.mailbox.headers import message_ids
from connectors.mailbox.html import visible_text
from connectors.mailbox.payload import MailPayload, TextPart
from connectors.mailbox.replies import split

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

    @property
    def passed_on(self) -> str:
        """What a mail without words of its own passes on."""
        return (self.quoted if self.forwarded else "") or self.attached


def read_body(mail: MailPayload) -> Body:
    """Tell a mail's texts apart; HTML counts only where the mail has no plain text."""
    if mail.words is not None:
        return Body(**mail.words.model_dump(exclude={"reported"}), reported=tuple(mail.words.reported))
    own = [part for part in mail.texts if not part.within and part.type in {"text/plain", "text/html"}]
    others = [part for part in mail.texts if part not in own]
    plain = [part for part in own if part.type == "text/plain" and part.text.strip()]
    pieces = [split(_shown(part)) for part in (plain or own)]
    return Body(
        written=_joined(piece.written for piece in pieces),
        quoted=_joined(piece.quoted for piece in pieces),
        footer=_joined(piece.footer for piece in pieces),
        attached=_joined(_shown(part) for part in others if part.text),
        forwarded=next((piece.forwarded for piece in pieces if piece.forwarded), {}),
        reported=tuple(_reported(mail.texts)),
    )


def _reported(texts: Iterable[TextPart]) -> Iterator[str]:
    for part in texts:
        hit = _ID_LINE.search(part.text)
        if hit and part.type in {"text/rfc822-headers", "text/plain"}:
            yield from message_ids(hit[1])


def _shown(part: TextPart) -> str:
    return visible_text(part.text) if part.type == "text/html" else part.text


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text.strip()).strip()
