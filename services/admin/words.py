"""Numbers and lists in words."""

from collections.abc import Sequence


def counted(number: int, word: str) -> str:
    """`1 issue`, `2 issues`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def listed(words: Sequence[str], most: int = 3) -> str:
    """`PAY-1, PAY-2 and 4 more`."""
    if len(words) <= most:
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} more"
