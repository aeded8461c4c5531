"""The webhook of a connection, entered in its tool by the hub: only when an admin asks, who is told first what is
written. Asked again, it finds what is there: nothing is entered twice, and what does not fit is written over.

What is going to be written is noted before it is, and its secret is kept after: whoever is killed between the two
leaves a webhook that is found by its address and set anew. Until then its deliveries are refused, and polls read on.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr

from connectors.contract import Connector, HubError, Misconfigured, RetryLater, Step
from connectors.registering import Hook, Manner, RegistersWebhooks, Registry
from connectors.transport import Forbidden
from pipelines.store.engine import reading, writing
from services.admin import audit, forms, hooking, reach
from services.admin.equipment import Equipment
from services.admin.given import stored_whole
from services.admin.saving import Meanwhile, Who
from services.admin.setting_up import Wanted
from services.admin.trial import opened_tool
from services.feed import connections, registrations
from services.feed.connections import StoredConnection
from services.feed.registrations import Registration

_STEP = "webhook in the tool"
Does = Literal["enter", "write over", "keep"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written in the tool, or was."""

    title: str
    does: Does
    manner: Manner
    url: str
    instead: Hook | None
    """The one that is written over, or kept."""
    also: tuple[Hook, ...]
    """Others that send to us, and go."""
    why: str
    """Why the one that is there is written over; ""."""
    warning: str

    @property
    def says(self) -> str:
        """In sentences."""
        if self.does == "keep":
            assert self.instead is not None
            return f"{self.instead.says} in {self.title}, and as it should be: nothing is written."
        where = f", where {self.manner.filter}" if self.manner.filter else ""
        sends = f"sends to {self.url}. It tells of {', '.join(self.manner.events)}{where}"
        proof = "its address ends with a new token" if self.manner.ends_address else "it signs with a new secret"
        what = f"{sends}; {proof}, which only this hub keeps."
        if self.instead is None:
            told = f"{self.title} gets the webhook “{self.manner.name}”, which {what}"
        else:
            told = f"{self.instead.says} in {self.title}; {self.why}. It is written over: “{self.manner.name}” {what}"
        gone = "".join(f" {one.says}, sends to us, too, and goes." for one in self.also)
        return told + gone

    def told(self) -> dict[str, Any]:
        """As JSON; no address with a token in it."""
        return {
            "does": self.does, "says": self.says, "warning": self.warning or None,
            "writes": {"name": self.manner.name, "url": self.url, "events": list(self.manner.events),
                       "filter": self.manner.filter, "proof": self.manner.proof},
            "where": self.manner.where,
            "found": [one.says for one in ((self.instead,) if self.instead else ()) + self.also],
        }  # fmt: skip


async def preview(parts: Equipment, connector: Connector, stored: StoredConnection, *, renew: bool = False) -> Plan:
    """What registering would write. Writes nothing. Raises Misconfigured, RetryLater."""
    async with opened_registry(parts, connector, stored) as registry:
        return await _planned(parts, connector, stored, registry, renew=renew)


async def register(
    parts: Equipment, connector: Connector, stored: StoredConnection, who: Who, *, renew: bool = False
) -> Plan:
    """Write it. renew: with another secret though it is well. Raises Misconfigured, RetryLater; Meanwhile where
    somebody else did so at the same moment, in another process."""
    async with parts.turn(stored.id):
        stored = await as_it_is(parts, stored)
        async with opened_registry(parts, connector, stored) as registry:
            plan = await _planned(parts, connector, stored, registry, renew=renew)
            if plan.does != "keep":
                await _write(parts, stored, registry, plan, who)
    return plan


async def as_it_is(parts: Equipment, stored: StoredConnection) -> StoredConnection:
    """The same connection after its turn was waited for. Raises Meanwhile where it is gone."""
    async with reading(parts.engine) as connection:
        now = await connections.get(connection, stored.id)
    if now is None:
        raise Meanwhile(stored.id)
    return now


async def _write(parts: Equipment, stored: StoredConnection, registry: Registry, plan: Plan, who: Who) -> None:
    attempt, secret = secrets.token_urlsafe(16), SecretStr(secrets.token_urlsafe(32))
    async with writing(parts.engine) as connection:
        before = await registrations.begin(connection, stored.id, plan.url, attempt, parts.now())
        await _note(parts, connection, who, "connection.webhook begun", stored.id, plan)
    try:
        await registry.put(plan.manner, plan.url, secret, plan.instead.id if plan.instead else None)
    except Misconfigured:  # nothing was written
        async with writing(parts.engine) as connection:
            await registrations.restore(connection, stored.id, before)
        raise
    for one in plan.also:
        await registry.drop(one.id)
    there = await registry.found()
    if plan.manner.address(plan.url, secret) not in (one.url for one in there):
        raise RetryLater(f"{plan.title} took the webhook and does not show it")
    async with writing(parts.engine) as connection:
        kept = await registrations.end(
            connection, parts.keys, stored.id, plan.url, attempt, plan.manner.proof, secret, parts.now()
        )
        if kept:
            await _note(parts, connection, who, "connection.webhook registered", stored.id, plan)
    if not kept:
        raise Meanwhile(stored.id)


