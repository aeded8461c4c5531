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
from pipelines.deciding import Deciding
from pipelines.store import suggestions
from schemas.access import THIS_MACHINE
from schemas.decisions import Refusal
from services.admin import audit
from services.cli.deciding import Ask, Manner, lines_of, refused, seen_as, unresolved
from services.cli.narrow import by_width
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED, opened, tell, write_line
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
        # Where one request or thing is asked about, and with --waiting, nothing is held back.
        behind = 0 if names or request or filters.waiting else await suggested.behind(connection, now)
    if as_json:
        for one in items:
            write_line(orjson.dumps(one).decode())
        return 0
    screen.print(by_width(_table(items)) if items else "Nothing is suggested.")
    if len(rows) > limit:
        screen.print(Text(f"There are more; these are the {limit} worthiest (--limit).", style="dim"))
    if behind:
        screen.print(Text(_behind(behind), style="dim"))
    screen.print(Text(_measured(measured), style="dim"))
    return 0


def _behind(number: int) -> str:
    """What the day's limit holds back, and what may be done about it."""
    wait, them = ("1 more waits for its", "it") if number == 1 else (f"{number:,} more wait for their", "them")
    return (
        f"{wait} day; `throughline suggestions list --waiting` tells {them}, too. How many new ones are offered in "
        "24 hours, the hub's setting THROUGHLINE_SUGGESTIONS_A_DAY says."
    )


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
            return await _answered(database, name.strip().upper())
    if as_json:
        write_line(orjson.dumps(item).decode())
        return 0
    screen.print(Group(*_whole(item, now), Text(f"If accepted: {_change(item['change'])}")))
    return 0


async def _item(database: "Database", name: str, now: datetime) -> dict[str, Any] | None:
    async with database.reading() as connection:
        found = await suggested.one(connection, name.strip().upper(), now)
        return (await suggested.told(connection, [found]))[0] if found else None


_ANSWERED = {
    Answer.ACCEPTED: "{by} accepted it.",
    Answer.REJECTED: "{by} rejected it; `throughline suggestions accept {id}` joins the two all the same.",
    Answer.LATER: "{by} put it off; `throughline suggestions accept {id} --preview` tells what it would join.",
}


async def _answered(database: "Database", name: str) -> int:
    """What was answered to one that does not wait."""
    async with database.reading() as connection:
        found = await suggestions.asked(connection, name)
    if found is None or found.answer is None:
        return _unknown(name)
    tell(f"{name} does not wait: {_ANSWERED[Answer(found.answer)].format(by=found.by, id=name)}")
    return EXIT_NOT_FOUND


def _unknown(name: str) -> int:
    tell(f"No suggestion {short(name, 20)} waits now; see `throughline suggestions list`.")
    return EXIT_NOT_FOUND


def _whole(item: Mapping[str, Any], now: datetime) -> list[Text]:
    """What it is about, what speaks for it and against it."""
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
    return lines


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


async def answer(
    made: "Installation", given: Given, manner: Manner, now: Callable[[], datetime], screen: Console, ask: Ask
) -> int:
    """Take an answer; before something is joined it is shown, and asked. Exit codes as for decisions."""
    name = given.suggestion.strip().upper()
    noted = audit.noting(replace(THIS_MACHINE, name=given.by), now, None)
    reply = Reply(name, given.answer, given.by, given.reason, noted=noted)
    async with opened(made) as (engine, database):
        answering = Answering(engine, Deciding(engine, now), now)
        try:
            if manner.preview or (given.answer is Answer.ACCEPTED and not manner.yes):
                looked = await answering.answer(reply, preview=True)
                if manner.preview or looked.outcome is None:
                    return await _tell(database, looked, manner, now(), screen, preview=manner.preview)
                await _show(database, looked, manner, now(), screen)
                if not ask("Join them?"):
                    tell("Nothing is decided.")
                    return 0
                reply = replace(reply, made_on=frozenset(looked.outcome.made_on.values()))
            done = await answering.answer(reply)
        except NoSuggestion:
            return _unknown(name)
        except Refusal as error:
            return refused(error, nothing=EXIT_REFUSED)  # it stood when it was listed
        return await _tell(database, done, manner, now(), screen, preview=False)


async def _show(database: "Database", looked: Answered, manner: Manner, now: datetime, screen: Console) -> None:
    """Before the question: what speaks for it, where it still waits, and what joining would do. Apart from the output
    where that is for programs."""
    item = await _item(database, looked.asked.id, now)
    async with database.reading() as connection:
        joining = await _became(connection, looked, now, preview=True)
    for line in (*(_whole(item, now) if item else ()), *map(Text, joining)):
        if manner.as_json:
            tell(line.plain)
        else:
            screen.print(line)


async def _tell(
    database: "Database", done: Answered, manner: Manner, now: datetime, screen: Console, *, preview: bool
) -> int:
    """What became of an answer, or would; the exit code."""
    async with database.reading() as connection:
        if manner.as_json:
            await _write(connection, done, preview=preview)
            return 0
        if done.answer is Answer.ACCEPTED and done.outcome is None:
            return await _before(connection, done, screen)
        screen.print(Text("\n".join(await _became(connection, done, now, preview=preview))))
    return 0


async def _became(connection: "AsyncConnection", done: Answered, now: datetime, *, preview: bool) -> list[str]:
    name, is_, not_ = done.asked.id, *(("would be", "would not be") if preview else ("is", "is not"))
    if done.outcome:
        return lines_of(await seen_as(connection, done.outcome), preview=preview)
    if done.until:
        return [f"{name} {is_} hidden until {moment(done.until, now)}, unless its evidence changes."]
    return [f"{name} {not_} suggested again. That decides nothing: evidence may still join them."]


async def _before(connection: "AsyncConnection", done: Answered, screen: Console) -> int:
    """It was accepted before: by which decision, and whether that holds."""
    found = await decided.linked(connection, done.asked.left, done.asked.right)
    which = f" (decision {found.decision.number})" if found else ""
    if found and found.undone_by:
        tell(f"{done.asked.id} was accepted before{which}, and decision {found.undone_by} took that back.")
        tell(f"  `throughline undo {found.undone_by}` joins them again.")
        return EXIT_REFUSED
    screen.print(f"{done.asked.id} was accepted before{which}.", markup=False)
    return 0


async def _write(connection: "AsyncConnection", done: Answered, *, preview: bool) -> None:
    """What became of an answer, for programs."""
    told = None
    if done.outcome:
        (one,) = await decided.told(connection, [Stored(done.outcome.decision, None, "")])
        told = {"decision": one, "preview": preview, **decided.effects(done.outcome)}
    answered = {"suggestion": done.asked.id, "answer": done.answer.value, "preview": preview}
    write_line(orjson.dumps({**answered, "until": instant_told(done.until), "decided": told}).decode())
