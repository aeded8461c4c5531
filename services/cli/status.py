"""`throughline status`: what is read, how much there is, and what waits."""

from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.store.engine import reading
from services.cli.connections import as_json, overview
from services.cli.terminal import opened, write_line
from services.feed import connections
from services.query.counts import counts

if TYPE_CHECKING:
    from services.cli.installation import Installation

_WORDS = {
    "requests": ("requests", ""),
    "artifacts_in_no_request": ("artifacts in no request", "kept, and found by lookup"),
    "requests_not_up_to_date": ("requests not up to date", "each says why: throughline lookup"),
    "dead_letters": ("dead letters", "throughline dead-letters list"),
    "unpublished": ("changes not published yet", "the publisher does it within a second; if not, see doctor"),
    "pending": ("components to compute again", "goes on beside everything else"),
}
_ALWAYS = ("requests", "artifacts_in_no_request")


async def status(made: "Installation", now: datetime, screen: Console, *, for_programs: bool) -> None:
    """Print how the hub stands."""
    async with opened(made) as (engine, database):
        async with reading(engine) as connection:
            every = await connections.every(connection)
        async with database.reading() as connection:
            counted = await counts(connection)
    if for_programs:
        told = [{name: value for name, value in as_json(one).items() if name not in ("options", "secrets")}
                for one in every]  # fmt: skip
        write_line(orjson.dumps({"connections": told, "counts": counted}).decode())
        return
    if every:
        screen.print(overview(every, now))
    else:
        screen.print("There is no connection yet: `throughline connections add jira`.", markup=False)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column()
    for name, (words, more) in _WORDS.items():
        if counted[name] or name in _ALWAYS:
            table.add_row(f"{counted[name]:,}", Text(words).append(f"  {more}" if more else "", style="dim"))
    screen.print()
    screen.print(table)
