"""`throughline why`: the chain between two things, or what came nearest to joining them, as a person reads it."""

import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.correlate.evidence import CALLED_GENERIC
from pipelines.correlate.reasons import Reason, Said
from pipelines.why import Why, why
from schemas.artifacts import request_id
from services.cli.terminal import EXIT_NOT_FOUND, opened, tell, write_line
from services.cli.words import listed, moment, short
from services.query.finding import Found, find
from services.query.reading import Known
from services.query.reasons import meant, told_any

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.cli.installation import Installation

_MORE = "`throughline lookup {}` tells how it was read, what is read and since when."

TOLD_AGAINST = 5
"""Links that speak against a chain, shown at most."""


async def ask(
    made: "Installation", reference: str, other: str | None, now: datetime, screen: Console, *, as_json: bool
) -> int:
    """Print why two things belong together, or why not. EXIT_NOT_FOUND where nothing is known by a reference.

    other: None for the oldest part of the request that the first is in.
    """
    async with opened(made) as (_, database):
        asked = [reference] if other is None else [reference, other]
        async with database.reading() as connection:
            found = await find(connection, asked)
            for text, one in zip(asked, found, strict=True):
                if not one.artifacts:
                    tell(f"Not found in what is read so far: {short(text)}")
                    tell(f"  {one.gone.said}." if one.gone else f"  {_MORE.format(shlex.quote(short(text)))}")
                    return EXIT_NOT_FOUND
            named = (found[0], found[-1] if other is not None else await _oldest(connection, found[0]))
        ends = meant(named[0].artifacts, named[1].artifacts)
        answer = await why(database.reading, ends[0].artifact, ends[1].artifact)
    if as_json:
        write_line(orjson.dumps(told_any(answer, ends, named)).decode())
    else:
        screen.print(shown(answer, named, ends, now))
    return 0


async def _oldest(connection: "AsyncConnection", found: Found) -> Found:
    """The artifact that the request is named after; of what is in none itself."""
    request = next((one.request for one in found.artifacts if one.request), None)
    return (await find(connection, [request]))[0] if request else found


def shown(answer: Why, named: tuple[Found, Found], ends: tuple[Known, Known], now: datetime) -> RenderableType:
    """The whole answer. named: all that was found by each reference, ends: which of it is meant."""
    return Group(*_parts(answer, ends, now, [*_also(named, ends)]))


def _also(named: tuple[Found, Found], ends: tuple[Known, Known]) -> Iterator[str]:
    for found, end in zip(named, ends, strict=True):
        others = [one.artifact for one in found.artifacts if one.artifact != end.artifact]
        if others:
            yield f"Read as {end.artifact}; also known by that: {listed(others)}."


def _parts(answer: Why, ends: tuple[Known, Known], now: datetime, also: Sequence[str]) -> Iterator[RenderableType]:
    reason = answer.reason
    told = _Told(reason.sentence)
    yield Text(f"{reason.sentence}.", style="bold" if reason.together else "bold yellow")
    yield Text(_where(reason), style="dim")
    yield from (Text(line, style="yellow") for line in also)
    if reason.left == reason.right and reason.left_request == request_id(reason.left):
        yield Text("It is the oldest part of its request; --with names another thing.")
    if reason.steps:
        yield Text("\nHow" if reason.together else "\nThe nearest that leads from one to the other", style="bold")
        yield _steps(reason.steps, answer, now, told)
    yield from _apart(reason, told)
    yield from _against(answer, now, told)
    if reason.remarks:
        yield Text("\nLeft out while it was put together", style="bold")
        yield from (Text(f"  {remark}") for remark in reason.remarks)
    if not reason.together:
        yield from _mends(reason, ends)
    elif numbers := _numbers(reason):
        yield Text(f"{_undo(numbers)} takes that back.", style="dim")


def _where(reason: Reason) -> str:
    left, right = reason.left_request or "in no request", reason.right_request or "in no request"
    return left if left == right else f"{left} and {right}"


_DECISION = re.compile(r"\(decision (\d+)\)")
"""How a sentence about a decision ends."""


class _Told:
    """Which sentences of decisions an answer told already: each is told once."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        self._numbers = set(_numbers_in(sentence))

    def step(self, said: Said) -> str:
        """A link's sentence; "" where the answer is that sentence, and no more."""
        if said.sentence == self._sentence:
            return ""
        number = said.link.decision
        ending = f", but {said.kept}"
        if said.kept and number in self._numbers and said.sentence.endswith(ending):
            return f"{said.sentence.removesuffix(ending)}, but decision {number} keeps it from joining"
        self._numbers.update(_numbers_in(said.sentence))
        return said.sentence

    def again(self, sentence: str) -> bool:
        """Whether all decisions in a sentence were told already; from now on they are."""
        numbers = set(_numbers_in(sentence))
        known = bool(numbers) and numbers <= self._numbers
        self._numbers |= numbers
        return known


