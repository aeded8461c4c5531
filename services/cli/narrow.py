"""Pictures for narrow terminals: what stands side by side where there is room, stands one under the other there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding

NARROW = 70
"""Columns below which a table's columns become too thin to be read."""


@dataclass(frozen=True, slots=True)
class ByWidth:
    """One of two pictures of the same."""

    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The one there is room for."""
        yield self.narrow if options.max_width < NARROW else self.wide


def stacked(rows: Iterable[Sequence[RenderableType]]) -> Group:
    """Each row's first part, and the others under it, set in."""
    return Group(
        *(part if not place else Padding(part, (0, 0, 0, 2)) for row in rows for place, part in enumerate(row))
    )
