"""Connections added, changed, paused, resumed and read again: each in one transaction with its entry in the audit.

The API, the commands and files all come here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import configuration
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.store.engine import writing
from pipelines.store.pending import ask_everything
from schemas.access import Caller
from schemas.canonical import instant
from schemas.errors import Misconfigured
from services.admin import audit, removal
from services.admin.equipment import Equipment
from services.admin.given import WHERE_TO, elsewhere
from services.admin.setting_up import Wanted
from services.feed import connections, looking
from services.feed.connections import PAUSED, READING, StoredConnection, split_secrets
from services.feed.rules import configuration_of
from services.security import KeyRing, key_id_of

STOPPED = "stopped"
FORGOTTEN, NEW, RESEALED = "forgotten", "a new secret", "sealed with the new key"
"""What can happen to a secret."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who does it, and from where; None: from this machine."""

    caller: Caller
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Differs:
    """What another title and other options change."""

    before: dict[str, Any]
    after: dict[str, Any]
    """By dotted name, only what differs; of secrets only what happens to them."""

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    @property
    def lines(self) -> list[str]:
        """For a person."""
        return [f"{name}: {self._said(name)}" for name in dict.fromkeys([*self.after, *self.before])]

    def _said(self, name: str) -> str:
        old, new = self.before.get(name), self.after.get(name)
        if isinstance(new, Secret):
            return new.happens
        return f"{worded(old) or 'nothing'} → {worded(new) or 'nothing'}"

    def told(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """As the audit keeps it."""
        after = {name: one for name, one in self.after.items() if not isinstance(one, Secret)}
        for happens, key in ((NEW, "given"), (FORGOTTEN, "forgotten"), (RESEALED, "sealed anew")):
            names = [name for name, one in self.after.items() if isinstance(one, Secret) and one.happens == happens]
            after |= {key: names} if names else {}
        return self.before, after


@dataclass(frozen=True, slots=True)
class Secret:
    """Stands in the place of a secret."""

    happens: str


class Meanwhile(Misconfigured):
    """Somebody was quicker; nothing was overwritten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} was changed or removed meanwhile", "Look at it, and change it again")


class BeingRemoved(Misconfigured):
    """What a connection of this name brought is not gone yet."""

    def __init__(self, name: str) -> None:
        super().__init__(f"What {name} brought is being removed", "Wait until that is done", "name")


async def _nothing(connection: AsyncConnection) -> None:
    del connection


async def add(
    parts: Equipment, wanted: Wanted, own: ConnectionConfiguration, who: Who,
    then: Callable[[AsyncConnection], Awaitable[None]] = _nothing,
) -> None:  # fmt: skip
    """The connection, what it adds to the rules, and that everything is to be computed again. then: what else belongs
    to the transaction. Raises Misconfigured."""
    async with writing(parts.engine) as connection:
        if await removal.under_way(connection, wanted.name):
            raise BeingRemoved(wanted.name)
        await connections.add(
            connection, wanted.name, wanted.connector.name, wanted.title, wanted.options, wanted.since, parts.keys
        )
        await configuration.write(connection, wanted.name, own)
        await ask_everything(connection, f"connection {wanted.name} added", parts.now())
        plain, secrets = split_secrets(wanted.options)
        after = {
            "title": wanted.title, "connector": wanted.connector.name, **dict(described(plain)),
            "since": instant(wanted.since) if wanted.since else None, "given": sorted(secrets),
        }  # fmt: skip
        await _note(parts, connection, who, "connection.added", wanted.name, None, after)
        await then(connection)


async def change(parts: Equipment, stored: StoredConnection, wanted: Wanted, seen: frozenset[str], who: Who) -> bool:
    """Other options and secrets; whoever reads with the old ones begins anew. True: another address is read, or may
    be, where the cursor means nothing, so everything is read again. Raises Misconfigured where it was changed
    meanwhile."""
    again = moves(stored, wanted)
    found = differs(parts.keys, stored, wanted)
    async with writing(parts.engine) as connection:
        if not await connections.reconfigure(connection, stored, wanted.title, wanted.options, parts.keys):
            raise Meanwhile(stored.id)
        await looking.anew(connection, stored.id)
        if again:
            await connections.start_again(connection, stored.id, stored.since)
        before = (await configuration.every(connection)).get(stored.id)
        await configuration.write(connection, stored.id, configuration_of(wanted.connector, wanted.options, seen))
        if (await configuration.every(connection)).get(stored.id) != before:
            await ask_everything(connection, f"connection {stored.id} changed", parts.now())
        await _note(parts, connection, who, "connection.changed", stored.id, *found.told())
    return again


def moves(stored: StoredConnection, wanted: Wanted) -> bool:
    """Whether another mailbox or another address is read, or may be."""
    return elsewhere(stored.options, split_secrets(wanted.options)[0], *WHERE_TO, "auth.user")


async def pause(parts: Equipment, stored: StoredConnection, who: Who) -> None:
    """Stop reading; what was read stays, and webhooks are kept for later."""
    async with writing(parts.engine) as connection:
        await connections.change(connection, stored.id, state=PAUSED)
        await _note_state(parts, connection, who, "connection.paused", stored, PAUSED)


async def stop(parts: Equipment, stored: StoredConnection, who: Who) -> None:
    """Stop reading for good, until somebody resumes it: nothing is expected of it any more."""
    async with writing(parts.engine) as connection:
        await connections.change(
            connection, stored.id, state=STOPPED, problem=None, attention=False, retry_at=None, wanted=False
        )
        await _note_state(parts, connection, who, "connection.stopped", stored, STOPPED)


async def resume(parts: Equipment, stored: StoredConnection, who: Who) -> None:
    """Read on from where it was, at once."""
    async with writing(parts.engine) as connection:
        await connections.change(
            connection, stored.id, state=READING, wanted=True, retry_at=None, problem=None, attention=False
        )
        await _note_state(parts, connection, who, "connection.resumed", stored, READING)


async def read_again(parts: Equipment, stored: StoredConnection, since: datetime | None, who: Who) -> None:
    """Read again from a moment on (None: the beginning); what is known falls out as a duplicate."""
    async with writing(parts.engine) as connection:
        await connections.start_again(connection, stored.id, since)
        before, after = ({"since": instant(one) if one else None} for one in (stored.since, since))
        await _note(parts, connection, who, "connection.read again", stored.id, before, after)


async def reset(parts: Equipment, stored: StoredConnection, who: Who) -> None:
    """As if it were new: the cursor, what is open of it, its problem and its pause are forgotten; what it brought and
    its options stay. It is read again from where its first read began."""
    async with writing(parts.engine) as connection:
        await connections.start_again(connection, stored.id, stored.since)
        await connections.change(
            connection, stored.id, state=READING, true_up_to=None, alive_at=None, census_cursor=None, census_at=None
        )
        await _note_state(parts, connection, who, "connection.reset", stored, READING)


async def _note_state(
    parts: Equipment, connection: AsyncConnection, who: Who, action: str, stored: StoredConnection, state: str
) -> None:
    await _note(parts, connection, who, action, stored.id, {"state": stored.state}, {"state": state})


async def _note(
    parts: Equipment, connection: AsyncConnection, who: Who, action: str, name: str,
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None,
) -> None:  # fmt: skip
    await audit.note(connection, who.caller, action, f"connection {name}", before, after, parts.now(), who.where)


def differs(keys: KeyRing, stored: StoredConnection, wanted: Wanted) -> Differs:
    """What would be otherwise."""
    plain, secrets = split_secrets(wanted.options)
    before, after = dict(described(stored.options)), dict(described(plain))
    if wanted.title != stored.title:
        before, after = {"title": stored.title, **before}, {"title": wanted.title, **after}
    names = [name for name in dict.fromkeys([*after, *before]) if worded(before.get(name)) != worded(after.get(name))]
    old, new = {name: before.get(name) for name in names}, {name: after.get(name) for name in names}
    for name in sorted({*secrets, *stored.secrets}):
        happens = _happens(keys, stored, name, secrets.get(name))
        if happens:
            new[name] = Secret(happens)
    return Differs(old, new)


def _happens(keys: KeyRing, stored: StoredConnection, name: str, secret: SecretStr | None) -> str:
    if secret is None:
        return FORGOTTEN
    if name not in stored.secrets or not connections.holds(keys, stored.id, name, stored.secrets[name], secret):
        return NEW
    return RESEALED if key_id_of(stored.secrets[name], name) != keys.key_ids[0] else ""


def described(options: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Options as (dotted name, value), nested ones by their path."""
    lines: list[tuple[str, Any]] = []
    for name, value in options.items():
        if isinstance(value, dict):
            lines += described(value, f"{prefix}{name}.")
        else:
            lines.append((prefix + name, value))
    return lines


def worded(value: Any) -> str:
    """An option's value as people write it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
