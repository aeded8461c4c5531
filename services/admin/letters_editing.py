"""A dead letter as a person edited it: a source event of its own that replaces the one it was made from."""

from typing import Any

import orjson

from schemas.events import MAX_EVENT_BYTES, SourceEvent, Undecodable, content_version, from_kafka
from services.admin.letters_told import parsed
from services.admin.masking import Unknown, restored
from services.query.problems import wrong

KEPT = ("connection", "connector", "kind", "native_id", "artifact", "form")
"""What an edit cannot change: it would say something of another thing."""
_FIELD = "body.content"


def edited(raw: bytes, letter: str, content: Any) -> bytes:
    """What a replay publishes in place of `raw`. content: as a person was shown it (masked) and changed it.

    Secrets that stand where they stood come back; the event is marked as a person's edit, and so beats the telling it
    replaces. Raises Refused that names what is wrong.
    """
    original = parsed(raw)
    try:
        whole = restored(_object(content), original)
    except Unknown as error:
        raise wrong(
            f"body.{error}", "has a mask where the original has no secret", "leave masks (•••) where they stand"
        ) from None
    event = _event(whole)
    try:
        before = from_kafka(raw, ())
    except Undecodable:
        before = None
    return _checked(_marked(event, before, letter))


def _object(content: Any) -> Any:
    if not isinstance(content, str):
        return content
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        raise wrong(_FIELD, "is no JSON", "give a source event: one JSON object") from None


def _event(whole: Any) -> SourceEvent:
    try:
        return from_kafka(orjson.dumps(whole), ())
    except Undecodable as error:
        place = str(error).partition(":")[0]
        field = f"{_FIELD}.{place}" if place != "the record" else _FIELD
        raise wrong(field, "does not have the form of a source event", "see docs/api.md for its fields") from None
    except orjson.JSONEncodeError:
        raise wrong(_FIELD, "holds what JSON cannot", "give texts, numbers, lists and objects") from None


def _marked(event: SourceEvent, before: SourceEvent | None, letter: str) -> SourceEvent:
    if before is not None:
        for name in KEPT:
            if getattr(event, name) != getattr(before, name):
                raise wrong(f"{_FIELD}.{name}", "says something of another thing", "leave it as it was")
    version = f"edited/{content_version([event.version, event.payload])}"
    return event.model_copy(update={"replaces": before.id if before else letter, "version": version})


def _checked(event: SourceEvent) -> bytes:
    text = event.model_dump_json().encode()
    if len(text) > MAX_EVENT_BYTES:
        raise wrong(_FIELD, "is too large", f"give at most {MAX_EVENT_BYTES} bytes")
    return text
