"""MIME (RFC 2045, 2046) → what a source event holds: headers, texts, and attachments by name, type and size.

Nothing binary is kept. Whole mails and mails of which only some parts were loaded come through the same lines, as a
sequence of leaves. Wrong MIME is read as far as it goes; only what is no mail at all raises BadRecord.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.errors import MessageError
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from connectors.contract import BadRecord
from connectors.mailbox.headers import decode_bytes, decoded, raw_text
from schemas.canonical import storable

TEXT_BYTES = 300_000
"""Of all texts together, as JSON: what is longer is cut, with its full size and hash kept."""
HEADER_BYTES = 90_000
ONE_HEADER_BYTES = 20_000
PARTS = 200
"""Leaves read of one mail; what is beyond is counted."""
DEPTH = 40

_TRACE = (
    "received", "x-received", "dkim-", "arc-", "authentication-results", "domainkey-", "x-google-", "x-ms-exchange-",
    "x-microsoft-", "x-forefront-", "x-spam-", "x-gm-", "x-proofpoint-",
)  # fmt: skip
_KEPT_TRACE = {"x-ms-exchange-generated-message-source"}
TELLING = (
    "message-id", "date", "from", "subject", "sender", "sensitivity", "in-reply-to", "references", "x-original-from",
    "content-type", "auto-submitted", "precedence", "list-id", "list-post", "list-unsubscribe", "mailing-list",
    "x-mailing-list", "return-path", "x-failed-recipients", "x-autoreply", "x-autorespond", "x-autoresponder",
    "x-auto-reply-from", "x-ms-exchange-generated-message-source", "reply-to",
)  # fmt: skip
"""Which mail it is, and of what kind."""
_WEIGHTIEST = (*TELLING, "to", "cc")
"""The first of each is kept, however much stands before it."""
_LISTS = {"to", "cc", "reply-to", "from"}
_PARSER = BytesParser(policy=compat32)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A MIME part without parts of its own, or (with `mail`) a mail attached to this one."""

    path: str
    """As in IMAP: `2.1`."""
    headers: Message
    body: bytes | None = None
    """Decoded bytes, perhaps only their beginning; None when they were not loaded."""
    size: int = 0
    """Decoded bytes in full."""
    sha256: str | None = None
    """Of the decoded bytes in full; None when they were not loaded."""
    within: str = ""
    """Path of the attached mail that holds this part; "" for the mail itself."""
    mail: Message | None = None
    """Headers of the attached mail."""


@contextmanager
def as_bad_record() -> Iterator[None]:
    """What Python's own parsers of mail and HTML raise at some mails, as BadRecord: one such mail stops no other."""
    try:
        yield
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise BadRecord(f"this is no mail that can be read ({type(error).__name__})") from None


def parse(raw: bytes) -> Message:
    """The mail, however broken. Raises BadRecord for what the parser cannot take."""
    with as_bad_record():
        return _PARSER.parsebytes(raw)


def leaves(mail: Message) -> Iterator[Leaf]:
    """Every leaf of a whole mail, in its order."""
    todo: list[tuple[Message, str, str, int]] = [(mail, "", "", 0)]
    while todo:
        part, path, within, depth = todo.pop()
        # Of a text the parser gives the payload decoded, and raises where the name of its charset is none.
        inner = part.get_payload() if part.is_multipart() else None
        if not isinstance(inner, list) or depth > DEPTH:
            yield _leaf(part, path or "1", within)
            continue
        attached = part.get_content_maintype() == "message" and part.get_content_type() != "message/delivery-status"
        if part.get_content_type() == "message/delivery-status":
            yield _report(part, inner, path, within)
            continue
        if attached and inner and isinstance(inner[0], Message):
            path = path or "1"
            yield Leaf(path, part, mail=inner[0], size=_length(inner[0]), within=within)
            # A multipart directly inside an attached mail shares its number (RFC 3501 section 6.4.5).
            shared = inner[0].get_content_maintype() == "multipart" and inner[0].is_multipart()
            todo.append((inner[0], path if shared else f"{path}.1", path, depth + 1))
            continue
        steps = [(child, f"{path}.{place}".lstrip("."), within, depth + 1) for place, child in enumerate(inner, 1)]
        todo.extend(reversed([step for step in steps if isinstance(step[0], Message)]))


def _leaf(part: Message, path: str, within: str) -> Leaf:
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AttributeError):  # an encoding that its own text breaks
        del part["Content-Transfer-Encoding"]
        body = part.get_payload(decode=True)
    raw = body if isinstance(body, bytes) else b""
    return Leaf(path, part, raw, len(raw), hashlib.sha256(raw).hexdigest(), within)


def _report(part: Message, blocks: list[Any], path: str, within: str) -> Leaf:
    """A delivery report's fields (RFC 3464), which the parser has already taken apart, as text again."""
    lines = [
        "\n".join(f"{name}: {raw_text(value)}" for name, value in block.raw_items())
        for block in blocks
        if isinstance(block, Message)
    ]
    raw = "\n\n".join(lines).encode("utf-8", "replace")
    return Leaf(path, part, raw, len(raw), hashlib.sha256(raw).hexdigest(), within)


