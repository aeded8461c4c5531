"""Short custom fields that hold nothing but references: a deal's number, an issue's key, an address, a Message-ID.

What they mean is not known here; they are candidates that a connection's rules may count.
"""

import re
from typing import Any

from connectors.jira.links import EPIC_LINK, PARENT_LINK
from connectors.jira.shapes import obj, word
from schemas.artifacts import Evidence, Reference

MOST_FIELDS, MOST_VALUES, _ROOM = 20, 5, 300
"""Fields kept of one issue, values of one field, characters of a field's text."""

_EXACT = 2**53
"""Above this a decimal number no longer tells neighbours apart (IEEE 754)."""
_SHAPE = re.compile(
    r"[0-9]{5,20}|[A-Za-z][A-Za-z0-9_]{1,29}-[1-9][0-9]{0,8}|https?://[^\s<>\"]+"
    r"|<[^\s<>@\"]{1,120}@[^\s<>@\"]{1,120}>|(?=[^@]*[0-9])[^\s<>@\"]{20,120}@[^\s<>@\"]{1,120}"
)
"""A number, a key, a web address, a Message-ID; a person's address is none."""
_BETWEEN = re.compile(r"[\s,;]+")


def candidates(fields: dict[str, Any], names: dict[str, Any]) -> tuple[Reference, ...]:
    """What stands in the custom fields, in the order of their ids. names: id to {name, custom}, as `GET field` has
    them; links to epics and parents are references of their own."""
    found: list[Reference] = []
    held = 0
    for field_id in sorted(names.keys() & fields.keys()):
        values = _values(fields[field_id])
        described = obj(names[field_id])
        if not values or described.get("custom") in (EPIC_LINK, PARENT_LINK):
            continue
        held += 1
        if held > MOST_FIELDS:
            break
        name = word(described.get("name")) or field_id
        found += (Reference("field", "", value, Evidence.FIELD, name, field_id) for value in values)
    return tuple(found)


def _values(value: object) -> list[str]:
    """The values that a field holds if it holds nothing else; none of a field with other words or too many."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    text = (word(value) or "").strip() if isinstance(value, str | int) else ""
    if not 4 <= len(text) <= _ROOM:  # AB-1 is the shortest
        return []
    parts = list(dict.fromkeys(part for part in _BETWEEN.split(text) if part))
    return parts if len(parts) <= MOST_VALUES and all(map(_SHAPE.fullmatch, parts)) else []
