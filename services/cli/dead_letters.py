"""`throughline dead-letters`: what could not be used, and what to do about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.dead_letters import WAITING
from pipelines.store.engine import reading, writing
from schemas.access import THIS_MACHINE
from schemas.canonical import instant, storable
from services.admin import audit
from services.admin.letters_told import mend, readable
from services.admin.letters_trying import TriedAll, Trying, try_all
from services.cli.narrow import by_width
from services.cli.terminal import EXIT_NOT_FOUND, opened, tell, write_line
from services.cli.words import counted, moment
from services.feed import letters
from services.feed.letters import EVERY, Cause, Letter

if TYPE_CHECKING:
    from services.cli.installation import Installation

SHOWN_BYTES = 20_000

_AUDITED = 100
"""Ids that are named in the audit."""


@dataclass(frozen=True, slots=True)
class Hand:
    """Who does something at this terminal, and when."""

    name: str
    at: datetime

    async def note(self, connection: AsyncConnection, action: str, ids: Sequence[str], **more: Any) -> None:
        """Add to the audit."""
        on = f"dead letter {ids[0]}" if len(ids) == 1 else "dead letters"
        told = {"letters": list(ids[:_AUDITED]), "how many": len(ids), **more} if more or len(ids) > 1 else None
        caller = replace(THIS_MACHINE, name=self.name)
        await audit.note(connection, caller, action, on, None, told, self.at, None)


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
    screen.print(by_width(_causes(causes, now)))
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


async def show(made: "Installation", letter: str, hand: Hand, screen: Console, *, as_json: bool) -> int:
    """Show one letter with its content, without what looks like a secret. That it was read is noted."""
    async with opened(made) as (engine, _), writing(engine) as connection:
        found = await letters.letters(connection, [letter], states=EVERY)
        held = await letters.content(connection, letter)
        if held is not None:
            await hand.note(connection, "dead-letter.read", [letter])
    if not found or held is None:
        tell("No dead letter has this id; see `throughline dead-letters list --json`.")
        return EXIT_NOT_FOUND
    one, told, edited = found[0], readable(held[0]), None if held[1] is None else readable(held[1])
    if as_json:
        write_line(orjson.dumps({**_as_json(one), "content": told, "edited": edited}).decode())
        return 0
    screen.print(_letter(one, hand.at))
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
    made: "Installation",
    ids: Sequence[str],
    cause: str | None,
    source: str | None,
    hand: Hand,
    screen: Console,
    ask: Ask,
) -> int:
    """Say what would be replayed and what would become of it, ask, and mark it: the hub publishes it again."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            # What failed too often is replayed only by its id.
            states = letters.OPEN if ids else (WAITING,)
            found = await letters.letters(connection, ids, cause=cause, source=source, states=states)
            trying = Trying(engine, made.catalogue, lambda: hand.at)
            tried = await try_all(connection, trying, found)
        can = [one for one in found if one.replayable]
        if len(can) < len(found):
            words = counted(len(found) - len(can), "letter")
            say = screen.print if can else tell
            say(f"{words} never reached a topic and cannot be replayed: read the connection again instead.")
        if not can:
            tell("There is nothing to replay.")
            return EXIT_NOT_FOUND
        _what(can, screen, "would be published again on the source topics")
        _tried(tried, len(can), screen)
        if not ask("Replay?"):
            return 0
        async with writing(engine) as connection:
            asked = await letters.ask_replay(connection, [one.id for one in can])
            await hand.note(connection, "dead-letter.replay-asked", [one.id for one in can])
    screen.print(f"{counted(asked, 'letter')} will be replayed by the running hub, or when it runs next.")
    return 0


async def drop(
    made: "Installation",
    ids: Sequence[str],
    cause: str | None,
    source: str | None,
    reason: str,
    hand: Hand,
    screen: Console,
    ask: Ask,
) -> int:
    """Say what would be dropped, ask, and drop it with who and why."""
    async with opened(made) as (engine, _):
        async with reading(engine) as connection:
            found = await letters.letters(connection, ids, cause=cause, source=source)
        if not found:
            tell("There is nothing to drop.")
            return EXIT_NOT_FOUND
        _what(found, screen, "would be dropped: what they say will be missing. They are kept, with the reason")
        if not ask("Drop?"):
            return 0
        async with writing(engine) as connection:
            ids = [one.id for one in found]
            dropped = await letters.drop(connection, ids, storable(reason)[:500], hand.name, hand.at)
            await hand.note(connection, "dead-letter.dropped", ids, reason=reason)
    screen.print(f"{counted(dropped, 'letter')} dropped.")
    return 0


def _what(found: Sequence[Letter], screen: Console, words: str) -> None:
    causes = sorted({one.cause for one in found})
    screen.print(Text(f"{counted(len(found), 'letter')} ({', '.join(causes)[:300]}) {words}."))


def _tried(tried: TriedAll, of: int, screen: Console) -> None:
    """What this release makes of them."""
    whole = "" if tried.looked == of else f" of the first {tried.looked:,}"
    screen.print(Text(f"This release would understand {tried.understood:,}{whole}."))
    for sentence, number in tried.fails.most_common(5):
        screen.print(Text(f"  {number:,} would still fail: {sentence}"))
