"""What a person decides: told beforehand, asked, and taken on what was shown; and what was decided."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import TypeAdapter, ValidationError
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.correlate.explain import named
from pipelines.correlate.judging import says
from pipelines.deciding import ANY, Deciding, Moved, Outcome
from pipelines.store import decisions
from pipelines.store.bulk import Bulk
from schemas.access import THIS_MACHINE
from schemas.decisions import DecisionKind, Refusal
from services.admin import audit
from services.cli.narrow import by_width
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED, EXIT_WRONG_USE, WrongUse, opened, tell, write_line
from services.cli.typist import user_name
from services.cli.words import counted, listed, moment, short
from services.query import decided, reading, wishes
from services.query.database import Database
from services.query.decided import Stored, Wanted
from services.query.reading import Known
from services.query.wishes import Asked, Unresolved

if TYPE_CHECKING:
    from services.cli.installation import Installation

Ask = Callable[[str], bool]
"""Asks the person; whether they agree."""

_FORM: TypeAdapter[Asked] = TypeAdapter(Asked)
_WRONG = {
    "string_too_long": "is longer than {max_length} characters",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "holds more than one line",
    "too_long": "names more than {max_length} things",
    "greater_than_equal": "is no number of a decision",
    "less_than_equal": "is no number of a decision",
}
"""Pydantic's kinds of errors that can be typed."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a decision is to be taken and told."""

    yes: bool = False
    """Without asking, whatever the versions are."""
    preview: bool = False
    """Only told."""
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What an outcome is told with: names of artifacts and titles of requests, where they are known."""

    outcome: Outcome
    says: str
    artifacts: Mapping[str, Known]
    titles: Mapping[str, str]

    def request(self, name: str) -> str:
        """A request, with its title."""
        title = self.titles.get(name)
        return f"{name} ({title})" if title else name

    def artifact(self, name: str) -> str:
        """An artifact as people call it."""
        known = self.artifacts.get(name)
        if known is None or not known.natural_key:
            return name
        return named(known.kind, known.natural_key, known.created_at)


def who() -> str:
    """Name of the operating system's user. Raises WrongUse where they have none."""
    if name := user_name(os.getuid()):
        return name
    raise WrongUse("This user has no name here: say who decides with --by")


