"""Sets of a tool's ids, held small: a census compares all that is known with all that is listed."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import groupby

_DIGITS = 17
"""A number of so many digits fits into 8 bytes."""


class Ids:
    """Of some things: 8 bytes for each that is a plain number, as Jira's and HubSpot's are; others as texts.

    Going through them gives the numbers as they count up, after the others. Quick where much is added, then much is
    asked.
    """

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._numbers, self._others = array("q"), set[str]()
        self._ordered = True
        self.update(ids)

    def update(self, ids: Iterable[str]) -> None:
        """Add these."""
        for one in ids:
            if _is_number(one):
                self._numbers.append(int(one))
                self._ordered = False
            else:
                self._others.add(one)

    def __contains__(self, one: str) -> bool:
        if not _is_number(one):
            return one in self._others
        numbers, number = self._in_order(), int(one)
        place = bisect_left(numbers, number)
        return place < len(numbers) and numbers[place] == number

    def __iter__(self) -> Iterator[str]:
        yield from sorted(self._others)
        yield from map(str, self._in_order())

    def __len__(self) -> int:
        return len(self._in_order()) + len(self._others)

    def _in_order(self) -> "array[int]":
        if not self._ordered:
            self._numbers = array("q", (number for number, _ in groupby(sorted(self._numbers))))
            self._ordered = True
        return self._numbers


def _is_number(one: str) -> bool:
    """Whether the number tells the text again."""
    return one.isascii() and one.isdecimal() and len(one) <= _DIGITS and (one[0] != "0" or one == "0")
