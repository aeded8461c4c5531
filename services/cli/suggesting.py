"""What may belong together: listed, shown, answered at the terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from pipelines.answering import Answer, Answered, Answering, NoSuggestion, Reply
from pipelines.correlate.explain import named
from pipelines.deciding import ANY, Deciding
from schemas.access import THIS_MACHINE
from schemas.decisions import Refusal
from services.admin import audit
from services.cli.deciding import Ask, effects, refused, seen_as, unresolved
from services.cli.terminal import EXIT_NOT_FOUND, opened, tell, write_line
from services.cli.words import counted, moment, short
from services.query import decided, suggested
from services.query.decided import Stored
from services.query.serving import told as instant_told
from services.query.suggested import Wanted
from services.query.wishes import Unresolved, concerned

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.cli.installation import Installation
    from services.query.database import Database


@dataclass(frozen=True, slots=True)
class Filters:
    """Which suggestions are listed."""

    request: str | None = None
    artifact: str | None = None
    least: float = 0.0
    waiting: bool = False


async def show_all(
    made: "Installation", filters: Filters, limit: int, now: datetime, screen: Console, *, as_json: bool
) -> int:
    """List suggestions, the worthiest first, and how good they were so far."""
    async with opened(made) as (_, database), database.reading() as connection:
        try:
            names, request = await concerned(connection, filters.request, filters.artifact, None)
        except Unresolved as error:
            return unresolved(error, filters)
        wanted = Wanted(names, request, filters.least, filters.waiting, None, limit)
        rows = await suggested.page(connection, wanted, now)
        items = await suggested.told(connection, rows[:limit])
        measured = await suggested.measured(connection)
    if as_json:
        for one in items:
            write_line(orjson.dumps(one).decode())
        return 0
    screen.print(_table(items) if items else "Nothing is suggested.")
    if len(rows) > limit:
        screen.print(Text(f"There are more; these are the {limit} worthiest (--limit).", style="dim"))
    screen.print(Text(_measured(measured), style="dim"))
    return 0


def _table(items: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("suggestion", no_wrap=True)
    table.add_column("likely", justify="right", no_wrap=True)
    table.add_column("these two", ratio=3)
    table.add_column("because", ratio=2)
    for one in items:
        both = "\n".join(_artifact(each) for each in one["artifacts"])
        table.add_row(one["id"], _percent(one["probability"]), Text(both), Text("; ".join(one["reasons"][:2])))
    return table


def _artifact(one: Mapping[str, Any]) -> str:
    name = named(one["kind"], short(one["natural_key"] or one["id"], 40), one["created_at"])
    title = "its title is restricted" if one["restricted"] else one["title"]
    return f"{name} ({short(title, 60)})" if title else name


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %"


def _measured(measured: Mapping[str, Any]) -> str:
    if measured["precision"] is None:
        return "None was answered so far."
    answered = measured["accepted"] + measured["rejected"]
    bounds = f"{_percent(measured['low'])} and {_percent(measured['high'])}"
    share = f"{_percent(measured['precision'])}; the true share lies between {bounds}"
    return f"Accepted: {measured['accepted']} of {answered} answered ({share})."


async def show(made: "Installation", name: str, now: datetime, screen: Console, *, as_json: bool) -> int:
    """Show one suggestion with all that speaks for it and against it."""
    async with opened(made) as (_, database):
        item = await _item(database, name, now)
    if item is None:
        return _unknown(name)
    if as_json:
        write_line(orjson.dumps(item).decode())
        return 0
    screen.print(_whole(item, now))
    return 0


async def _item(database: "Database", name: str, now: datetime) -> dict[str, Any] | None:
    async with database.reading() as connection:
        found = await suggested.one(connection, name.strip().upper(), now)
        return (await suggested.told(connection, [found]))[0] if found else None


def _unknown(name: str) -> int:
    tell(f"No suggestion {short(name, 20)} waits now; see `throughline suggestions list`.")
    return EXIT_NOT_FOUND


def _whole(item: Mapping[str, Any], now: datetime) -> Group:
    lines = [Text(f"{item['id']}: {_percent(item['probability'])} likely to belong together", style="bold")]
    for one in item["artifacts"]:
        where = f"in {one['request']}" if one["request"] else "in no request"
        created = f", {moment(datetime.fromisoformat(one['created_at']), now)}" if one["created_at"] else ""
        lines.append(Text(f"  {_artifact(one)}, {where}{created}"))
        if one["url"]:
            lines.append(Text(f"    {one['url']}", style="dim"))
    lines += [Text("What speaks for it:", style="dim"), *(Text(f"  {said}") for said in item["reasons"])]
    if item["against"]:
        lines += [Text("What speaks against it:", style="dim"), *(Text(f"  {said}") for said in item["against"])]
    return Group(*lines, Text(f"If accepted: {_change(item['change'])}"))


def _change(change: Mapping[str, Any]) -> str:
    moves = f"{counted(change['moves'], 'artifact')} would come into {change['into']}"
    return f"{moves}, and {change['merges'][0]} would lead there" if change["merges"] else moves


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was typed."""

    suggestion: str
    answer: Answer
    by: str
    reason: str = ""
    yes: bool = False
    as_json: bool = False


