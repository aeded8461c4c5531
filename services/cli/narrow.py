"""Pictures for narrow terminals: what stands side by side where there is room, stands one under the other there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

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


def by_width(table: Table) -> ByWidth:
    """The table; where there is no room for its columns each row's first cell, and under it the others by their
    column's name."""
    names = [str(column.header) for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    return ByWidth(table, stacked([_parts(names, row) for row in rows]))


def _parts(names: Sequence[str], cells: Sequence[RenderableType]) -> list[Text]:
    told = [cell if isinstance(cell, Text) else Text.from_markup(str(cell)) for cell in cells]
    return [told[0], *(Text.assemble((f"{name}: ", "dim"), cell)
                       for name, cell in zip(names[1:], told[1:], strict=True) if cell)]  # fmt: skip
