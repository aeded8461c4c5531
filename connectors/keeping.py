"""How much of a text a connection keeps, decided before a source event is made. Pure, for every connector.

What names other things (web addresses, issue keys, request ids, Message-IDs) is kept whatever is left out, in the order
of the text, so that the hub finds the same references in what is kept as in the whole. The shapes here are those of
`pipelines.references`, which connectors may not import; a test compares the two on any text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

Keep = Literal["full", "excerpt", "references"]

EXCERPT = 500
"""Characters of an excerpt."""

_LONGEST = 4_100
"""Longer addresses name nothing: 4,000 characters, and the brackets that a sentence may put behind them."""
_WORD = r"[^\W\u0590-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]"
_BEFORE = rf"(?<!{_WORD})(?<!@)(?:(?<!-)|(?<=[^\W\d_\x00-\u036f]-))"
_ADDRESS = re.compile(r"https?://[^\s<>\"`{}|\\^\x00-\x1f]+", re.IGNORECASE)
_ANGLED = re.compile(r"<([^\s<>@\"]{1,250})@[^\s<>@\"]{1,250}>")
_SAYS_MESSAGE_ID = re.compile(r"(?:message-?\s?id|msg-?id|in-reply-to|references)\W{0,5}$", re.IGNORECASE)
_KEY = re.compile(
    rf"{_BEFORE}(?:[A-Z][A-Z0-9_]{{1,29}}[-\u2010\u2011][1-9][0-9]{{0,8}}(?!{_WORD}|\d|[-.][0-9]|@)"
    rf"|R-[A-Z2-7]{{12}}(?!{_WORD}|[-@]))"
)


_LINE = re.compile(
    r"^[ \t]*(?:[-*+•‣◦▪·–—]+|\(?[0-9]{1,3}[.)])?[ \t]*(?:\[[ xX✓✔-]\]|[^\w\s<>\"'„“»«(\[{,]{1,4})?[ \t]*[\[(*_]{0,4}",
    re.MULTILINE,
)
_SEVERAL = 3
"""So many names that each begin a line are a list, in which the hub takes each of them alone."""


class _Name(NamedTuple):
    """Where something is named, and how it is written down so that it names the same without the words around it."""

    start: int
    end: int
    shown: str
    begins: bool = False
    """Whether it begins a line of the text."""


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
    """What in the text names something, in order, each once, one a line; nothing else of it.

    What begins no line of the text stands behind a comma, where it would make a list of what is none.
    """
    return "\n".join(_lines(_names(text)))


def _lines(found: Sequence[_Name], above: Sequence[_Name] = ()) -> Iterator[str]:
    """One line for each thing that is named, but for those that stand above in the same way."""
    every = [*above, *found]
    known, listed = ({name.shown for name in above if name.begins in begins} for begins in ((False, True), (True,)))
    begins = {name.shown for name in every if name.begins}
    may_be_list = len({name.shown for name in every}) >= _SEVERAL
    for shown in dict.fromkeys(name.shown for name in found):
        if shown not in known or (shown in begins and shown not in listed):
            yield f", {shown}" if may_be_list and shown not in begins else shown


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
    above, below = [one for one in found if one.start < cut], [one for one in found if one.start >= cut]
    return "\n".join(piece for piece in (text[:cut].rstrip(), *_lines(below, above)) if piece)


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
    lines = {line.end() for line in _LINE.finditer(text)}
    return sorted(name._replace(begins=name.start in lines) for name in found)


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
