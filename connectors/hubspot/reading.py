"""Reading HubSpot's JSON without trusting it: each function gives a value of one type, or says that there is none."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.contract import BadRecord

TYPE_IDS = {"deal": "0-3", "ticket": "0-5", "note": "0-46", "email": "0-49", "contact": "0-1", "company": "0-2"}
"""HubSpot's object type ids, as its addresses and webhooks name them (developers.hubspot.com, "Object type IDs")."""

PLURALS = {
    "deal": "deals",
    "ticket": "tickets",
    "note": "notes",
    "email": "emails",
    "contact": "contacts",
    "company": "companies",
}
"""Our kind of artifact to the name in HubSpot's paths."""

STAGE_PROPERTY = {"deal": "dealstage", "ticket": "hs_pipeline_stage"}
PIPELINE_PROPERTY = {"deal": "pipeline", "ticket": "hs_pipeline"}

_DIGITS = re.compile(r"-?[0-9]{1,16}\Z")
_ID = re.compile(r"[0-9]{1,20}\Z")


def mapping_at(value: Any, name: str) -> dict[str, Any]:
    """The object under a name, or an empty one where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def required(value: Any, name: str) -> dict[str, Any]:
    """The object under a name. Raises BadRecord where there is none."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise BadRecord(f"{name}: HubSpot's record should hold an object here")
    return found


def dicts_at(value: Any, name: str) -> list[dict[str, Any]]:
    """The objects in the list under a name; whatever else the list holds is passed over."""
    found = value.get(name) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text_at(value: Any, name: str) -> str | None:
    """A text that is not blank, or a number as text; None otherwise (HubSpot clears with null or an empty text)."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int) and abs(found) < 10**20:
        return str(found)
    return found.strip() or None if isinstance(found, str) else None


def id_at(value: Any, name: str) -> str | None:
    """A record id: digits, told as text or as a number."""
    found = text_at(value, name)
    return found if found and _ID.match(found) else None


def required_id(value: Any, name: str = "id") -> str:
    """A record id. Raises BadRecord where there is none."""
    found = id_at(value, name)
    if found is None:
        raise BadRecord(f"{name}: a HubSpot record id is a number")
    return found


def moment(text: str | None) -> datetime | None:
    """The instant a HubSpot time names: ISO 8601 with a zone, or epoch milliseconds; None if it names none."""
    if text is None:
        return None
    try:
        if _DIGITS.match(text):
            at = datetime.fromtimestamp(int(text) / 1000, UTC)
        else:
            at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo and at.year >= 1900 else None
    except (ValueError, OverflowError, OSError):
        return None


def moment_at(value: Any, name: str) -> datetime | None:
    """The instant under a name."""
    return moment(text_at(value, name))


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds of an aware instant: HubSpot's precision, and what its search filters take."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def decimal_text(text: str | None) -> str | None:
    """A decimal number as text, as HubSpot wrote it; None for anything else."""
    if text is None:
        return None
    try:
        return text if Decimal(text).is_finite() else None
    except InvalidOperation:
        return None


def merged_ids(properties: dict[str, Any]) -> tuple[str, ...]:
    """Ids of the records that were merged into this one (`hs_merged_object_ids`, separated by semicolons)."""
    listed = text_at(properties, "hs_merged_object_ids") or ""
    return tuple(dict.fromkeys(part for part in re.split(r"[;,\s]+", listed) if _ID.match(part)))
