"""What is noticed of a connection, in lines; and `throughline connections reconcile`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import reading, writing
from services.cli.stored import stored_one
from services.cli.terminal import opened
from services.cli.words import counted, moment
from services.feed import reconciling, watching
from services.feed.budgets import Budget
from services.feed.connections import READING
from services.feed.told import Difference, Failure, Notice, Reconciled, Told

if TYPE_CHECKING:
    from services.cli.installation import Installation

_BARS = " ▁▂▃▄▅▆▇█"
_DAY = 24
_SHOWN = 10
_KINDS = {"missing": "missing here", "different": "changed later in the tool", "extra": "here and not in the tool"}


async def warnings(connection: AsyncConnection, now: datetime) -> dict[str, tuple[str, ...]]:
    """By connection, what a person should look at though reading goes on."""
    return {one.id: one.warnings for one in await watching.every(connection, now)}


def as_json(told: Told) -> dict[str, Any]:
    """What is noticed, for programs."""
    whole: dict[str, Any] = orjson.loads(orjson.dumps(told, option=orjson.OPT_UTC_Z))
    return {name: value for name, value in whole.items() if name not in ("id", "connector", "title", "since")}


def rows(told: Told, differences: Sequence[Difference], now: datetime) -> Iterator[tuple[str, Text]]:
    """Name and text of each line."""
    yield from _reading(told, now)
    if told.webhook:
        yield "Webhooks", Text(told.webhook.says, style="yellow" if told.webhook.stopped else "")
    if told.silence:
        yield "Silence", Text(f"since {moment(told.silence.since, now)}: {told.silence.says}")
    for expiry in told.expires:
        yield "Credential", Text(expiry.says, style="yellow" if expiry.soon else "")
    if told.reconciled:
        yield "Compared", Text(compared(told.reconciled, now))
        yield from (("", Text(f"{one.artifact} {_KINDS[one.kind]}")) for one in differences[:_SHOWN])
    yield from (_notice(one, now) for one in told.notices)
    yield from (("Failure", Text(failure(one, now))) for one in told.failures)


def _reading(told: Told, now: datetime) -> Iterator[tuple[str, Text]]:
    if told.place:
        yield "Has read", Text(told.place)
    if told.hours:
        yield "Last 24 hours", Text(picture(told.hours, now))
    if told.heard_at:
        yield "Last brought", Text(f"something at {moment(told.heard_at, now)}")
    if told.budget:
        yield "Rate limit", Text(budget(told.budget, now))


def _notice(one: Notice, now: datetime) -> tuple[str, Text]:
    due = f" on {one.due:%Y-%m-%d}" if one.due else ""
    says = f"{one.says}{due}. {one.mend} (first seen {moment(one.first_seen, now)})"
    return "Notice", Text(says, style="yellow" if one.due else "")


def picture(hours: Sequence[tuple[datetime, int]], now: datetime) -> str:
    """The last 24 hours as bars of a height each, and their sum."""
    known: Mapping[datetime, int] = dict(hours)
    newest = now.astimezone(hours[-1][0].tzinfo).replace(minute=0, second=0, microsecond=0)
    counts = [known.get(datetime.fromtimestamp(newest.timestamp() - back * 3600, newest.tzinfo), 0)
              for back in range(_DAY - 1, -1, -1)]  # fmt: skip
    most = max(counts)
    if not most:
        return "nothing"
    bars = "".join(_BARS[-(-number * (len(_BARS) - 1) // most)] for number in counts)
    return f"{bars} {counted(sum(counts), 'event')}"


def budget(one: Budget, now: datetime) -> str:
    """How the share of a rate limit is used."""
    told = f"{one.used:.0%} of its {one.a_minute:,} requests a minute (a share of {one.share:.0%}) used"
    if one.most is not None:
        told += f"; the tool says {one.left:,} of {one.most:,} are left"
    return f"{told}; {one.waits}" if one.until and one.until > now else told


def compared(one: Reconciled, now: datetime) -> str:
    """How comparing stands."""
    told = []
    if one.finished_at:
        told.append(f"with the tool at {moment(one.finished_at, now)}: {one.says}")
    if one.started_at:
        of = f" of about {one.expected:,}" if one.expected else ""
        told.append(f"under way: {one.listed:,}{of}")
    elif one.wanted:
        told.append("asked for: the hub does it after its next look at the tool")
    return "; ".join(told)


def failure(one: Failure, now: datetime) -> str:
    """A group of failures."""
    times = "once" if one.count == 1 else f"{one.count:,} times, first at {moment(one.first_seen, now)}"
    then = "It is over" if one.over else one.mend
    return f"{one.problem} ({times}, last at {moment(one.last_seen, now)}). {then}"


def table_of(lines: Iterator[tuple[str, Text]]) -> Table:
    """The lines below each other."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for name, text in lines:
        table.add_row(name, text)
    return table


async def reconcile(made: "Installation", name: str, screen: Console, *, mend: bool) -> None:
    """Ask a running hub to compare. Raises NotFound where there is no such connection."""
    async with stored_one(made, name) as (engine, one), writing(engine) as connection:
        await reconciling.ask(connection, name, mend=mend)
    what = " and fetched again where it differs" if mend else ""
    screen.print(f"{name} is compared with its tool{what}; `throughline connections show {name}` tells the outcome.")
    if one.state != READING:
        screen.print(f"It is {one.state}: that happens once it is resumed.")


async def told_of(made: "Installation", name: str, now: datetime) -> tuple[Told | None, list[Difference]]:
    """What is noticed of a connection, and the newest differences."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        return await watching.told(connection, name, now), await watching.differences(connection, name, limit=_SHOWN)
