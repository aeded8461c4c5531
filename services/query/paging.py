"""Keyset cursors: the last row's sort key, so that a page costs the same wherever it is and nothing shifts."""

import base64
import binascii
from collections.abc import Sequence

import orjson
from pydantic import BaseModel

from schemas.canonical import canonical_json, digest
from services.query.refused import Refused

Place = tuple[str, str]
"""Where a page ended: the sort key and the id of its last row."""


def asked(name: str, filters: BaseModel, *more: str) -> str:
    """The kind of a list: its name, and by what its things were chosen and ordered."""
    told = filters.model_dump(mode="json", exclude={"cursor", "limit", "whole", "export"})
    return f"{name} {digest(canonical_json(told), *more)[:12]}"


def cursor(kind: str, place: Place) -> str:
    """An opaque text for this place; kind says which list it belongs to, and how that was asked for."""
    return base64.urlsafe_b64encode(orjson.dumps([kind, *place])).decode().rstrip("=")


def place(kind: str, text: str | None) -> Place | None:
    """The place that cursor() wrote. Refuses what it did not write, or wrote for what was asked for otherwise."""
    if text is None:
        return None
    try:
        told = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise foreign() from None
    return _checked(kind, told)


def _checked(kind: str, told: object) -> Place:
    if isinstance(told, Sequence) and len(told) == 3 and all(isinstance(part, str) for part in told):
        written_for, key, last = told
        if written_for == kind and "\0" not in key + last:
            return key, last
    raise foreign()


def foreign() -> Refused:
    """A cursor of another list, or of this one with other filters or in another order."""
    return Refused(
        400, "cursor", "The cursor does not belong to this list with these filters in this order.",
        "Give `next` of the page before, and ask for the rest as you did then.",
    )  # fmt: skip
