"""Making a payload small enough for a source event, and storable: what is cut says so, with size and hash."""

from typing import Any

from connectors.hubspot.reading import mapping_at
from schemas.canonical import canonical_json, digest, storable
from schemas.events import MAX_EVENT_BYTES

_ROOM = MAX_EVENT_BYTES - 10_000
"""Bytes for a payload; the envelope takes less than the rest."""


def fitted(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload itself where it fits; else its longest text, or list of associated records, cut until it does.

    `around.cut` then names each cut property with its full size (characters or entries) and a hash of it.
    """
    payload = _without_surrogates(payload)
    while _size(payload) > _ROOM:
        smaller = _cut_text(payload) or _cut_list(payload)
        if smaller is None:
            return payload
        payload = smaller
    return payload


def _size(payload: dict[str, Any]) -> int:
    return len(canonical_json(payload).encode("utf-8"))


def _without_surrogates(value: Any) -> Any:
    """Half a character pair cannot be written as UTF-8: it becomes U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else storable(value)
    if isinstance(value, list):
        return [_without_surrogates(each) for each in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(each) for name, each in value.items()}
    return value


def _noted(payload: dict[str, Any], name: str, full: Any, size: int) -> dict[str, Any]:
    """`around` with a note of what was cut; the first note stands, since it saw the whole."""
    around = payload["around"]
    note = {"size": size, "sha256": digest(canonical_json(full))}
    return {**around, "cut": {name: note} | around.get("cut", {})}


def _cut_text(payload: dict[str, Any]) -> dict[str, Any] | None:
    record = mapping_at(payload, "object")
    properties = mapping_at(record, "properties")
    texts = {name: text for name, text in properties.items() if isinstance(text, str)}
    name = max(texts, key=lambda each: len(texts[each]), default=None)
    if name is None or len(texts[name]) < 1000:
        return None
    shorter = {**record, "properties": {**properties, name: texts[name][: len(texts[name]) // 2]}}
    return {**payload, "object": shorter, "around": _noted(payload, name, texts[name], len(texts[name]))}


def _cut_list(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Half of the largest list of associated records: of their ids, and of what is told of each."""
    stated = {name: ids for name, ids in mapping_at(payload, "associations").items() if isinstance(ids, list)}
    told = {name: payload[name] for name in stated if isinstance(payload.get(name), list)}
    name = max(stated, key=lambda each: _size({"": [stated[each], told.get(each)]}), default=None)
    if name is None or len(stated[name]) < 2:
        return None
    left = len(stated[name]) // 2
    full = told.get(name, stated[name])
    halves = {name: told[name][:left]} if name in told else {}
    associations = {**payload["associations"], name: stated[name][:left]}
    return {**payload, **halves, "associations": associations, "around": _noted(payload, name, full, len(full))}