def _length(mail: Message) -> int:
    """Bytes of an attached mail; 0 where it is too broken to be put together again."""
    try:
        return len(mail.as_bytes())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 0


def header_pairs(mail: Message) -> tuple[list[list[str]], int]:
    """(name, value) of each header, unfolded but not decoded, without trace headers; and how many were cut or left."""
    pairs: dict[int, list[str]] = {}
    cut, room = 0, HEADER_BYTES
    for place, name, value in _weightiest_first(mail):
        text, whole = fit(raw_text(value), min(ONE_HEADER_BYTES, room))
        cut += not whole
        if not whole and name.lower() in _LISTS:
            text = text.rpartition(",")[0]  # half an address may be somebody else's
        if text or whole:
            pairs[place] = [name[:200], text]
            room -= json_size(text) + 200
    return [pairs[place] for place in sorted(pairs)], cut


def _weightiest_first(mail: Message) -> list[tuple[int, str, str]]:
    """(place, name, value) of each header that may be kept: the weightiest first."""
    found: list[tuple[int, str, str]] = []
    first: dict[str, int] = {}
    for place, (name, value) in enumerate(mail.raw_items()):
        shown = raw_text(name)
        lower = shown.lower()
        if not lower.startswith(_TRACE) or lower in _KEPT_TRACE:
            found.append((place, shown, value))
            first.setdefault(lower, place)
    weights = {first[name]: weight for weight, name in enumerate(_WEIGHTIEST) if name in first}
    return sorted(found, key=lambda one: weights.get(one[0], len(_WEIGHTIEST)))


def body_fields(found: Iterable[Leaf]) -> dict[str, Any]:
    """`texts`, `attachments` and `mails` (attached ones) of a payload; see docs/connectors/mailbox.md for its shape."""
    texts: list[dict[str, Any]] = []
    attachments: list[dict[str, Any]] = []
    mails: list[dict[str, Any]] = []
    beyond = 0
    room = TEXT_BYTES
    plain_in: set[str] = set()
    for count, leaf in enumerate(found):
        if count >= PARTS:
            beyond += 1
        elif leaf.mail is not None:
            pairs, _ = header_pairs(leaf.mail)
            named = [
                pair for pair in pairs if pair[0].lower() in {"message-id", "from", "date", "subject", "in-reply-to"}
            ]
            mails.append({"path": leaf.path, "headers": [[name, fit(value, 2_000)[0]] for name, value in named]})
            attachments.append(_attachment(leaf))
        elif not _is_text(leaf):
            attachments.append(_attachment(leaf))
        else:
            text, room = _text(leaf, room, plain_in)
            texts.append(text)
    fields: dict[str, Any] = {"texts": texts, "attachments": attachments, "mails": mails[:50]}
    return {**fields, "parts_beyond": beyond} if beyond else fields


def _is_text(leaf: Leaf) -> bool:
    if leaf.headers.get_content_type() in {"message/delivery-status", "message/disposition-notification"}:
        return True
    disposition = raw_text(leaf.headers.get("Content-Disposition", "")).lower()
    named = file_name(leaf.headers) != ""
    return leaf.headers.get_content_maintype() == "text" and not disposition.startswith("attachment") and not named


def _text(leaf: Leaf, room: int, plain_in: set[str]) -> tuple[dict[str, Any], int]:
    """A text part; HTML only where there is no plain text beside it, so that each text is kept once."""
    kind = leaf.headers.get_content_type()
    entry = {"path": leaf.path, "within": leaf.within, "type": kind, "size": leaf.size, "sha256": leaf.sha256}
    if kind == "text/html" and leaf.within in plain_in:
        return {**entry, "text": "", "cut": False, "instead": "text/plain"}, room
    raw = leaf.body or b""
    text, whole = fit(decode_bytes(raw[: TEXT_BYTES * 2], _charset(leaf.headers)), room)
    if kind == "text/plain" and text.strip():
        plain_in.add(leaf.within)
    return {**entry, "text": text, "cut": not whole or len(raw[: TEXT_BYTES * 2]) < leaf.size}, room - json_size(text)


def _charset(part: Message) -> str | None:
    try:
        found = part.get_param("charset")
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return str(found[2]) if isinstance(found, tuple) else (str(found) if found else None)


def _attachment(leaf: Leaf) -> dict[str, Any]:
    return {"name": file_name(leaf.headers), "type": leaf.headers.get_content_type()[:100], "size": leaf.size}


def file_name(part: Message) -> str:
    """The part's file name, by RFC 2231 or RFC 2047, at most 200 characters; "" when it has none."""
    try:
        found = part.get_filename() or ""
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return storable(decoded(raw_text(found)))[:200]


def json_size(text: str) -> int:
    """Bytes the text takes on the wire."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))


def fit(text: str, room: int) -> tuple[str, bool]:
    """As much of the text's beginning as takes at most `room` bytes on the wire; and whether that is all of it."""
    room = max(room, 2)
    if len(text) * 6 < room:
        return text, True
    whole = text
    text = text[:room]
    size = json_size(text)
    while size > room:
        text = text[: int(len(text) * room / size * 0.97)]
        size = json_size(text)
    return text, len(text) == len(whole)
