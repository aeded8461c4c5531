"""A mail → its source event."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Any

from connectors.mailbox.identity import native_id
from connectors.mailbox.mapping import created_at
from connectors.mailbox.message import Leaf, as_bad_record, body_fields, header_pairs
from connectors.mailbox.options import MailboxOptions
from connectors.mailbox.payload import read_payload
from connectors.mailbox.reducing import reduced
from connectors.mailbox.rules import is_own
from schemas.artifacts import artifact_id
from schemas.canonical import instant, microseconds
from schemas.events import SourceEvent, content_version


@dataclass(frozen=True, slots=True)
class Found:
    """Where and when a mail was found."""

    connection: str
    folder: str
    internal_date: datetime | None
    fetched_at: datetime


def event_of(mail: Message, found_leaves: Iterable[Leaf], found: Found, options: MailboxOptions) -> SourceEvent:
    """The source event, with as much of the mail's content as the connection keeps.

    It holds neither UID nor UIDVALIDITY: read again after these changed, it is the same event. Which mail it is, and
    in which version, follows from the whole mail, whatever is kept of it. Raises BadRecord, and what
    `found_leaves` does.
    """
    with as_bad_record():
        return _event_of(mail, found_leaves, found, options)


def _event_of(mail: Message, found_leaves: Iterable[Leaf], found: Found, options: MailboxOptions) -> SourceEvent:
    pairs, cut = header_pairs(mail)
    payload: dict[str, Any] = {
        "headers": pairs,
        "internal_date": instant(found.internal_date) if found.internal_date else None,
        "folder": found.folder,
        **body_fields(found_leaves),
        "own": is_own(pairs, options),
    }
    if cut:
        payload["headers_cut"] = cut
    created = created_at(read_payload(payload))
    native = native_id(pairs, *_first_text(payload["texts"]), [one["name"] for one in payload["attachments"]])
    return SourceEvent(
        connection=found.connection,
        connector="mailbox",
        kind="mail",
        native_id=native,
        artifact=artifact_id("mail", "mail", native),
        version=content_version(payload),
        order=microseconds(created) if created else 0,
        fetched_at=found.fetched_at,
        payload=reduced(payload, options.keep),
    )


def _first_text(texts: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """(text, subtype) by which copies of a mail are known: its first plain text, else its first HTML."""
    for kind in ("text/plain", "text/html"):
        for text in texts:
            if not text["within"] and text["type"] == kind and text["text"].strip():
                return text["text"], kind.partition("/")[2]
    return "", "plain"
