"""How much of a text a connection keeps, decided before a source event is made. Pure, for every connector.

What names other things (web addresses, issue keys, request ids, Message-IDs) is kept whatever is left out, in the order
of the text, so that the hub finds the same references in what is kept as in the whole. The shapes here are those of
`pipelines.references`, which connectors may not import; a test compares the two on any text.
"""

import re
from typing import Literal, NamedTuple

Keep = Literal["full", "excerpt", "references"]

EXCERPT = 500
"""Characters of an excerpt."""

_LONGEST = 2_100
"""Longer addresses name nothing: 2,000 characters, and the brackets that a sentence may put behind them."""
_WORD = r"[^\W\u0590-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
_BEFORE = rf"(?<!{_WORD})(?<!@)(?:(?<!-)|(?<=[^\W\d_\x00-\u036f]-))"
_ADDRESS = re.compile(r"https?://[^\s<>\"`{}|\\^\x00-\x1f]+", re.IGNORECASE)
_ANGLED = re.compile(r"<([^\s<>@\"]{1,250})@[^\s<>@\"]{1,250}>")
_SAYS_MESSAGE_ID = re.compile(r"(?:message-?\s?id|msg-?id|in-reply-to|references)\W{0,5}$", re.IGNORECASE)
_KEY = re.compile(
    rf"{_BEFORE}(?:[A-Z][A-Z0-9_]{{1,29}}[-\u2010\u2011][1-9][0-9]{{0,8}}(?!{_WORD}|\d|[-.][0-9]|@)"
    rf"|R-[A-Z2-7]{{12}}(?!{_WORD}|[-@]))"
)


class _Name(NamedTuple):
    """Where something is named, and how it is written down so that it names the same without the words around it."""

    start: int
    end: int
    shown: str


def kept(text: str, keep: Keep) -> str:
    """As much of the text as is kept."""
    if keep == "full":
        return text
    return names(text) if keep == "references" else beginning(text)


def kept_apart(written: str, quoted: str, keep: Keep) -> tuple[str, str]:
    """As `kept`, of what a person wrote and what only stands quoted below: the quoted is an excerpt only where nothing
    was written."""
    if keep == "full":
        return written, quoted
    return kept(written, keep), names(quoted) if written else kept(quoted, keep)


def names(text: str) -> str:
    """What in the text names something, in order, each once, one a line; nothing else of it."""
    return "\n".join(dict.fromkeys(name.shown for name in _names(text)))


def beginning(text: str, size: int = EXCERPT) -> str:
    """The first `size` characters, fewer where they would end inside a name, and below them the names of the rest."""
    if len(text) <= size:
        return text
    found = _names(text)
    cut = next((name.start for name in found if name.start < size < name.end), size)
    known = {name[:2] for name in found}
    # The end of a text can make a name of what was none: PAY-12 of PAY-12.5.
    while made := [name.start for name in _names(text[:cut]) if name[:2] not in known]:
        cut = made[-1]
    before = {name.shown for name in found if name.start < cut}
    rest = dict.fromkeys(name.shown for name in found if name.start >= cut and name.shown not in before)
    return "\n".join(piece for piece in (text[:cut].rstrip(), *rest) if piece)


def _names(text: str) -> list[_Name]:
    found = [
        _Name(*match.span(), match.group().rstrip(".,;:!?'\""))
        for match in _ADDRESS.finditer(text)
        if len(match.group().rstrip(".,;:!?'\"")) <= _LONGEST
    ]
    # No key is looked for inside an address of the web, of a mail or of a person.
    plain = _ADDRESS.sub(_blank, text)
    found += [_Name(*match.span(), shown) for match in _ANGLED.finditer(plain) if (shown := _message_id(plain, match))]
    plain = _ANGLED.sub(_blank, plain)
    found += [_Name(*match.span(), match.group()) for match in _KEY.finditer(plain)]
    return sorted(found)


def _message_id(text: str, found: re.Match[str]) -> str:
    """A Message-ID as it stands, with the word that says so where it does not show by itself; "" for a person's
    address."""
    local = found.group(1)
    if len(local) >= 20 and any(character.isdigit() for character in local):
        return found.group()
    says = _SAYS_MESSAGE_ID.search(text, max(0, found.start() - 20), found.start())
    return f"Message-ID: {found.group()}" if says else ""


def _blank(found: re.Match[str]) -> str:
    return " " * len(found.group())
