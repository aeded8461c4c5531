"""The kinds of links that were read, for people."""

from rich.table import Table
from rich.text import Text

from pipelines.store.configuration import ConnectionConfiguration
from services.admin.rules_links import does, every


def table(own: ConnectionConfiguration, seen: dict[str, int]) -> Table | Text:
    """Each relation that was read or chosen: how many artifacts state it, and what it does."""
    if not every(own, seen):
        return Text("  None yet.")
    rows = Table.grid(padding=(0, 2, 0, 0))
    for one in every(own, seen):
        rows.add_row(Text(f"{seen[one]:>8,}" if one in seen else "    none"), Text(one), Text(does(own, one), "dim"))
    return rows
