"""HTML mail → the text a reader sees, with quotes marked by "> " as in plain mail. Never raises, linear time."""

import re

from connectors.markup import Markup

_BREAKS = {
    "p",
    "div",
    "br",
    "tr",
    "li",
    "table",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "pre",
    "section",
}
_CELLS = {"td", "th"}
_UNSEEN = {"style", "script", "head", "title", "template", "noscript"}
_VOID = {"br", "hr", "img", "meta", "link", "input", "area", "base", "col", "embed", "source", "track", "wbr"}
# Hidden preheaders: text for the list of mails that no reader of the mail sees.
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt)?\s*(?:;|$)",
    re.IGNORECASE,
)
_QUOTES = re.compile(r"gmail_quote|yahoo_quoted|moz-cite|protonmail_quote", re.IGNORECASE)
_LIMIT = 300_000


def visible_text(source: str) -> str:
    """The text, one line per block; links keep their address where the words do not hold it."""
    reader = _Reader()
    reader.read(source[:_LIMIT])
    return reader.text()


class _Reader(Markup):
    def __init__(self) -> None:
        super().__init__()
        self._lines: list[tuple[int, list[str]]] = [(0, [])]
        self._open: list[tuple[str, bool, bool]] = []
        """Open elements: name, hides its text, quotes."""
        self._hidden = 0
        self._quoted = 0
        self._link = ""

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """What begins like a condition of Word and is none goes as browsers take it: as a comment up to the next >."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _BREAKS:
            self._break()
        if tag in _CELLS:
            self._lines[-1][1].append(" ")
        if tag == "a":
            self._link = given.get("href", "")
        if tag in _VOID or len(self._open) > 500:
            return
        hides = tag in _UNSEEN or bool(_HIDDEN.search(given.get("style", "")[:500]))
        quotes = tag == "blockquote" or bool(_QUOTES.search(given.get("class", "")[:200]))
        self._open.append((tag, hides, quotes))
        self._hidden += hides
        self._quoted += quotes
        if quotes:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._end_link()
        if not any(name == tag for name, _, _ in self._open):
            return
        while self._open:
            name, hides, quotes = self._open.pop()
            self._hidden -= hides
            self._quoted -= quotes
            if quotes or name in _BREAKS:
                self._break()
            if name == tag:
                return

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._lines[-1][1].append(data)

    def unknown_decl(self, data: str) -> None:
        """Conditional comments and the like say nothing to a reader."""

    def _end_link(self) -> None:
        shown = "".join(self._lines[-1][1])
        if self._link.lower().startswith(("http://", "https://")) and self._link not in shown and not self._hidden:
            self._lines[-1][1].append(f" <{self._link}>")
        self._link = ""

    def _break(self) -> None:
        if self._lines[-1][1]:
            self._lines.append((self._quoted, []))
        else:
            self._lines[-1] = (self._quoted, [])

    def text(self) -> str:
        """What was read so far."""
        lines = [(depth, " ".join("".join(words).split())) for depth, words in self._lines]
        return "\n".join("> " * min(depth, 5) + line for depth, line in lines if line)
