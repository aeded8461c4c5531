"""One way to write a value down: the text that hashes, ids and byte-equal records are made of."""

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import orjson

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648, section 6
_PAIRS = [one + other for one in _LETTERS for other in _LETTERS]

Json = Any
"""A value that JSON can state: None, bool, int, float, str, and lists and dicts of them."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and plain UTF-8, so that equal values are equal text.

    NaN and infinities, which JSON cannot state, become null. Raises TypeError for what is no JSON value.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        # Integers beyond 64 bits and lone surrogates: rare, and the standard library can.
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(*texts: str) -> str:
    """SHA-256 in hex over texts, each preceded by its length so that no two lists of texts run together."""
    raws = [text.encode("utf-8", "surrogatepass") for text in texts]
    return hashlib.sha256(b"".join(b"%d:%b" % (len(raw), raw) for raw in raws)).hexdigest()


def short_id(text: str) -> str:
    """Twelve base-32 characters (60 bits) of a text's SHA-256: enough for ten million, short enough to read out."""
    raw = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(raw[:8]) >> 4
    return "".join([_PAIRS[number >> place & 1023] for place in (50, 40, 30, 20, 10, 0)])


def storable(text: str) -> str:
    """The text without what databases refuse: each NUL and each lone surrogate becomes U+FFFD."""
    # Nearly all texts are plain: this look costs a sixth of the pattern's.
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC of an aware instant. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone names no instant")
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def instant(at: datetime) -> str:
    """An aware instant as fixed-width UTC text with microseconds, which sorts as the instants do."""
    if at.tzinfo is UTC:  # nearly always, and three times as quick
        return at.isoformat(timespec="microseconds")[:-6] + "Z"
    # Not strftime: its %Y has no fixed width before the year 1000.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: str) -> datetime:
    """The instant an ISO 8601 text with a zone names. Raises ValueError without a zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone names no instant")
    return at.astimezone(UTC)
