"""Jira's two rich texts as plain text: Atlassian Document Format (REST v3) and wiki markup (REST v2, webhooks).

What a person wrote and what they only quoted are kept apart, because a mention in a quotation is no evidence.
Formats: developer.atlassian.com/cloud/jira/platform/apis/document/structure and Jira's "Text Formatting Notation Help".
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from connectors.jira.shapes import obj, rows, word
from connectors.replies import may_hold_another, split

ROOM = 20_000
"""Characters of a text that are looked at."""
_DEEPEST = 60
"""Nodes below this depth are left out; Jira's editor nests about ten."""
_BLOCKS = frozenset(
    {
        "paragraph",
        "heading",
        "listItem",
        "blockquote",
        "codeBlock",
        "panel",
        "tableRow",
        "mediaSingle",
        "rule",
        "taskItem",
    }
    | {"decisionItem", "expand", "nestedExpand"}
)
_QUOTING = frozenset({"blockquote", "codeBlock"})


@dataclass(frozen=True, slots=True)
class Words:
    """Plain text, what was written apart from what was quoted."""

    written: str = ""
    quoted: str = ""


def words(value: object) -> Words:
    """The plain text of a rich text field in either format; empty for anything else."""
    if isinstance(value, dict):
        return _without_mails(_from_document(value))
    if isinstance(value, str):
        return _without_mails(_from_wiki(value))
    return Words()


def _without_mails(said: Words) -> Words:
    """What an answer by mail quotes, its signature, and a mail that was pasted, are quoted too."""
    if not may_hold_another(said.written):
        return said
    mail = split(said.written)
    return Words(mail.written, "\n".join(text for text in (mail.quoted, mail.footer, said.quoted) if text))


def _from_document(document: dict[str, Any]) -> Words:
    written: list[str] = []
    quoted: list[str] = []
    for text, is_quoted in _walk(document, False, 0):
        (quoted if is_quoted else written).append(text)
    return Words(_tidy("".join(written)), _tidy("".join(quoted)))


def _walk(node: dict[str, Any], quoting: bool, depth: int) -> Iterator[tuple[str, bool]]:
    kind = node.get("type")
    quoting = quoting or kind in _QUOTING if isinstance(kind, str) else quoting
    leaf = _leaf(node, kind)
    if leaf:
        yield leaf, quoting
    if depth < _DEEPEST:
        for child in rows(node.get("content")):
            yield from _walk(child, quoting, depth + 1)
    if isinstance(kind, str) and kind in _BLOCKS:
        yield "\n", quoting


def _leaf(node: dict[str, Any], kind: object) -> str:
    attrs = obj(node.get("attrs"))
    if kind == "text":
        return _linked(word(node.get("text")) or "", node)
    if kind == "hardBreak":
        return "\n"
    if kind in ("inlineCard", "blockCard", "embedCard"):
        return (word(attrs.get("url")) or "") + " "
    if kind in ("mention", "emoji", "status", "placeholder"):
        return word(attrs.get("text")) or word(attrs.get("shortName")) or ""
    return "\t" if kind in ("tableCell", "tableHeader") else ""


def _linked(text: str, node: dict[str, Any]) -> str:
    """A link's address is part of what was said: it may be the only thing that names another issue."""
    for mark in rows(node.get("marks")):
        address = word(obj(mark.get("attrs")).get("href"))
        if mark.get("type") == "link" and address and address not in text:
            return f"{text} {address}"
    return text


_QUOTED_WIKI = re.compile(r"\{(quote|code|noformat)(?::[^}\n]{0,200})?\}|^bq\. (.*)$", re.MULTILINE)
"""Where a quotation begins that its mark ends again, or one paragraph that is one."""
_WIKI: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\[~(?:accountid:)?([^\]\n]{1,128})\]"), r"@\1"),
    (re.compile(r"\[([^\]|\n]{1,1000})\|(\S{1,2000}?)(?:\|[a-z-]{1,20})?\]"), lambda m: _named_link(m[1], m[2])),
    (re.compile(r"\[((?:https?|mailto|ftp):[^\]\s]{1,2000})\]"), r"\1"),
    (re.compile(r"!([^!\s|]{1,300})(?:\|[^!\n]{0,200})?!"), ""),
    (re.compile(r"\{(?:color|panel|quote|code|noformat|anchor)(?::[^}\n]{0,200})?\}"), ""),
    (re.compile(r"^\s{0,20}(?:h[1-6]\. |[*#-]{1,6} |\|\|?)", re.MULTILINE), ""),
    (re.compile(r"\|\|?"), "\t"),
    (re.compile(r"(?<![\w*_])([*_+^~])(?=\S)([^*\n]{1,500}?)(?<=\S)\1(?![\w*_])"), r"\2"),
)


def _named_link(name: str, address: str) -> str:
    return name if name == address else f"{name} {address}"


def _from_wiki(text: str) -> Words:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    written, quoted, place = [], [], 0
    for start, end, inner in _quotations(text):
        written.append(text[place:start])
        quoted.append(inner)
        place = end
    return Words(_plain("\n".join([*written, text[place:]])), _plain("\n".join(quoted)))


def _quotations(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and inside of each. Where a mark has no second one, the rest is looked through once, not at each."""
    place, endless = 0, set[str]()
    while begun := _QUOTED_WIKI.search(text, place):
        kind, place = begun[1], begun.end()
        if kind is None:
            yield begun.start(), place, begun[2]
            continue
        end = -1 if kind in endless else text.find(f"{{{kind}}}", place)
        if end < 0:
            endless.add(kind)
            continue
        yield begun.start(), end + len(kind) + 2, text[place:end]
        place = end + len(kind) + 2


def _plain(text: str) -> str:
    for pattern, instead in _WIKI:
        text = pattern.sub(instead, text)
    return _tidy(text)


def _tidy(text: str) -> str:
    text = re.sub(r"[^\S\n]+", " ", text.replace("\u00a0", " "))
    return re.sub(r"\s*\n\s*", "\n", text).strip()
