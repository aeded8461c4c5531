"""What of the content is kept, and cutting what is too long. Pure.

An over-long text keeps its beginning; its full size and hash stand beside it, so that a person sees what is missing and
a reader can tell whether it changed.
"""

from typing import Any, Literal

from connectors.jira.text import only_names, words
from schemas.canonical import canonical_json, digest, storable

Keep = Literal["full", "excerpt", "references"]
PAYLOAD_BYTES = 440_000
"""A payload's room on the wire; the envelope around it takes a few hundred bytes."""
_ROOMS = (100_000, 30_000, 8_000, 2_000, 500, 100)
_EXCERPT = 500
_SHORT = 255
"""A one-line field of Jira holds at most this many characters: longer ones are texts."""


def clean(value: Any) -> Any:
    """The same JSON with texts that can be stored and sent: no NUL, no half surrogate (also in names)."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): clean(item) for name, item in value.items()}
    return value


def kept(fields: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """An issue's or comment's fields with their long texts as far as the connection keeps them."""
    if keep == "full":
        return fields
    return {name: _kept(name, value, keep) for name, value in fields.items()}


def _kept(name: str, value: Any, keep: Keep) -> Any:
    document = isinstance(value, dict) and value.get("type") == "doc"
    if name == "summary" or not (document or isinstance(value, str)):
        return value
    if not document and len(value) <= _SHORT and name not in ("description", "environment", "body"):
        return value
    said = words(value)
    names = only_names(f"{said.written}\n{said.quoted}")
    if keep == "references":
        return names
    rest = only_names(said.written[_EXCERPT:])
    return said.written[:_EXCERPT] + (f"\n{rest}" if rest else "")


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


def history_items(history: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """A history entry whose long from- and to-texts are cut: an edited description stands there twice in full."""
    items = history.get("items")
    if not isinstance(items, list):
        return history
    return history | {"items": [_item(item, keep) if isinstance(item, dict) else item for item in items[:2000]]}


def _item(item: dict[str, Any], keep: Keep) -> dict[str, Any]:
    room = 2000 if keep == "full" else _SHORT
    return {
        name: f"{value[:room]}… ({len(value)} characters, sha256 {digest(value)[:16]})"
        if isinstance(value, str) and len(value) > room
        else value
        for name, value in item.items()
    }
