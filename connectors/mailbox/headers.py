"""Mail headers (RFC 5322, RFC 2047) as they really arrive: read without ever raising.

Headers reach this file as text, unfolded, with RFC 2047 words still encoded: addresses must be told apart before names
are decoded, because a decoded name may hold a comma.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime
from functools import lru_cache

from schemas.canonical import storable

Headers = Sequence[Sequence[str]]
"""(name, value) pairs in the order of the mail."""

_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,20})?\?([bBqQ])\?([^?]*)\?=")
_FOLD = re.compile(r"[\r\n]+[ \t]*")
_ANGLED = re.compile(r"<([^<>]+)>")
_ADDRESS = re.compile(r"[^\s<>\"',;:()\[\]\\]{1,128}@[^\s<>\"',;:()\[\]\\]{1,190}")
_NOT_FOR_TEXT = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
_GROUPS, _COMMENTS = 200, 100
"""Of a header with more colons, or deeper brackets, only the addresses are read, not the names beside them."""
_FIRST_MAIL = datetime(1982, 8, 13, tzinfo=UTC)
"""RFC 822's day: a Date before it comes from a clock that was never set."""


@dataclass(frozen=True, slots=True)
class Address:
    """Whom a header names: address in lower case, name decoded ("" for none)."""

    address: str
    name: str


def decode_bytes(raw: bytes, charset: str | None) -> str:
    """Text by the declared charset where it fits, else UTF-8, else Windows-1252 (U+FFFD for what that lacks)."""
    for name in (charset, "utf-8"):
        codec = _codec(name)
        if codec is None:
            continue
        try:
            return storable(raw.decode(codec))
        except (UnicodeError, ValueError):
            continue
    return storable(raw.decode("cp1252", "replace"))


def _codec(name: str | None) -> str | None:
    try:
        found = codecs.lookup((name or "").strip(" \t\"'").lower())
    except (LookupError, ValueError, UnicodeError):  # unknown, a NUL or a lone surrogate in the name
        return None
    # Codecs that are no charsets (hex, rot13) have no text form; some text codecs take quadratic time.
    return None if found.name in _NOT_FOR_TEXT or not getattr(found, "_is_text_encoding", True) else found.name


def raw_text(value: object) -> str:
    """A header's value as the parser holds it (8-bit bytes as surrogates) as unfolded, storable text."""
    text = str(value)
    if not text.isascii():
        text = decode_bytes(text.encode("utf-8", "surrogateescape"), None)
    return storable(_FOLD.sub(" ", text)).strip()


def values(headers: Headers, name: str) -> list[str]:
    """Every value of a header, in order."""
    name = name.lower()
    return [value for known, value in headers if known.lower() == name]


def first(headers: Headers, name: str) -> str:
    """The first value of a header, still encoded; "" when it is absent."""
    return next(iter(values(headers, name)), "")


def decoded(value: str) -> str:
    """RFC 2047 words decoded. Neighbours of one charset are joined as bytes: senders split inside letters."""
    out: list[str] = []
    pending: list[bytes] = []
    charset = ""
    place = 0

    def flush() -> None:
        if pending:
            out.append(decode_bytes(b"".join(pending), charset))
            pending.clear()

    for word in _WORD.finditer(value):
        between = value[place : word.start()]
        if between.strip() or not pending:
            flush()
            out.append(between)
        if word[1].lower() != charset:
            flush()
            charset = word[1].lower()
        pending.append(_word_bytes(word[2], word[3]))
        place = word.end()
    flush()
    return "".join([*out, value[place:]])


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
    return base64.b64decode(letters[: len(letters) // 4 * 4] + _tail(letters))


def _tail(letters: bytes) -> bytes:
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def addresses(headers: Headers, name: str) -> list[Address]:
    """Whom the header names, in order, each address once."""
    found: dict[str, Address] = {}
    for value in values(headers, name):
        for shown, address in _pairs(value):
            address = address.strip().lower()
            if _ADDRESS.fullmatch(address) and address not in found:
                words = " ".join(decoded(shown).split()).strip("\"' ")
                found[address] = Address(address, "" if words.lower() == address else words)
    return list(found.values())


@lru_cache(maxsize=2_000)  # the same people write again and again
def _pairs(value: str) -> tuple[tuple[str, str], ...]:
    pairs = [pair for pair in getaddresses([value]) if "@" in pair[1]] if _is_flat(value) else []
    # The strict parser gives up on a whole header for one wrong comma; the addresses in it are still there.
    return tuple(pairs or [("", hit) for hit in _ADDRESS.findall(decoded(value))])


def _is_flat(value: str) -> bool:
    """Whether the strict parser can take it: it calls itself for each group and each comment inside another."""
    depth = deepest = 0
    for bracket in re.findall(r"[()]", value):
        depth = depth + 1 if bracket == "(" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return value.count(":") <= _GROUPS and deepest <= _COMMENTS


def message_ids(value: str) -> list[str]:
    """Message-IDs in a header in their normal form (see `REFERENCE_KINDS`), in order, each once.

    Some senders fold inside an id and some leave out the angle brackets.
    """
    found = [re.sub(r"\s+", "", text) for text in _ANGLED.findall(value)]
    if not found:
        found = [word.strip("<>,;\"'") for word in value.split() if "@" in word]
    return list(dict.fromkeys(_normal_id(text) for text in found if text))


def _normal_id(text: str) -> str:
    left, at, right = text.rpartition("@")
    return (left + at + right.lower() if at else text)[:998]


def date(value: str) -> datetime | None:
    """The instant a Date header names; None when it names none (unreadable, without a zone, or before there was mail).

    "-0000" is UTC whose sender does not tell the local zone (RFC 5322 section 3.3).
    """
    try:
        at = parsedate_to_datetime(value)
        if at.tzinfo is None:
            if "-0000" not in value:
                return None
            at = at.replace(tzinfo=UTC)
        at = at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return at if at >= _FIRST_MAIL else None