async def answer(made: "Installation", given: Given, now: Callable[[], datetime], screen: Console, ask: Ask) -> int:
    """Take an answer; before something is joined it is shown, and asked. Exit codes as for decisions."""
    name = given.suggestion.strip().upper()
    async with opened(made) as (engine, database):
        answering = Answering(engine, Deciding(engine, now), now)
        made_on = frozenset({ANY})
        if given.answer is Answer.ACCEPTED and not given.yes:
            item = await _item(database, name, now())
            if item is None:
                return _unknown(name)
            _show(item, now(), screen, given)
            if not ask("Join them?"):
                tell("Nothing is decided.")
                return 0
            made_on = frozenset(item["requests"].values())
        noted = audit.noting(replace(THIS_MACHINE, name=given.by), now, None)
        reply = Reply(name, given.answer, given.by, given.reason, made_on, noted=noted)
        try:
            done = await answering.answer(reply)
        except NoSuggestion:
            return _unknown(name)
        except Refusal as error:
            return refused(error)
        async with database.reading() as connection:
            await _tell(connection, done, now(), screen, as_json=given.as_json)
    return 0


def _show(item: Mapping[str, Any], now: datetime, screen: Console, given: Given) -> None:
    """Before the question; apart from the output where that is for programs."""
    if given.as_json:
        for line in _whole(item, now).renderables:
            tell(str(line))
    else:
        screen.print(_whole(item, now))


async def _tell(
    connection: "AsyncConnection", done: Answered, now: datetime, screen: Console, *, as_json: bool
) -> None:
    if as_json:
        told = None
        if done.outcome:
            (one,) = await decided.told(connection, [Stored(done.outcome.decision, None, "")])
            told = {"decision": one, "preview": False, **decided.effects(done.outcome)}
        answered = {"suggestion": done.asked.id, "answer": done.answer.value, "preview": False}
        write_line(orjson.dumps({**answered, "until": instant_told(done.until), "decided": told}).decode())
        return
    if done.outcome:
        shown = await seen_as(connection, done.outcome)
        number = done.outcome.decision.number
        lines = [f"Decided: {shown.says}", *(f"  {line}" for line in effects(shown, preview=False))]
        lines.append(f"This is decision {number}; `throughline undo {number}` takes it back.")
    elif done.answer is Answer.LATER and done.until:
        lines = [f"{done.asked.id} is hidden until {moment(done.until, now)}, unless its evidence changes."]
    elif done.answer is Answer.REJECTED:
        lines = [f"{done.asked.id} is not suggested again. That decides nothing: evidence may still join them."]
    else:
        lines = [f"{done.asked.id} was accepted before."]
    screen.print(Text("\n".join(lines)))
