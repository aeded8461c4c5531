"""`throughline dead-letters`: what could not be used, and what to do about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.store.dead_letters import WAITING
from pipelines.store.engine import reading, writing
from schemas.access import THIS_MACHINE
from schemas.canonical import instant, storable
from services.admin import audit
from services.admin.letters_told import mend, readable
from services.cli.terminal import EXIT_NOT_FOUND, opened, write_line
from services.cli.words import counted, moment
from services.feed import letters
from services.feed.letters import EVERY, Cause, Letter

if TYPE_CHECKING:
    from services.cli.installation import Installation

SHOWN_BYTES = 20_000

_AUDITED = 100
"""Ids that are named in the audit."""


@dataclass(frozen=True, slots=True)
class Dropping:
    """Why letters are dropped, by whom, and when."""

    reason: str
    by: str
    at: datetime


Ask = Callable[[str], bool]
"""Asks the person; whether they agree."""


async def show_all(made: "Installation", now: datetime, screen: Console, *, as_json: bool, every: bool) -> None:
    """List by cause, or as JSON one letter a line."""
    states = EVERY if every else letters.OPEN
    async with opened(made) as (engine, _), reading(engine) as connection:
        if as_json:
            for one in await letters.letters(connection, states=states, limit=1_000_000):
                write_line(orjson.dumps(_as_json(one)).decode())
            return
        causes = await letters.causes(connection, states)
    if not causes:
        screen.print("No dead letters: everything that was read could be used.")
        return
    screen.print(_causes(causes, now))
    screen.print(Text("\nTheir ids: throughline dead-letters list --json", style="dim"))


def _causes(causes: Sequence[Cause], now: datetime) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("letters", justify="right", no_wrap=True)
    table.add_column("what is wrong", ratio=3)
    table.add_column("connection", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("newest", no_wrap=True)
    table.add_column("what to do", ratio=3)
    for one in causes:
        letter = one.letter
        assert letter is not None
        state, newest = ", ".join(sorted(one.states)), moment(one.last, now)
        said, todo = Text(letter.sentence or letter.cause), Text(mend(letter))
        table.add_row(f"{one.letters:,}", said, letter.connection or "?", state, newest, todo)
    return table


def _as_json(one: Letter) -> dict[str, Any]:
    return {
        "id": one.id, "connection": one.connection or None, "cause": one.cause, "sentence": one.sentence,
        "reason": one.reason,
        "state": one.state, "attempts": one.attempts, "note": one.note, "at": instant(one.at), "bytes": one.size,
        "origin": one.origin, "replayable": one.replayable,
    }  # fmt: skip


async def show(made: "Installation", letter: str, now: datetime, screen: Console, *, as_json: bool) -> int:
    """Show one letter with its content, without what looks like a secret."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        found = await letters.letters(connection, [letter], states=EVERY)
        held = await letters.content(connection, letter)
    if not found or held is None:
        screen.print("No dead letter has this id; see `throughline dead-letters list --json`.", markup=False)
        return EXIT_NOT_FOUND
    one, told, edited = found[0], readable(held[0]), None if held[1] is None else readable(held[1])
    if as_json:
        write_line(orjson.dumps({**_as_json(one), "content": told, "edited": edited}).decode())
        return 0
    screen.print(_letter(one, now))
    told = told if edited is None else edited
    text = told if isinstance(told, str) else orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()
    cut = f"\n… {len(text) - SHOWN_BYTES:,} characters more; --json gives all" if len(text) > SHOWN_BYTES else ""
    screen.print(Text(text[:SHOWN_BYTES] + cut))
    return 0


def _letter(one: Letter, now: datetime) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    lines = {
        "Letter": one.id,
        "Connection": one.connection or "it does not say",
        "Cause": one.cause,
        "Reason": one.reason,
        "Came from": one.origin,
        "When": moment(one.at, now),
        "State": one.state + (f", {counted(one.attempts, 'replay')} failed" if one.attempts else ""),
        "Note": one.note or "",
        "Edited": f"by {one.edited_by}; this is the edited form" if one.edited_by else "",
        "Dropped by": one.closed_by or "",
        "Replay": "possible" if one.replayable else "not possible: read the connection again instead",
        "Content": counted(one.size, "byte"),
    }
    for name, told in lines.items():
        if told:
            table.add_row(name, Text(told))
    return table


async def replay(
    made: "Installation", ids: Sequence[str], cause: str | None, source: str | None, screen: Console, ask: Ask
) -> int:
    """Say what would be replayed, ask, and mark it: the hub publishes it again."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            # What failed too often is replayed only by its id.
            states = letters.OPEN if ids else (WAITING,)
            found = await letters.letters(connection, ids, cause=cause, source=source, states=states)
        can = [one for one in found if one.replayable]
        if len(can) < len(found):
            words = counted(len(found) - len(can), "letter")
            screen.print(f"{words} never reached a topic and cannot be replayed: read the connection again instead.")
        if not can:
            screen.print("There is nothing to replay.")
            return EXIT_NOT_FOUND
        _what(can, screen, "would be published again on the source topics, and understood by this release")
        if not ask("Replay?"):
            return 0
        async with writing(engine) as connection:
            asked = await letters.ask_replay(connection, [one.id for one in can])
    screen.print(f"{counted(asked, 'letter')} will be replayed by the running hub, or when it runs next.")
    return 0


async def drop(
    made: "Installation",
    ids: Sequence[str],
    cause: str | None,
    source: str | None,
    why: Dropping,
    screen: Console,
    ask: Ask,
) -> int:
    """Say what would be dropped, ask, and drop it with who and why."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            found = await letters.letters(connection, ids, cause=cause, source=source)
        if not found:
            screen.print("There is nothing to drop.")
            return EXIT_NOT_FOUND
        _what(found, screen, "would be dropped: what they say will be missing. They are kept, with the reason")
        if not ask("Drop?"):
            return 0
        async with writing(engine) as connection:
            ids = [one.id for one in found]
            dropped = await letters.drop(connection, ids, storable(why.reason)[:500], why.by, why.at)
            caller = replace(THIS_MACHINE, name=why.by)
            told = {"letters": ids[:_AUDITED], "how many": dropped, "reason": why.reason}
            await audit.note(connection, caller, "dead-letter.dropped", "dead letters", None, told, why.at, None)
    screen.print(f"{counted(dropped, 'letter')} dropped.")
    return 0


def _what(found: Sequence[Letter], screen: Console, words: str) -> None:
    causes = sorted({one.cause for one in found})
    screen.print(Text(f"{counted(len(found), 'letter')} ({', '.join(causes)[:300]}) {words}."))
