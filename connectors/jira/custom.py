"""Custom fields that hold nothing but references: candidates that a connection's rules may count."""

from typing import Any

from connectors.dedicated import MOST_FIELDS, values
from connectors.jira.links import EPIC_LINK, PARENT_LINK
from connectors.jira.shapes import obj, word
from schemas.artifacts import Evidence, Reference


def candidates(fields: dict[str, Any], names: dict[str, Any]) -> tuple[Reference, ...]:
    """What stands in the custom fields, in the order of their ids. names: id to {name, custom}, as `GET field` has
    them; links to epics and parents are references of their own."""
    found: list[Reference] = []
    held = 0
    for field_id in sorted(names.keys() & fields.keys()):
        told = values(fields[field_id])
        described = obj(names[field_id])
        if not told or described.get("custom") in (EPIC_LINK, PARENT_LINK):
            continue
        held += 1
        if held > MOST_FIELDS:
            break
        name = word(described.get("name")) or field_id
        found += (Reference("field", "", value, Evidence.FIELD, name, field_id) for value in told)
    return tuple(found)