def form(told: Mapping[str, Any]) -> Asked:
    """What was typed, checked. Raises WrongUse that names what is wrong."""
    try:
        return _FORM.validate_python(told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = next((str(part) for part in first["loc"][1:] if isinstance(part, str)), "")
        what = _WRONG.get(first["type"], "is not valid").format_map(first.get("ctx") or {})
        raise WrongUse(f"{field or 'that'} {what}") from None


async def decide(
    made: "Installation", asked: Asked, manner: Manner, now: Callable[[], datetime], screen: Console, ask: Ask
) -> int:
    """Tell what it would do, ask, and take it on the versions that were shown; EXIT_REFUSED where it is not taken."""
    async with opened(made) as (engine, database):
        deciding = Deciding(engine, now)
        try:
            async with database.reading() as connection:
                ends = await wishes.resolved(connection, asked)
            made_on = frozenset({ANY})
            if manner.preview or not manner.yes:
                looked = await deciding.decide(wishes.wish_of(asked, ends), preview=True)
                await _tell(database, looked, manner, screen, preview=True)
                if manner.preview:
                    return 0
                if not ask("Decide this?"):
                    tell("Nothing is decided.")
                    return 0
                made_on = await _seen(engine, looked)
            noted = audit.noting(replace(THIS_MACHINE, name=asked.by), now, None)
            outcome = await deciding.decide(wishes.wish_of(asked, ends, made_on, noted=noted))
        except Unresolved as error:
            return unresolved(error, asked)
        except Refusal as error:
            return refused(error)
        await _tell(database, outcome, manner, screen, preview=False)
    return 0


async def _seen(engine: AsyncEngine, looked: Outcome) -> frozenset[str]:
    """The versions that were shown; of a decision about people there are none."""
    async with engine.connect() as connection:
        people = await decisions.about_people(connection, looked.decision)
    return frozenset({ANY}) if people else frozenset(looked.made_on.values())


def unresolved(error: Unresolved, asked: object) -> int:
    """Tell what a reference that was typed does not lead to; the exit code."""
    name, _, place = error.field.partition(".")
    typed = getattr(asked, name, None)
    words = typed[int(place)] if place and typed else typed
    tell(
        f"{short(words) if isinstance(words, str) else name} {error.what}. {error.mend}{':' if error.choices else '.'}"
    )
    for choice in error.choices:
        tell(f"  {choice}")
    return EXIT_NOT_FOUND if error.missing else EXIT_WRONG_USE


def refused(error: Refusal, nothing: int = EXIT_WRONG_USE) -> int:
    """Tell why a decision is not taken; the exit code. nothing: where what is asked for decides nothing."""
    tell(f"Refused: {error.problem}")
    tell(f"  {error.mend}")
    return {"unknown": EXIT_NOT_FOUND, "nothing to decide": nothing}.get(error.kind, EXIT_REFUSED)


async def _tell(database: Database, outcome: Outcome, manner: Manner, screen: Console, *, preview: bool) -> None:
    """What it does; for programs only in the end, as one line."""
    if manner.as_json and not (preview and not manner.preview):
        async with database.reading() as connection:
            (told,) = await decided.told(connection, [Stored(outcome.decision, None, "")])
        write_line(orjson.dumps({"decision": told, "preview": preview, **decided.effects(outcome)}).decode())
        return
    async with database.reading() as connection:
        shown = await seen_as(connection, outcome)
    lines = lines_of(shown, preview=preview)
    if manner.as_json:
        for line in lines:
            tell(line)
    else:
        screen.print(Text("\n".join(lines)))


def lines_of(shown: Shown, *, preview: bool) -> list[str]:
    """What is decided, or would be, and what that changes."""
    lines = [f"Would be decided: {shown.says}" if preview else f"Decided: {shown.says}"]
    lines += [f"  {line}" for line in effects(shown, preview=preview)]
    if not preview:
        number = shown.outcome.decision.number
        lines.append(f"This is decision {number}; `throughline undo {number}` takes it back.")
    return lines


async def seen_as(connection: AsyncConnection, outcome: Outcome) -> Shown:
    """An outcome with the names and titles it is told with."""
    called = await decisions.called(Bulk(connection), [outcome.decision])
    artifacts = {name for moved in outcome.moved for name in moved.artifacts}
    requests = {name for moved in outcome.moved for name in (moved.before, moved.after) if name}
    known = await reading.known(connection, artifacts)
    stored = await reading.requests(connection, requests)
    titles = {name: orjson.loads(one.record)["title"] or "" for name, one in stored.items()}
    return Shown(outcome, says(outcome.decision, called), {name: one[0] for name, one in known.items()}, titles)


def effects(shown: Shown, *, preview: bool) -> Iterator[str]:
    """Who moves, and what becomes of ids; a line for each."""
    if not shown.outcome.moved:
        yield "No artifact comes into another request"
        changed = shown.outcome.changed
        if changed:
            yield f"{counted(changed, 'request')} {'would change' if preview else 'changed'}"
        return
    yield from (_moved(shown, moved, preview=preview) for moved in shown.outcome.moved)
    told = decided.effects(shown.outcome)
    leads, is_ = ("would lead", "would be") if preview else ("leads", "is")
    yield from (f"{old} {leads} to {new} from then on" for old, new in told["redirects"].items())
    yield from (f"{name} {is_} a request of its own" for name in told["begun"])
    yield from (f"{name} {is_} no request any more" for name in told["ended"])


def _moved(shown: Shown, moved: Moved, *, preview: bool) -> str:
    """What comes from where into which request."""
    things, come = listed([shown.artifact(one) for one in moved.artifacts]), "would come" if preview else "came"
    if moved.after is None:
        be = "be" if preview else "are" if len(moved.artifacts) > 1 else "is"
        now = "" if preview else " now"
        return (
            f"{things} {come} out of {shown.request(moved.before or '')}, and {be} in no request{now}: "
            "nothing there opens one"
        )
    start = f"from {shown.request(moved.before)} " if moved.before else ""
    return f"{things} {come} {start}into {shown.request(moved.after)}"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which decisions are listed."""

    request: str | None = None
    artifact: str | None = None
    identity: str | None = None
    kind: str | None = None
    by: str | None = None
    holds: bool | None = None


async def show_all(
    made: "Installation", filters: Filters, limit: int, now: datetime, screen: Console, *, as_json: bool
) -> int:
    """List decisions, the newest first."""
    if filters.kind is not None and filters.kind not in tuple(DecisionKind):
        raise WrongUse(f"{filters.kind} is no kind of decision; give one of {', '.join(DecisionKind)}")
    async with opened(made) as (_, database), database.reading() as connection:
        try:
            names, request = await wishes.concerned(connection, filters.request, filters.artifact, filters.identity)
        except Unresolved as error:
            return unresolved(error, filters)
        wanted = Wanted(names, request, filters.kind, filters.by, filters.holds, None, limit)
        rows = await decided.page(connection, wanted)
        items = await decided.told(connection, rows[:limit])
    if as_json:
        for one in items:
            write_line(orjson.dumps(one).decode())
        return 0
    screen.print(by_width(_table(items, now)) if items else "No decision fits.")
    if len(rows) > limit:
        screen.print(Text(f"There are more; these are the newest {limit} (--limit).", style="dim"))
    return 0


def _table(items: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
    table.add_column("number", justify="right", no_wrap=True)
    table.add_column("when", no_wrap=True)
    table.add_column("what", ratio=3)
    table.add_column("reason", ratio=1)
    for one in items:
        what = Text(one["said"].partition(" that ")[2].rpartition(" (decision ")[0])
        what = Text.assemble(one["by"], ": ", what)
        if not one["holds"]:
            what.stylize("dim")
            what.append(f"; undone by decision {one['undone_by']}", style="yellow")
        table.add_row(str(one["number"]), moment(datetime.fromisoformat(one["at"]), now), what, Text(one["reason"]))
    return table


async def show(made: "Installation", number: int, screen: Console, *, as_json: bool) -> int:
    """Show one decision with what it changed when it was taken."""
    async with opened(made) as (_, database), database.reading() as connection:
        found = await decided.one(connection, number)
        if found is None:
            tell(f"There is no decision {number}; see `throughline decisions list`.")
            return EXIT_NOT_FOUND
        (told,) = await decided.told(connection, [found])
        shown = await seen_as(connection, found.outcome)
    if as_json:
        write_line(orjson.dumps({"decision": told, "preview": False, **decided.effects(found.outcome)}).decode())
        return 0
    lines = [Text(f"{told['said']}.", style="bold")]
    if told["reason"]:
        lines.append(Text(f"Reason: {told['reason']}"))
    if told["undone_by"]:
        lines.append(Text(f"It does not hold: decision {told['undone_by']} undid it.", style="yellow"))
    lines.append(Text("What it changed when it was taken:", style="dim"))
    lines += [Text(f"  {line}") for line in effects(shown, preview=False)]
    screen.print(Group(*lines))
    return 0
