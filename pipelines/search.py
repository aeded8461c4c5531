"""Words as they are searched: the same on both databases, because no database takes part in making them. Pure."""

import re
import unicodedata

SHORTEST = 2
LONGEST = 64
MOST = 1000
LONGEST_NAME = 200
"""PostgreSQL has no room for much longer keys in an index, and whoever writes a mail chooses what they are called."""
_ASCII = re.compile("[a-z0-9]+")
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+)"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese, which are written without spaces."""
_CHOOSING = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Variation selectors."""


def terms(text: str, most: int = MOST) -> list[str]:
    """The words of a text in their order, each once: without case, accents and punctuation.

    A word has at least 2 characters, or is a digit (as in `PAY-7`). Of scripts without spaces it is each two characters
    that stand side by side, so that any part of a text is found. Words longer than 64 characters are cut there; at most
    `most` words are given. terms of joined terms are the same.
    """
    found: dict[str, None] = {}
    for word in _words(text):
        if len(word) >= SHORTEST or word.isdecimal() or _UNSPACED.match(word):
            found.setdefault(word[:LONGEST])
            if len(found) == most:
                break
    return list(found)


def _words(text: str) -> list[str]:
    if text.isascii():  # nothing to take apart, and many times as quick
        return _ASCII.findall(text.lower())
    spaced = "".join(letter if letter.isalnum() or _vowel(letter) else " " for letter in _plain(text)).split()
    return [term for word in spaced for part in _UNSPACED.split(word) if part for term in _pairs(part)]


def _vowel(letter: str) -> bool:
    """Vowels of many scripts are marks: they belong to the word. What only chooses how an emoji looks does not."""
    return unicodedata.category(letter) in {"Mn", "Mc"} and not _CHOOSING.match(letter)


def _pairs(part: str) -> list[str]:
    if len(part) == 1 or not _UNSPACED.match(part):
        return [part]
    return [part[place : place + 2] for place in range(len(part) - 1)]


def name_term(name: str) -> str:
    """A person's name as one term: its words without case and accents, in their order (`Zoë Berg` is `zoe berg`), cut
    at 200 characters."""
    return " ".join(terms(name))[:LONGEST_NAME].rstrip()


def _plain(text: str) -> str:
    # Twice, because taking a letter apart can show one that folds, and folding one that comes apart.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
