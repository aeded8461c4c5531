"""`throughline status`: what is read, how much there is, and what waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import reading
from pipelines.store.tables import leases
from services.cli import storage, watched
from services.cli.connections import as_json, overview
from services.cli.pace import left
from services.cli.standstill import standing_still
from services.cli.terminal import opened, write_line
from services.feed import connections
from services.feed.connections import READING, StoredConnection
from services.query.counts import counts
from services.query.mapping import Unmapped, unmapped

if TYPE_CHECKING:
    from services.cli.installation import Installation

_WORDS = {
    "requests": ("request", "requests", ""),
    "artifacts_in_no_request": ("artifact in no request", "artifacts in no request", "kept, and found by lookup"),
    "requests_not_up_to_date": ("request not up to date", "requests not up to date", "lookup says why"),
    "dead_letters": ("dead letter", "dead letters", "throughline dead-letters list"),
    "unpublished": ("change not published yet", "changes not published yet", "a second at most, while the hub runs"),
    "pending": ("component to compute again", "components to compute again", "beside everything else"),
}
_ALWAYS = ("requests", "artifacts_in_no_request")


async def status(made: "Installation", now: datetime, screen: Console, *, for_programs: bool) -> None:
    """Print how the hub stands."""
    async with opened(made) as (engine, database):
        async with reading(engine) as connection:
            every = await connections.every(connection)
            pace = await left(connection, every, now)
            warnings = await watched.warnings(connection, now)
            due, held = await reading_now(connection, every, now)
        async with database.reading() as connection:
            counted = await counts(connection)
            missing = await unmapped(connection)
        problem = await storage.problem(made.settings, engine)
        still = await standing_still(engine, now) if held else []
    if for_programs:
        whole = {"problem": str(problem) if problem else None, "hub_reads": bool(held) if due else None,
                 "stands_still": [what for what, _ in still]}  # fmt: skip
        write_line(orjson.dumps(whole | {"connections": _told(every, missing), "counts": counted}).decode())
        return
    if problem:
        screen.print(Text(f"{problem}.\n", style="bold red"))
    if every:
        screen.print(overview(every, now, pace, warnings))
    else:
        screen.print("There is no connection yet: `throughline connections add jira`.", markup=False)
    if due and not held:
        mend = "start it with `throughline up`; if it runs, `throughline doctor` says why"
        screen.print(Text(f"\nNo hub reads now: {mend}.", style="yellow"))
    for what, do in still:
        screen.print(Text(f"\n{what}. {do}.", style="yellow"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column()
    for name, (one, many, more) in _WORDS.items():
        if counted[name] or name in _ALWAYS:
            words = one if counted[name] == 1 else many
            table.add_row(f"{counted[name]:,}", Text(words).append(f"  {more}" if more else "", style="dim"))
    _add_unmapped(table, missing)
    screen.print()
    screen.print(table)


def _told(every: Sequence[StoredConnection], missing: dict[str, Unmapped]) -> list[dict[str, Any]]:
    """The connections for programs."""
    told = [{name: value for name, value in as_json(one).items() if name not in ("options", "secrets")}
            for one in every]  # fmt: skip
    for each in told:
        known = missing.get(each["id"], Unmapped())
        each["unmapped"] = {"artifacts": known.artifacts, "of": known.of, "share": known.share}
    return told


async def reading_now(connection: AsyncConnection, every: Sequence[StoredConnection], now: datetime) -> tuple[int, int]:
    """How many connections are due to be read, and how many some hub reads: it holds their leases.

    Connections that wait until later hold none.
    """
    due = [one.id for one in every if one.state == READING and not (one.retry_at and one.retry_at > now)]
    names = [f"connection:{name}" for name in due]
    held = select(func.count()).select_from(leases).where(leases.c.name.in_(names), leases.c.until > now)
    return len(due), (await connection.execute(held)).scalar_one() if due else 0


def _add_unmapped(table: Table, missing: dict[str, Unmapped]) -> None:
    for name, known in missing.items():
        if known.artifacts:
            words = Text(f"of {known.of:,} artifacts of {name} have no stage")
            table.add_row(f"{known.artifacts:,}", words.append(f"  throughline rules show {name}", style="dim"))
