"""A change of rules through the API: on what its caller saw, once for one key, tried first where that is asked."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from pipelines.store import choices, configuration
from pipelines.store.choices import Change, Choice, Meanwhile
from pipelines.store.configuration import NO_CHOICE, NOTHING, Chosen, ConnectionConfiguration, Installation
from pipelines.trying import Difference
from schemas.canonical import canonical_json, digest
from schemas.errors import Misconfigured
from services.admin.conditions import Acting, changed, check
from services.admin.rules_form import LimitsForm, RulesForm, chosen_of, limits_of, told_again, unknown_kind
from services.admin.rules_told import RulesChange, answer_told
from services.admin.rules_trying import Trial, etag_of, hold, trial, tried
from services.query.problems import wrong
from services.query.refused import Refused
from services.query.serving import answer

SECONDS = 5.0
"""A preview tries for so long; what it has not come to is not counted, and it says so."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Groups of things that a change can concern."""

    names: tuple[str, ...] | None = None
    """None: it may be any."""
    more: bool = False
    """There are others."""


Among = Callable[[AsyncConnection, Trial], Awaitable[Concerned]]
"""Finds what a change can concern."""


async def everywhere(connection: AsyncConnection, one: Trial) -> Concerned:
    """Nothing is known of what it concerns."""
    del connection, one
    return Concerned()


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that is asked for."""

    name: str
    """A connection, or ALL."""
    if_match: str
    key: str | None
    preview: bool
    body: Any
    """By which a repeated call is known to ask for the same."""
    among: Among = field(default=everywhere)

    @property
    def marked(self) -> tuple[str, str] | None:
        """The key, with a digest of what is asked."""
        return (self.key.strip('"'), digest(canonical_json([self.name, self.body]))) if self.key else None

    @property
    def on(self) -> str:
        """What is changed, for the audit."""
        return f"rules of {self.name or 'all connections'}"


async def again(acting: Acting, asked: Asked) -> Response | None:
    """What a call with the same key did before."""
    if asked.marked is None or asked.preview:
        return None
    key, said = asked.marked
    async with acting.parts.database.reading() as connection:
        before = await choices.again(connection, key)
    if before is None:
        return None
    if before.asked != said:
        raise Refused(422, "key-used", "This Idempotency-Key was used for something else.", "Give each change its own.")
    return _made(before)


def _made(change: Change) -> Response:
    told = answer_told(change.connection, change.before, change.after, number=change.number, remarks=[],
                       difference=None, preview=False)  # fmt: skip
    return answer(told, 201, {"Location": f"/v1/rules/changes/{change.number}"})


async def current(acting: Acting, name: str) -> Choice:
    """What is chosen now. Raises Refused for a connection that is not known."""
    async with acting.parts.database.reading() as connection:
        try:
            return await choices.current(connection, name)
        except Misconfigured:
            raise unknown() from None


def unknown() -> Refused:
    """No rules of this name."""
    return Refused(404, "unknown-connection", "There is no connection of this name.", "See /v1/rules.")


async def change(
    acting: Acting, asked: Asked, before: Choice, after: Choice, remarks: Iterable[str] = ()
) -> Response:  # fmt: skip
    """Try it, or let it hold. Raises Refused where something else is chosen than the caller saw."""
    check(etag_of(before), asked.if_match, asked.name or "installation")
    lines = list(remarks)
    if asked.preview or before == after:
        found = await _tried(acting, asked, before, after) if asked.preview else None
        told = answer_told(asked.name, before, after, number=None, remarks=lines, difference=found,
                           preview=asked.preview)  # fmt: skip
        return answer(told)
    number = await _held(acting, asked, before, after)
    told = answer_told(asked.name, before, after, number=number, remarks=lines, difference=None, preview=False)
    return answer(told, 201, {"Location": f"/v1/rules/changes/{number}"})


async def _tried(acting: Acting, asked: Asked, before: Choice, after: Choice) -> Difference:
    """Within SECONDS, what is looked for and what is tried together; a little is always tried."""
    clock = asyncio.get_running_loop().time
    until = clock() + SECONDS
    async with acting.parts.database.reading() as connection:
        one = await trial(connection, asked.name, before, after)
        among = await asked.among(connection, one)
    async with acting.parts.database.reading() as connection:
        found = await tried(connection, one, max(1.0, until - clock()), among.names)
    found.sample = found.sample or among.more
    return found


async def _held(acting: Acting, asked: Asked, before: Choice, after: Choice) -> int:
    try:
        async with acting.changing() as connection:
            one = await trial(connection, asked.name, before, after)
            number = await hold(connection, one, acting.caller.name, acting.now, asked.marked)
            became = {"chosen": told_again(after), "change": number}
            await acting.note(connection, "rules.changed", asked.on, {"chosen": told_again(before)}, became)
    except Meanwhile:
        now = await current(acting, asked.name)
        raise changed({asked.name or "installation": etag_of(now)}) from None
    return number


def wanted(given: RulesChange, own: ConnectionConfiguration) -> Chosen:
    """What a connection's choice becomes. Raises Refused for a key that is not of a connection, a kind not read."""
    foreign = given.given.keys() - RulesForm.model_fields.keys()
    if foreign:
        raise wrong(f"body.{min(foreign)}", "is of all connections together", "leave out the connection")
    if found := unknown_kind(given.stages or (), {rule.kind for rule in own.stages}):
        place, known = found
        raise wrong(f"body.stages.{place}.kind", "is no kind of thing that this connector reads",
                    f"give one of {', '.join(known)}")  # fmt: skip
    told = {name: one for name, one in given.given.items() if one is not None}
    chosen = chosen_of(RulesForm.model_validate(told), own.connector)
    values = {name: getattr(chosen if name in told else NOTHING, name) for name in given.given}
    return replace(own.chosen, **values)


def limits_wanted(given: RulesChange, before: Installation) -> Installation:
    """What the choice for all connections becomes."""
    foreign = given.given.keys() - LimitsForm.model_fields.keys()
    if foreign:
        raise wrong(f"body.{min(foreign)}", "is of one connection", "name the connection")
    told = {name: one for name, one in given.given.items() if one is not None}
    chosen = limits_of(LimitsForm.model_validate(told))
    values = {name: getattr(chosen if name in told else NO_CHOICE, name) for name in given.given}
    after = replace(before, **values)
    if after.called_generic & after.called_specific:
        raise wrong("body.called_specific", "holds a value that is called generic, too", "call it one of the two")
    return after


async def own_of(acting: Acting, name: str) -> ConnectionConfiguration:
    """A connection's configuration. Raises Refused for one that is not known."""
    async with acting.parts.database.reading() as connection:
        every = await configuration.every(connection)
    if name not in every:
        raise unknown()
    return every[name]
