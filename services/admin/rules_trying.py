"""What a choice over the rules would change, tried on what is stored; and how it comes to hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import choices, configuration, values
from pipelines.store.choices import Choice
from pipelines.store.configuration import Chosen, Configuration, ConnectionConfiguration, Installation
from pipelines.store.pending import ask_everything
from pipelines.trying import MOST, Difference, difference, difference_among, difference_in
from schemas.canonical import canonical_json, digest
from schemas.errors import Misconfigured
from services.admin.rules_form import told_again
from services.admin.words import counted

_CARRIED = 50
"""Groups of things that a change of what one value means is tried on."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice in place of another, with all rules as they are and as they would be."""

    name: str
    """A connection, or ALL."""
    before: Choice
    after: Choice
    now: Configuration
    then: Configuration


async def trial(connection: AsyncConnection, name: str, before: Choice, after: Choice) -> Trial:
    """Put together what is compared. Raises Misconfigured for a connection that is not known."""
    every, for_all = await configuration.every(connection), await configuration.installation(connection)
    now = configuration.combine(every, for_all)
    if isinstance(after, Installation):
        return Trial(name, before, after, now, configuration.combine(every, after))
    return Trial(name, before, after, now, configuration.combine(_with(every, name, after), for_all))


def _with(
    every: Mapping[str, ConnectionConfiguration], name: str, chosen: Chosen
) -> dict[str, ConnectionConfiguration]:
    if name not in every:
        raise Misconfigured(f"There is no connection {name}", "Look at `throughline connections list`", "name")
    return {**every, name: replace(every[name], chosen=chosen)}


async def tried(
    connection: AsyncConnection, one: Trial, seconds: float | None = None, among: Iterable[str] | None = None
) -> Difference:
    """Compare what it may concern, up to a number of groups of things and up to so many seconds; the difference says
    whether that is a sample. among: the groups that it can concern, where they are known."""
    if among is not None:
        return await difference_in(connection, one.now, one.then, list(among), seconds=seconds)
    before, after = one.before, one.after
    if isinstance(before, Chosen) and isinstance(after, Chosen):
        # A project or a scope gives what others name a new meaning; everything else concerns its own things.
        everywhere = (after.projects, after.scopes) != (before.projects, before.scopes)
        return await difference(connection, one.now, one.then, None if everywhere else one.name, MOST, seconds)
    changed = _called(one)
    if not changed:
        return await difference(connection, one.now, one.then, None, MOST, seconds)
    names = [
        each for value in sorted(changed) for each in await values.components_with(connection, value, _CARRIED + 1)
    ]
    return await difference_among(connection, one.now, one.then, sorted(set(names)), _CARRIED)


def _called(one: Trial) -> frozenset[str]:
    """Values that are called otherwise."""
    now, then = one.now.rules, one.then.rules
    return (now.called_generic ^ then.called_generic) | (now.called_specific ^ then.called_specific)


async def hold(
    connection: AsyncConnection, one: Trial, by: str, at: datetime, key: tuple[str, str] | None = None
) -> int:
    """Let the choice hold, keep the change, and have computed again what it concerns, in the caller's transaction.

    Returns the number of the change. Raises choices.Meanwhile where something else is chosen by now.
    """
    number = await choices.make(connection, one.name, one.before, one.after, by, at, key)
    await values.look_again(connection, one.now.rules, one.then.rules)
    if _plain(one.now) != _plain(one.then):
        await ask_everything(connection, f"change {number} of the rules", at)
    return number


def _plain(one: Configuration) -> Any:
    """Without what is looked up by value, which is computed again by itself."""
    return replace(one.rules, called_generic=frozenset(), called_specific=frozenset()), one.stage_map


def etag_of(choice: Choice) -> str:
    """Of what was chosen, in whatever order its names were given."""
    return digest(choice.to_json() if isinstance(choice, Installation) else canonical_json(told_again(choice)))[:16]


def said(found: Difference) -> str:
    """What other rules would change, in one sentence or two."""
    of = (
        f"the first {found.components:,} groups of things that it may concern" if found.sample else "all it may concern"
    )
    looked = f"Tried on {of} ({counted(found.requests, 'request')}):"
    if not found.any:
        return f"{looked} no request would change its stage, its state or its parts."
    parts: Iterable[tuple[int, str]] = (
        (found.other_stage, "in another stage"),
        (found.other_state, "in the same stage with another state"),
        (found.merged, "one with another"),
        (found.split, "split"),
        (found.grown, "joined by what is in none"),
        (found.begun, "new"),
        (found.ended, "no request any more"),
    )
    told = "; ".join(f"{number:,} would be {words}" for number, words in parts if number)
    return f"{looked} {told}. Such as {', '.join(found.examples)}" if found.examples else f"{looked} {told}."
