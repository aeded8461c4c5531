"""Words as they are searched: the same on both databases, because no database takes part in making them. Pure."""

import re
import unicodedata

SHORTEST = 2
LONGEST = 64
MOST = 1000
_ASCII = re.compile("[a-z0-9]+")


def terms(text: str, most: int = MOST) -> list[str]:
    """The words of a text in their order, each once: without case, accents and punctuation.

    A word has at least 2 characters, or is a digit (as in `PAY-7`). Words longer than 64 characters are cut there; at
    most `most` words are given. terms of joined terms are the same.
    """
    found: dict[str, None] = {}
    for word in _words(text):
        if len(word) >= SHORTEST or word.isdecimal():
            found.setdefault(word[:LONGEST])
            if len(found) == most:
                break
    return list(found)


def _words(text: str) -> list[str]:
    if text.isascii():  # nothing to take apart, and many times as quick
        return _ASCII.findall(text.lower())
    return "".join(letter if letter.isalnum() else " " for letter in _plain(text)).split()


def name_term(name: str) -> str:
    """A person's name as one term: its words without case and accents, in their order (`Zoë Berg` is `zoe berg`)."""
    return " ".join(terms(name))


def _plain(text: str) -> str:
    # Twice, because taking a letter apart can show one that folds, and folding one that comes apart.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
