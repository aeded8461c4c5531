"""A connection's trial on the terminal: its check, step by step, and real things with what would become of them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.errors import HubError, RetryLater
from services.admin.previewing import Verdict
from services.admin.sampling import Sample
from services.admin.trial import Opened
from services.admin.words import counted, listed
from services.cli.narrow import by_width
from services.cli.terminal import EXIT_MISCONFIGURED, EXIT_UNAVAILABLE

_SHOWN_REFERENCES = 4


_ADDRESS = "address"
"""The step that only looks whether anything answers."""


async def fails(tool: Opened, screen: Console) -> int:
    """Print each step of the check; at the first that fails, which says how to mend it, its exit code. 0: none does.

    EXIT_UNAVAILABLE where nothing answers at the tool's address, EXIT_MISCONFIGURED otherwise.
    """
    async for step in tool.steps():
        mark = Text("  ok    ", style="green") if step.ok else Text("  fails ", style="bold red")
        screen.print(mark.append(f"{step.name}: ", style="bold").append(step.says, style="default"))
        if not step.ok:
            return EXIT_UNAVAILABLE if step.name == _ADDRESS and await _away(tool) else EXIT_MISCONFIGURED
    return 0


async def _away(tool: Opened) -> bool:
    """Whether an address that failed may answer later, or a person must mend it. A step does not say; reading does."""
    try:
        async for _ in tool.source.pages(None, None):
            break
    except RetryLater:
        return True
    except HubError:
        return False
    return False


def remarked(remarks: Sequence[str], screen: Console) -> None:
    """Print what in the options leads nowhere, though the rest is read."""
    for one in remarks:
        screen.print(Text("  look  ", style="yellow").append(one[:1].upper() + one[1:], style="default"))


def preview(judged: list[Verdict]) -> Table:
    """Things with what would become of each, as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("thing", ratio=2)
    table.add_column("what would become of it", ratio=2)
    table.add_column("what it names", ratio=2)
    for one in judged:
        called, title = Text(one.thing.called), one.thing.fields.get("title")
        if title and title not in called.plain:
            called.append(f"\n{title}", style="dim")
        table.add_row(called, Text(one.says), Text(listed(one.thing.names, _SHOWN_REFERENCES) or "nothing"))
    return table


def shown(found: Sample, judged: list[Verdict], screen: Console) -> None:
    """Print the sample."""
    if not found.things:
        late = " within a minute" if found.cut else ""
        screen.print(f"Nothing to read was found{late}: look at the filters, and from when it is read.")
    else:
        screen.print(by_width(preview(judged)))
    if found.unusable:
        screen.print(f"{counted(found.unusable, 'record')} could not be understood: they would wait as dead letters.")
