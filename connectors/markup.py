"""HTML that anybody may have sent, read in linear time by Python's parser."""

from html.parser import HTMLParser


class Markup(HTMLParser):
    """The parser, kept from looking through all that follows at every beginning of what never ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._endless = False

    def read(self, source: str) -> None:
        """Read the whole. Behind the last > no tag ends, and what looks like one is text."""
        last = source.rfind(">") + 1
        self.feed(source[:last] + source[last:].replace("<", "&lt;"))
        self.close()

    def parse_comment(self, i: int, report: bool = True) -> int:
        """Where one comment does not end, no later one does: the rest is looked through once."""
        end = -1 if self._endless else super().parse_comment(i, report)
        self._endless = end < 0
        return end
