"""HubSpot's rich text as plain text, and what of it its writer wrote: mails are logged, pasted, and become tickets."""

import re

from connectors.markup import Markup
from connectors.replies import split

_BLOCKS = {"p", "div", "br", "li", "tr", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre"}
_CELLS = {"td", "th"}
_SILENT = {"script", "style", "head", "title"}
_QUOTE_CLASSES = (
    *("gmail_quote", "gmail_signature", "hs_reply", "yahoo_quoted", "moz-cite-prefix"),
    *("OutlookMessageHeader", "divRplyFwdMsg"),
)
_LINK_PIECES = 20
"""So many pieces of text before a link's end are looked through for its address."""
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]{0,2000}>")


class _Reader(Markup):
    """Collects text, and from the first quoting element on the quoted text apart."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.quoted: list[str] = []
        self._silent = 0
        self._quoting = False
        self._link = ""

    @property
    def _into(self) -> list[str]:
        return self.quoted if self._quoting else self.written

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        classes = " ".join(value or "" for name, value in attrs if name in {"class", "id"})
        if tag == "blockquote" or any(name in classes for name in _QUOTE_CLASSES):
            self._quoting = True
        if tag in _BLOCKS:
            self._into.append("\n")
        if tag in _CELLS:
            self._into.append(" ")
        if tag == "a":
            self._link = next((value or "" for name, value in attrs if name == "href"), "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end_link()
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in _BLOCKS:
            self._into.append("\n")

    def _end_link(self) -> None:
        """A link's address is part of what was said: it may be the only thing that names an issue."""
        shown = "".join(self._into[-_LINK_PIECES:])
        if self._link.lower().startswith(("http://", "https://")) and self._link not in shown and not self._silent:
            self._into.append(f" <{self._link}>")
        self._link = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._into.append(data)


def _tidy(pieces: list[str]) -> str:
    lines = (re.sub(r"[ \t\r\f\v\xa0]+", " ", line).strip() for line in "".join(pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _read(source: str) -> tuple[str, str]:
    if not _MARKUP.search(source):
        return _tidy([source]), ""
    reader = _Reader()
    try:
        reader.read(source)
    except (AssertionError, ValueError):
        # html.parser gives up on some broken declarations; the text with its marks is better than none.
        return _tidy([_MARKUP.sub(" ", source)]), ""
    return _tidy(reader.written), _tidy(reader.quoted)


def plain(source: str) -> str:
    """Rich or plain text as plain text: one line a block, no marks, no scripts."""
    written, quoted = _read(source)
    return f"{written}\n{quoted}".strip()


def written_and_quoted(source: str, sender: str = "") -> tuple[str, str]:
    """What was written, and what is quoted in it (with signatures), of rich or plain text. sender: see `split`."""
    written, quoted = _read(source)
    mail = split(written, sender)
    return mail.written, "\n".join(text for text in (mail.quoted, mail.footer, quoted) if text)
