"""HubSpot's rich text as plain text, and what of a logged e-mail its sender wrote."""

import re

from connectors.markup import Markup

_BLOCKS = {"p", "div", "br", "li", "tr", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre"}
_SILENT = {"script", "style", "head", "title"}
_QUOTE_CLASSES = ("gmail_quote", "hs_reply", "yahoo_quoted", "moz-cite-prefix", "OutlookMessageHeader")
_QUOTE_STARTS = re.compile(
    r"^\s*(?:>|-{2,}\s*(?:Original Message|Urspr\w+ngliche Nachricht|Forwarded message|Weitergeleitete Nachricht)"
    r"|On\s.{4,160}\swrote:\s*$|Am\s.{4,160}\sschrieb\b.{0,120}:\s*$|_{10,}\s*$|(?:From|Von):\s.{1,200}$)",
    re.IGNORECASE,
)
_SIGNATURE = re.compile(r"^-- ?$")
_MARKUP = re.compile(r"<[a-zA-Z/!][^<>]{0,2000}>")


class _Reader(Markup):
    """Collects text, and from the first quoting element on the quoted text apart."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.quoted: list[str] = []
        self._silent = 0
        self._quoting = False

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

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in _BLOCKS:
            self._into.append("\n")

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


def written_and_quoted(source: str) -> tuple[str, str]:
    """What the sender wrote, and what is quoted below it (with signatures), of a mail's HTML or plain text."""
    written, quoted = _read(source)
    lines = written.split("\n")
    for number, line in enumerate(lines):
        if _QUOTE_STARTS.match(line) or _SIGNATURE.match(line):
            rest = "\n".join(lines[number:])
            return "\n".join(lines[:number]).strip(), f"{rest}\n{quoted}".strip()
    return written, quoted