def _numbers_in(sentence: str) -> list[int]:
    return [int(number) for number in _DECISION.findall(sentence)]


def _steps(steps: Sequence[Said], answer: Why, now: datetime, told: _Told) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(ratio=1)
    for place, said in enumerate(steps, 1):
        table.add_row(f"  {place}", _step(said, answer, now, told.step(said)))
    return table


def _step(said: Said, answer: Why, now: datetime, sentence: str) -> RenderableType:
    words = answer.words[said.link]
    lines = [Text(sentence, style="yellow" if said.kept else "")] if sentence else []
    if said.carried_by:
        lines.append(Text(f"{said.carried_by:,} artifacts name it", style="yellow"))
    if words.around:
        lines.append(_quoted(words.around, words.marked))
    if words.hidden:
        lines.append(Text("(words that are left out)", style="dim"))
    lines.append(Text(_basis(said, answer.version, now), style="dim"))
    return Group(*lines)


def _quoted(around: str, marked: tuple[int, int] | None) -> Text:
    """The words, with the value between square brackets."""
    if marked is None:
        return Text(f"“{around}”")
    start, end = marked
    value = (f"[{around[start:end]}]", "bold")
    return Text.assemble(f"“{around[:start]}", value, f"{around[end:]}”")


def _basis(said: Said, version: str, now: datetime) -> str:
    """By which rule, where it stands, since when."""
    link = said.link
    place = f", field {link.field}" if link.field else ""
    if link.start >= 0:
        place += f", character {link.start + 1}"
    since = f"since {moment(said.since, now)}" if said.since else "since when is not known"
    return f"{link.rule} (rules version {version}){place}, {since}"


def _apart(reason: Reason, told: _Told) -> Iterator[RenderableType]:
    yield from (Text(f"\n{sentence}.", style="yellow") for _, sentence in reason.decisions if not told.again(sentence))
    if reason.outside:
        yield Text()
        for _, sentence in reason.outside:
            thing, where, _ = sentence.partition(" is in no request: ")
            by = listed([f"decision {number}" for number in _numbers_in(sentence)])
            yield Text(f"{thing}{where[:-2]}, by {by}." if told.again(sentence) else f"{sentence}.")
    if reason.shared:
        yield Text("\nBoth name", style="bold")
        for one in reason.shared:
            kind, _, value = (one.key or "").partition("|")
            named = "a value that is left out" if not kind else "a long value" if kind == "sha256" else short(value)
            yield Text(f"  {named}: {one.why}")


def _against(answer: Why, now: datetime, told: _Told) -> Iterator[RenderableType]:
    against = answer.reason.against
    if not against:
        return
    yield Text("\nWhat speaks against it", style="bold")
    for said in against[:TOLD_AGAINST]:
        other = f" ({said.other_request})" if said.other_request else ""
        since = f", since {moment(said.since, now)}" if said.since else ""
        yield Text(f"  {told.step(said)}{since}{other}")
    more = len(against) - TOLD_AGAINST + answer.reason.more_against
    if more > 0:
        yield Text(f"  and {more:,} more; --json tells more of them", style="dim")


def _numbers(reason: Reason) -> list[int]:
    """Decisions that keep them apart, or out of every request, in the order of the answer."""
    apart = [number for number, _ in reason.decisions]
    kept = [said.link.decision for said in reason.steps if said.kept and said.link.decision is not None]
    out = [number for _, sentence in reason.outside for number in _numbers_in(sentence)]
    return list(dict.fromkeys((*apart, *kept, *out)))


def _undo(numbers: Sequence[int]) -> str:
    return listed([f"`throughline undo {number}`" for number in numbers])


def _mends(reason: Reason, ends: tuple[Known, Known]) -> Iterator[RenderableType]:
    """What a person could do so that they come together."""
    yield Text("\nWhat would bring them together", style="bold")
    numbers = _numbers(reason)
    if numbers:
        more = not (reason.decisions or reason.steps)
        first = "First " if more else ""
        yield Text(f"  {first}{_undo(numbers)}: no evidence overrules what a person decided.")
        if not more:
            return
    yield Text("  In a tool: a link between them of a kind that joins, or the key of one in the other's title.")
    kept = [said for said in reason.steps if said.kept]
    if any(said.link.rule == "link type" and said.link.kind == "mentions" for said in kept):
        yield Text("  By rules: `throughline rules apply` says what each kind of link does in a connection.")
    if any("connections may mean it" in said.kept for said in kept):
        yield Text("  In the text: the whole address in place of the bare key says whose it is.")
    if any(said.kept == CALLED_GENERIC or said.carried_by for said in kept):
        yield Text("  By its meaning: `throughline values` says what too many name, and takes your word for it.")
    left, right = (shlex.quote(end.natural_key or end.artifact) for end in ends)
    yield Text(f"  By a decision, which stands before all evidence: `throughline link {left} {right}`")
