"""What Jira answered without what the connection does not keep. Pure.

A rich text is kept as a document in Atlassian's format, what was written apart from what was quoted, whichever of the
two formats it came in. With `references` the choices of a field (statuses, versions, labels, options) and the names of
people and projects stay; every text that people write gives way to what it names, here and in what is shown of other
issues beside it.
"""

import re
from typing import Any

from connectors.jira.histories import field_name
from connectors.jira.links import issue_key
from connectors.jira.shapes import obj, rows, word
from connectors.jira.text import ROOM, words
from connectors.keeping import Keep, kept, kept_apart, names
from schemas.canonical import digest

_RICH = frozenset({"description", "environment", "body"})
_TEXTS = frozenset({"summary", "description", "environment", "body", "title", "goal"})
"""Texts inside other values: of linked issues, versions, sprints, remote links."""
_LEFT_OUT = frozenset({"filename", "content", "thumbnail", "renderedBody"})
"""An attachment's name, also in its addresses; and a comment once more, as HTML."""
_NO_CHOICE = frozenset({"summary", "description", "environment", "comment", "attachment"}) | {
    "remoteissuelink",
    "remoteworkitemlink",
}
"""Fields in whose history a text stands beside an id."""
_NO_WORDS = re.compile(r"[\d\s.,:+/\[\]TZ-]*")
"""Times, numbers, lists of ids."""
_FULL_ITEM, _SHORT_ITEM = 2_000, 255


def fields(told: dict[str, Any], keep: Keep, described: dict[str, Any] | None = None) -> dict[str, Any]:
    """An issue's or comment's fields with what is kept of them. described: what is known of custom fields, by id."""
    if keep == "full":
        return told
    left = {name: value for name, value in told.items() if keep == "excerpt" or name not in _LEFT_OUT}
    return {name: _field(name, value, keep, obj(obj(described).get(name))) for name, value in left.items()}


def _field(name: str, value: Any, keep: Keep, described: dict[str, Any]) -> Any:
    if _is_document(value) or (name in _RICH and isinstance(value, str)):
        return _rich(value, keep)
    if isinstance(value, str):
        # Jira's own count of branches and pull requests.
        if "development" in (word(described.get("custom")) or ""):
            return value
        left = _line(value, keep)
        # A field that held words beside what it names is not one that is meant for references.
        return f"… {left}" if name.startswith("customfield_") and left and _fewer_words(left, value, keep) else left
    if name == "properties" and keep == "references":
        # Whatever apps keep with a comment; this one says who may read it.
        return [one for one in rows(value) if one.get("key") == "sd.public.comment"]
    return beside(value, keep)


def beside(value: Any, keep: Keep) -> Any:
    """A value of any shape without the texts that it shows of other things."""
    if keep != "references":
        return value
    if isinstance(value, list):
        return [beside(one, keep) for one in value]
    if _is_document(value):
        return _rich(value, keep)
    if not isinstance(value, dict):
        return value
    return {
        name: _line(one, keep) if name in _TEXTS and isinstance(one, str) else beside(one, keep)
        for name, one in value.items()
        if name not in _LEFT_OUT
    }


def history(entry: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """A history entry with what is kept of its items: an edited description stands there twice in full."""
    items = entry.get("items")
    if not isinstance(items, list):
        return entry
    return entry | {"items": [_item(item, keep) if isinstance(item, dict) else item for item in items[:2000]]}


def _item(item: dict[str, Any], keep: Keep) -> dict[str, Any]:
    if keep == "references" and not _is_choice(item):
        sides = {
            side: item[side] for side in ("from", "fromString", "to", "toString") if isinstance(item.get(side), str)
        }
        return item | {side: _line(text, keep) for side, text in sides.items()}
    room = _FULL_ITEM if keep == "full" else _SHORT_ITEM
    return {
        name: f"{value[:room]}… ({len(value)} characters, sha256 {digest(value)[:16]})"
        if isinstance(value, str) and len(value) > room
        else value
        for name, value in item.items()
    }


def _is_choice(item: dict[str, Any]) -> bool:
    """Whether the item tells of something with an id (a status, a person, a version), or of labels."""
    name = field_name(item)
    ids = [side for side in (word(item.get("from")), word(item.get("to"))) if side]
    one_word = all(_NO_WORDS.fullmatch(side) or not re.search(r"\s", side) for side in ids)
    return name == "labels" or (name not in _NO_CHOICE and bool(ids) and one_word)


def _line(text: str, keep: Keep) -> str:
    if keep == "references":
        return text if _NO_WORDS.fullmatch(text) or issue_key(text) else names(text)
    return kept(text, keep)


def _fewer_words(left: str, value: str, keep: Keep) -> bool:
    return keep == "references" and set(re.split(r"[\s,;]+", left.strip())) != set(re.split(r"[\s,;]+", value.strip()))


def _is_document(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "doc"


def _rich(value: Any, keep: Keep) -> dict[str, Any] | None:
    said = words(value)
    written, quoted = kept_apart(said.written[:ROOM], said.quoted[:ROOM], keep)
    blocks = [_paragraph(written)] if written else []
    if quoted:
        blocks.append({"type": "blockquote", "content": [_paragraph(quoted)]})
    return {"type": "doc", "version": 1, "content": blocks} if blocks else None


def _paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}]}
