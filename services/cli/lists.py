"""`throughline requests` and `throughline changes`."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.lifecycle.summary import day
from pipelines.search import terms
from schemas.canonical import instant
from schemas.records import StateName
from services.cli.narrow import ByWidth, stacked
from services.cli.terminal import EXIT_MISCONFIGURED, choose_one, opened, tell, write_line
from services.cli.words import ago, read_length, read_start
from services.query import reading
from services.query.database import Database
from services.query.items import Row, item
from services.query.reading import Stored
from services.query.searching import MOST_WORDS, Search, Sort
from services.query.steps import Steps
from services.query.unknown import unknown

if TYPE_CHECKING:
    from services.cli.installation import Installation

PAGE = 100
POLL_SECONDS = 0.5
_NUMBER_WIDTH, _ID_WIDTH, _AGO_WIDTH = 7, 14, 14
_MORE = "There are more; these are the first {} (--limit)."
UNFINISHED = ("new", "active", "waiting")


def wanted(
    now: datetime,
    *,
    text: str = "",
    changed_since: str | None = None,
    stuck_longer_than: str | None = None,
    sort: str = "updated",
    reverse: bool = False,
    **filters: list[str] | None,
) -> Search:
    """What is looked for. Raises typer.BadParameter that names the option and the mend."""
    states = get_args(StateName)
    given: dict[str, Any] = {name: tuple(values or ()) for name, values in filters.items()}
    if wrong := [one for one in given.get("state", ()) if one not in states]:
        raise typer.BadParameter(f"{wrong[0]} is no state: give {choose_one(states, 'or')}", param_hint="--state")
    chosen = next((one for one in get_args(Sort) if one == sort), None)
    if chosen is None:
        raise typer.BadParameter(f"give {choose_one(get_args(Sort), 'or')}", param_hint="--sort")
    if text and not terms(text, MOST_WORDS):
        raise typer.BadParameter("give words of at least 2 letters or digits", param_hint="--text")
    stuck = now - read_length(stuck_longer_than, "--stuck-longer-than") if stuck_longer_than else None
    if stuck and not given.get("state"):
        given["state"] = UNFINISHED
    since = read_start(changed_since, now, "--changed-since") if changed_since else None
    return Search(
        text=text, **given, changed_since=instant(since) if since else None,
        in_stage_since=instant(stuck) if stuck else None, sort=chosen, descending=not reverse, limit=PAGE,
    )  # fmt: skip


async def requests(
    made: "Installation", search: Search, limit: int, now: datetime, screen: Console, *, as_json: bool
) -> None:
    """Print the requests that are looked for. Raises typer.BadParameter for a filter's value that nothing can have."""
    async with opened(made) as (_, database):
        await _known(database, search)
        if as_json:
            await _write(database, search, limit)
            return
        told = [row async for row in _found(database, search, limit + 1)]  # one more tells that there are more
    if not told:
        screen.print("No request fits.")
        return
    screen.print(table_of(told[:limit], now))
    if len(told) > limit:
        screen.print(Text(_MORE.format(limit), style="dim"))


async def _write(database: Database, search: Search, limit: int) -> None:
    """The records, one a line; that there are more is told apart from them."""
    left = limit
    async for row in _found(database, search, limit + 1):
        if left == 0:
            tell(_MORE.format(limit))
            return
        write_line(row.record)
        left -= 1


async def _known(database: Database, search: Search) -> None:
    rows = await reading.connections(database)
    if odd := await unknown(database, search, ((row.id, row.connector) for row in rows)):
        raise typer.BadParameter(f"there is no such {odd.name}: {odd.mend}", param_hint=f"--{odd.name}")


async def _found(database: Database, search: Search, limit: int) -> AsyncIterator[Any]:
    """At most limit rows in order, page by page."""
    steps, left = Steps(database.rows, replace(search, limit=min(PAGE, limit))), limit
    while left > 0:
        step = await steps.next()
        for row in step.rows[:left]:
            yield row
        left -= len(step.rows)
        if step.on is None:
            return


def table_of(rows: Sequence[Row], now: datetime) -> ByWidth:
    """A line for each request: title, how it stands, when it last changed."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("request", no_wrap=True, style="dim")
    table.add_column("title", ratio=2)
    table.add_column("how it stands", ratio=3)
    table.add_column("changed", no_wrap=True)
    narrow: list[Sequence[Text]] = []
    for row in rows:
        told = item(row, now, whole=False)
        changed = day(datetime.fromisoformat(told["changed_at"]), now) if told["changed_at"] else ""
        stands = Text(told["summary"])
        if told["problem"]:
            stands.append(f"; not up to date: {told['problem']}", style="red")
        title = Text(told["title"] or "—")
        table.add_row(told["id"], title, stands, changed)
        narrow.append((Text(f"{told['id']}  {changed}", style="dim"), title, stands))
    return ByWidth(table, stacked(narrow))


async def changes(
    made: "Installation",
    since: int,
    now: Callable[[], datetime],
    screen: Console,
    say: Callable[[str], None] = tell,
    *,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the changes after a number; with follow, for ever. EXIT_MISCONFIGURED where none can have that number."""
    async with opened(made) as (_, database):
        newest = await reading.newest_change(database)
        if since > newest:
            say(f"The newest change is {newest}: the database is older than what you have seen. Begin again from 0.")
            return EXIT_MISCONFIGURED
        while True:
            rows = await reading.changes_after(database, since, PAGE)
            stored, leads = ({}, {}) if as_json else await _stored(database, rows)
            for row in rows:
                if as_json:
                    write_line(_change_text(row))
                else:
                    now_in = row.merged_into or leads.get(row.request)
                    screen.print(_change(row, stored.get(row.request), now_in, now()))
                since = row.number
            sys.stdout.flush()
            if not rows and not follow:
                return 0
            if not rows:
                await asyncio.sleep(POLL_SECONDS)


async def _stored(database: Database, rows: Sequence[Any]) -> tuple[dict[str, Stored], dict[str, str]]:
    """The changed requests as they stand now, and where the ids lead that are none any more: two statements."""
    async with database.reading() as connection:
        stored = await reading.requests(connection, {row.request for row in rows})
        owners = await reading.known(connection, {row.request for row in rows} - stored.keys())
    return stored, {name: one.request for name, found in owners.items() for one in found if one.request}


def _change_text(row: Any) -> str:
    told = {"number": row.number, "request": row.request, "merged_into": row.merged_into, "etag": row.etag,
            "at": instant(row.at)}  # fmt: skip
    return orjson.dumps(told).decode()


def _change(row: Any, stored: Stored | None, now_in: str | None, now: datetime) -> ByWidth:
    line = Table.grid(padding=(0, 2, 0, 0), expand=True)
    line.add_column(justify="right", width=_NUMBER_WIDTH, style="dim")
    line.add_column(no_wrap=True, width=_ID_WIDTH, style="dim")
    line.add_column(no_wrap=True, width=_AGO_WIDTH)
    line.add_column(ratio=1)
    what, when = _what(row, stored, now_in, now), ago(row.at, now)
    line.add_row(str(row.number), row.request, when, what)
    return ByWidth(line, stacked([(Text(f"{row.number}  {row.request}  {when}", style="dim"), what)]))


def _what(row: Any, stored: Stored | None, now_in: str | None, now: datetime) -> Text:
    """Title and how it stands now; or what became of the id."""
    if now_in:
        return Text(f"is part of {now_in} now")
    if stored is None or row.etag == "gone":
        return Text("ended: what was in it is in no request any more")
    told = item(stored, now, whole=False)
    return Text.assemble((told["title"] or "—", "bold"), "\n", told["summary"])
