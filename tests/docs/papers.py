"""The Markdown files of the repository, and what is in them."""

import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
README = TOP / "README.md"

_FENCE = re.compile(r"^ {0,3}```(\S*)[^\n]*\n(.*?)^ {0,3}```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def papers() -> list[Path]:
    """Every Markdown file that belongs to the repository."""
    return sorted([*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")])


def name(path: Path) -> str:
    return str(path.relative_to(TOP))


def text(path: Path) -> str:
    return path.read_text("utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of one language."""
    return [found[2] for found in _FENCE.finditer(text(path)) if found[1] == language]


def prose(path: Path) -> str:
    """The page without its code blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text(path)))


def links(path: Path) -> Iterator[str]:
    """Where the page's links lead, those in code left out."""
    yield from _LINK.findall(prose(path))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in
             _HEADING.findall(_FENCE.sub("", text(path))))  # fmt: skip
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def commands(block: str) -> Iterator[list[str]]:
    """The words of each command line in a shell block, without comments and leading variables."""
    for line in block.splitlines():
        words = line.partition(" #")[0].split()
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and not words[0].startswith("#"):
            yield words
