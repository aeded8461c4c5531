"""Short fields that hold nothing but references: a deal's number, an issue's key, an address, a Message-ID. Pure.

What they mean is not known here; they are candidates that a connection's rules may count.
"""

import re

MOST_FIELDS = 20
"""Fields kept of one thing."""
_MOST_VALUES, _ROOM = 5, 300
"""Values of one field, characters of its text."""

_EXACT = 2**53
"""Above this a decimal number no longer tells neighbours apart (IEEE 754)."""
_SHAPE = re.compile(
    r"[0-9]{5,20}|[A-Za-z][A-Za-z0-9_]{1,29}-[1-9][0-9]{0,8}|https?://[^\s<>\"]+"
    r"|<[^\s<>@\"]{1,120}@[^\s<>@\"]{1,120}>|(?=[^@]*[0-9])[^\s<>@\"]{20,120}@[^\s<>@\"]{1,120}"
)
"""A number, a key, a web address, a Message-ID; a person's address is none."""
_BETWEEN = re.compile(r"[\s,;]+")


def values(value: object) -> list[str]:
    """The values that a field holds if it holds nothing else; none of a field with other words or too many."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not 4 <= len(text) <= _ROOM:  # AB-1 is the shortest
        return []
    parts = list(dict.fromkeys(part for part in _BETWEEN.split(text) if part))
    return parts if len(parts) <= _MOST_VALUES and all(map(_SHAPE.fullmatch, parts)) else []
