"""Cutting what is too long. Pure.

An over-long text keeps its beginning; its full size and hash stand beside it, so that a person sees what is missing and
a reader can tell whether it changed.
"""

from typing import Any

from connectors.jira.text import words
from schemas.canonical import canonical_json, digest, storable

PAYLOAD_BYTES = 440_000
"""A payload's room on the wire; the envelope around it takes a few hundred bytes."""
LEVELS = 140
"""Lists and objects inside one another; readers of JSON end at 200, and no word is looked for below 125."""
_ROOMS = (100_000, 30_000, 8_000, 2_000, 500, 100)


def clean(value: Any, levels: int = LEVELS) -> Any:
    """The same JSON as it can be stored and sent: no NUL, no half surrogate (also in names), null for lists and objects
    below so many levels."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [clean(item, levels - 1) for item in value] if levels else None
    if isinstance(value, dict):
        return {storable(name): clean(item, levels - 1) for name, item in value.items()} if levels else None
    return value


def fitted(fields: dict[str, Any], room: int = PAYLOAD_BYTES) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The fields cut so that they fit, and what was cut: field, full size in bytes, SHA-256 of the full value."""
    size = {name: _bytes(value) for name, value in fields.items()}
    cuts: dict[str, dict[str, Any]] = {}
    result = dict(fields)
    for limit in _ROOMS:
        if sum(size.values()) <= room:
            break
        for name, value in fields.items():
            if size[name] > limit:
                result[name] = _shortened(value, limit)
                size[name] = _bytes(result[name])
                cuts[name] = {"field": name, "bytes": _bytes(value), "sha256": digest(canonical_json(value))}
    return result, list(cuts.values())


def _shortened(value: Any, room: int) -> Any:
    """The beginning of a value: of a text, of a document, of a list; nothing of what cannot be cut."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")[: room - 10].decode("utf-8", "ignore") + "…"
    if isinstance(value, dict) and value.get("type") == "doc":
        return _first_words(words(value).written, room)
    if isinstance(value, list):
        return _first_items(value, room)
    return None


def _first_words(text: str, room: int) -> str:
    # A cut document would be none; its words are what the hub reads of it.
    return text.encode()[: room - 10].decode("utf-8", "ignore") + "…"


def _first_items(items: list[Any], room: int) -> list[Any]:
    first: list[Any] = []
    for item in items:
        room -= _bytes(item) + 1
        if room < 0:
            break
        first.append(item)
    return first


def _bytes(value: Any) -> int:
    return len(canonical_json(value).encode("utf-8", "surrogatepass"))


def chunks(histories: list[dict[str, Any]], most: int = 100, room: int = PAYLOAD_BYTES) -> list[list[dict[str, Any]]]:
    """History entries, oldest first, in chunks that fit an event. A full chunk never changes again."""
    result: list[list[dict[str, Any]]] = []
    used = room + 1
    for history in histories:
        size = _bytes(history) + 1
        if used + size > room or len(result[-1]) >= most:
            result.append([])
            used = 0
        result[-1].append(history)
        used += size
    return result
