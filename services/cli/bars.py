"""First reads as bars: counts, the time so far where it is known, and beside them an estimate or what is waited for."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

_BAR = 20
"""Columns."""


def bars(console: Console, *, timed: bool = True) -> Progress:
    """Bars whose tasks have a field `what`; it wraps where the terminal is narrow. Gone when they end.

    timed: with the time since they were first shown; False where what they show began earlier.
    """
    return Progress(
        TextColumn("{task.description:>10}", markup=False), BarColumn(_BAR), MofNCompleteColumn(),
        *([TimeElapsedColumn()] if timed else []),
        TextColumn("{task.fields[what]}", markup=False, table_column=Column(ratio=1)),
        console=console, transient=True, expand=True, disable=not console.is_terminal,
    )  # fmt: skip


def move(progress: Progress, bar: TaskID, done: int, whole: int | None, **fields: Any) -> None:
    """How far a bar is. whole: how much there was when it was counted; more may have come since."""
    progress.tasks[bar].total = None if whole is None else max(whole, done)  # `update` takes no total away
    progress.update(bar, completed=done, **fields)