async def _note(parts: Equipment, connection: Any, who: Who, action: str, name: str, plan: Plan) -> None:
    before = {"found": [one.says for one in (plan.instead, *plan.also) if one is not None]}
    after = {"url": plan.url, "events": list(plan.manner.events), "filter": plan.manner.filter,
             "given": [plan.manner.proof]}  # fmt: skip
    await audit.note(connection, who.caller, action, f"connection {name}", before, after, parts.now(), who.where)


async def _planned(
    parts: Equipment, connector: Connector, stored: StoredConnection, registry: Registry, *, renew: bool
) -> Plan:
    options = stored_whole(connector.Options, stored, parts.keys)
    warning = await reach.judged(parts, connector.title, options)
    manner = await registry.manner()
    url = hooking.address_of(parts, stored.id)
    async with reading(parts.engine) as connection:
        noted = await registrations.of(connection, stored.id)
    there = ours(await registry.found(), url, noted)
    first, also = (there[0] if there else None), tuple(there[1:])
    why = _why(parts, stored, manner, url, first, noted) or ("another secret was asked for" if renew else "")
    why = why or ("it is not the only one" if also else "")
    does: Does = "enter" if first is None else "write over" if why else "keep"
    return Plan(connector.title, does, manner, url, first, also, why, warning)


def ours(found: Sequence[Hook], url: str, noted: Registration | None) -> list[Hook]:
    """Those that send to this connection's address, as it is or as the hub once entered it; the present one first."""
    once = noted.urls if noted else ()
    mine = [one for one in found if any(_at(one.url, each) for each in (url, *once))]
    return sorted(mine, key=lambda one: not _at(one.url, url))


def _at(address: str, url: str) -> bool:
    """Whether it is that one, with or without a path token."""
    rest = address.rstrip("/").removeprefix(url)
    return rest != address.rstrip("/") and (not rest or (rest.startswith("/") and "/" not in rest[1:]))


def _why(
    parts: Equipment, stored: StoredConnection, manner: Manner, url: str, hook: Hook | None, noted: Registration | None
) -> str:
    """Why the one that is there does not do; "" if it does."""
    if hook is None:
        return ""
    if not _at(hook.url, url):
        return "it sends to where this hub was reached before"
    if not hook.enabled:
        return "it is to be enabled"
    if not hook.fits:
        return "it tells of other events, or of other things, than are read"
    if noted is None:
        return "a person entered it, and its secret is to be one that the hub made"
    secret = registrations.opened(parts.keys, stored.id, manner.proof, stored.secrets.get(manner.proof))
    if noted.done_at is None or secret is None or registrations.proof_of(secret) != noted.proof:
        return "it is not known whether its secret is the one that is stored here"
    return "" if hook.url == manner.address(url, secret) else "its address ends with another token"


@asynccontextmanager
async def opened_registry(parts: Equipment, connector: Connector, stored: StoredConnection) -> AsyncIterator[Registry]:
    """The tool's webhooks. Raises Misconfigured where the tool lets nobody register any."""
    told = forms.extra_of(connector.Options).get("webhooks") or {}
    if not told.get("registers"):
        why = told.get("registered") or f"{connector.title} sends no webhooks: it is asked from time to time."
        raise Misconfigured(f"{connector.title} takes no webhook from the hub", str(why))
    options = stored_whole(connector.Options, stored, parts.keys)
    async with opened_tool(parts, connector, stored.id, options, stored=stored) as tool:
        assert isinstance(tool.source, RegistersWebhooks), "its options say so"
        yield tool.source.registry


async def seen(parts: Equipment, wanted: Wanted) -> Step | None:
    """What the tool says of the webhook that sends to a connection; None where it lets nobody look, or no secret is
    given, so that no delivery would count."""
    if not hooking.proves(wanted):
        return None
    async with opened_tool(parts, wanted.connector, wanted.name, wanted.options) as tool:
        if not isinstance(tool.source, RegistersWebhooks):
            return None
        url = hooking.address_of(parts, wanted.name)
        async with reading(parts.engine) as connection:
            noted = await registrations.of(connection, wanted.name)
        try:
            there = ours(await tool.source.registry.found(), url, noted)
        except Forbidden as error:
            return Step(_STEP, ok=True, says=f"Nobody looked: {error.problem}")
        except HubError as error:
            return Step(_STEP, ok=False, says=str(error))
    title = wanted.connector.title
    if not there:
        return Step(_STEP, ok=False, says=f"{title} has none that sends to {url}: enter it there, or have it entered")
    sends, more = _at(there[0].url, url), f"; {len(there) - 1} more send to us" if there[1:] else ""
    says = f"{there[0].says} in {title}" + ("" if sends else f", and does not send to {url}") + more
    return Step(_STEP, ok=sends and there[0].enabled, says=says)
