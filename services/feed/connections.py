"""Configured connections: options, sealed secrets, state. The feed's only way to its `connections` table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import artifacts, rules, source_events
from schemas.canonical import canonical_json
from schemas.errors import Misconfigured
from services.feed.objections import objections
from services.feed.tables import connections, inbox, pages
from services.feed.watch_tables import OWN
from services.security import KeyRing, LostKey

READING, PAUSED = "reading", "paused"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection as it is stored; its secrets are sealed."""

    id: str
    connector: str
    title: str
    options: dict[str, Any]
    secrets: dict[str, str]
    since: datetime | None
    state: str
    cursor: dict[str, Any] | None
    true_up_to: datetime | None
    alive_at: datetime | None
    first_read_done: bool
    progress_done: int
    progress_total: int | None
    problem: str | None
    attention: bool
    retry_at: datetime | None
    census_cursor: dict[str, Any] | None
    census_at: datetime | None
    wanted: bool
    epoch: int


class Reconfigured(Exception):
    """The connection was changed or removed since it was read: what was read with it is void, and not written."""


def parse_options(model: type[BaseModel], given: dict[str, Any]) -> BaseModel:
    """The options, checked. Raises Misconfigured that names the first wrong field and never repeats its value."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first, *others = objections(model, error)
        more = f" ({len(others)} more {'field is' if len(others) == 1 else 'fields are'} wrong too)" if others else ""
        raise Misconfigured(first.said + more, first.mend, first.field) from None


def split_secrets(options: BaseModel) -> tuple[dict[str, Any], dict[str, SecretStr]]:
    """Options as JSON values without secrets, and the secrets by dotted field name."""
    secrets: dict[str, SecretStr] = {}
    dumped = _without(options.model_dump(), "", secrets)
    plain: dict[str, Any] = orjson.loads(orjson.dumps(dumped, default=str))
    return plain, secrets


def _without(value: Any, name: str, secrets: dict[str, SecretStr]) -> Any:
    if isinstance(value, SecretStr):
        secrets[name] = value
        return None
    if isinstance(value, dict):
        inner = {key: _without(one, f"{name}.{key}" if name else str(key), secrets) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one is not None or value[key] is None}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without(one, name, secrets) for one in value]
    return value


def with_secrets(stored: StoredConnection, keys: KeyRing) -> dict[str, Any]:
    """The options as an admin gave them. Raises LostKey, BadSeal."""
    options: dict[str, Any] = orjson.loads(orjson.dumps(stored.options))
    for name, sealed in stored.secrets.items():
        _put(options, name, keys.open(stored.id, name, sealed))
    return options


def with_others(options: BaseModel, secrets: Mapping[str, SecretStr]) -> BaseModel:
    """The options with these secrets (by dotted field name) in place of their own."""
    given, own = split_secrets(options)
    for name, secret in {**own, **secrets}.items():
        _put(given, name, secret)
    return parse_options(type(options), given)


def _put(options: dict[str, Any], name: str, secret: SecretStr) -> None:
    *path, last = name.split(".")
    place = options
    for step in path:
        place = place.setdefault(step, {})
    place[last] = secret


def must_be_name(name: str) -> None:
    """Raises Misconfigured for what cannot be a connection's permanent id."""
    if not _NAME.fullmatch(name):
        said = "name: use at most 40 lower-case letters, digits and hyphens, no hyphen first or last"
        raise Misconfigured(said, "Choose another name, such as jira-acme", "name")


async def add(
    connection: AsyncConnection,
    name: str,
    connector: str,
    title: str,
    options: BaseModel,
    since: datetime | None,
    keys: KeyRing,
) -> None:
    """Store a new connection under its permanent id. Raises Misconfigured where the id is taken or no id."""
    must_be_name(name)
    if await get(connection, name):
        raise Misconfigured(f"name: there is a connection {name} already", "Choose another name, or remove it", "name")
    plain, secrets = split_secrets(options)
    sealed = {field: keys.seal(name, field, secret) for field, secret in secrets.items()}
    await connection.execute(
        insert(connections).values(
            id=name, connector=connector, title=title, options=canonical_json(plain), secrets=canonical_json(sealed),
            since=since, state=READING, first_read_done=False, progress_done=0, attention=False, wanted=False, epoch=1,
        )
    )  # fmt: skip


async def get(connection: AsyncConnection, name: str) -> StoredConnection | None:
    """One connection."""
    rows = (await connection.execute(select(connections).where(connections.c.id == name))).all()
    return _stored(rows[0]) if rows else None


async def every(connection: AsyncConnection) -> list[StoredConnection]:
    """All connections by id."""
    return [_stored(row) for row in await connection.execute(select(connections).order_by(connections.c.id))]


async def check(connection: AsyncConnection, name: str, epoch: int) -> None:
    """Hold the connection's row to the end of the transaction. Raises Reconfigured when its epoch has passed."""
    wanted = select(connections.c.epoch).where(connections.c.id == name).with_for_update()
    if (await connection.execute(wanted)).scalar() != epoch:
        raise Reconfigured(name)


async def change(connection: AsyncConnection, name: str, **values: Any) -> bool:
    """Set columns; True if there is such a connection. JSON columns take dicts or None."""
    for column in ("cursor", "census_cursor"):
        if values.get(column) is not None:
            values[column] = canonical_json(values[column])
    result = await connection.execute(
        update(connections).where(connections.c.id == name).values(**values).returning(connections.c.id)
    )
    return result.first() is not None


async def sealed_secrets(connection: AsyncConnection, name: str) -> dict[str, str]:
    """Its sealed secrets as they are now; its row is held to the end of the transaction."""
    row = select(connections.c.secrets).where(connections.c.id == name).with_for_update()
    told: dict[str, str] = _read((await connection.execute(row)).scalar(), {}) or {}
    return told


async def keep_secret(connection: AsyncConnection, name: str, field: str, sealed: str) -> None:
    """Another sealed secret in one field (dotted name); everything else stays, the epoch too, for nobody configured
    anything. Whoever reads with the old one begins again (feed.py)."""
    before = await sealed_secrets(connection, name)
    await change(connection, name, secrets=canonical_json({**before, field: sealed}))


async def reseal(connection: AsyncConnection, keys: KeyRing) -> dict[str, dict[str, str]]:
    """Seal every stored secret under the ring's first key. Nothing else changes, and whoever reads goes on. Returns
    connection to option to the key, for those that stay as they are, because their key is not in the ring or they are
    damaged ("")."""
    left: dict[str, dict[str, str]] = {}
    rows = select(connections.c.id, connections.c.secrets).order_by(connections.c.id).with_for_update()
    for name, text in (await connection.execute(rows)).all():
        sealed: dict[str, str] = _read(text, {})
        anew = {}
        for field, one in sealed.items():
            try:
                anew[field] = keys.rotate(name, field, one)
            except Misconfigured as error:
                left.setdefault(name, {})[field] = error.needed if isinstance(error, LostKey) else ""
                anew[field] = one
        if anew != sealed:
            await change(connection, name, secrets=canonical_json(anew))
    return left


async def reconfigure(
    connection: AsyncConnection, stored: StoredConnection, title: str, options: BaseModel, keys: KeyRing
) -> bool:
    """Store other options and secrets; the cursor stays, and whoever reads with the old ones begins again.

    False if the connection was changed or removed since `stored` was read: nothing is written then. A secret that is as
    it was in `stored`, and that its tool replaced since, stays the tool's.
    """
    plain, secrets = split_secrets(options)
    now = await sealed_secrets(connection, stored.id)
    sealed = {
        field: now[field] if _replaced_since(stored, keys, field, secret, now) else keys.seal(stored.id, field, secret)
        for field, secret in secrets.items()
    }
    mine = (connections.c.id == stored.id) & (connections.c.epoch == stored.epoch)
    result = await connection.execute(
        update(connections).where(mine).values(
            title=title, options=canonical_json(plain), secrets=canonical_json(sealed), problem=None, attention=False,
            retry_at=None, wanted=True, epoch=stored.epoch + 1,
        ).returning(connections.c.id)
    )  # fmt: skip
    return result.first() is not None


def _replaced_since(
    stored: StoredConnection, keys: KeyRing, field: str, secret: SecretStr, now: Mapping[str, str]
) -> bool:
    """Whether the tool gave another in place of a secret that nobody changes."""
    before = stored.secrets.get(field)
    if before is None or now.get(field) in (None, before):
        return False
    return holds(keys, stored.id, field, before, secret)


def holds(keys: KeyRing, name: str, field: str, sealed: str, secret: SecretStr) -> bool:
    """Whether this secret is sealed there."""
    try:
        return keys.open(name, field, sealed) == secret
    except Misconfigured:  # its key is lost: it is given anew for that reason
        return False


async def start_again(connection: AsyncConnection, name: str, since: datetime | None) -> bool:
    """Read everything again from `since`; what is known falls out as a duplicate. A page under way becomes void."""
    await connection.execute(delete(pages).where(pages.c.connection == name))
    return await change(
        connection, name, since=since, cursor=None, first_read_done=False, progress_done=0, progress_total=None,
        problem=None, attention=False, retry_at=None, wanted=True, epoch=connections.c.epoch + 1,
    )  # fmt: skip


async def brought(connection: AsyncConnection, name: str) -> bool:
    """Whether anything is stored, or on its way, that this connection read."""
    for table in (source_events, artifacts, pages):
        if (await connection.execute(select(table.c.connection).where(table.c.connection == name).limit(1))).first():
            return True
    return False


async def remove(connection: AsyncConnection, name: str) -> bool:
    """Forget the connection, its secrets, pages, inbox and what was noticed of it. What it brought stays, and with it
    what it adds to the rules; a connection that brought nothing leaves nothing."""
    # First: its reader, too, locks the connection before what belongs to it.
    await connection.execute(select(connections.c.id).where(connections.c.id == name).with_for_update())
    if not await brought(connection, name):
        await connection.execute(delete(rules).where(rules.c.connection == name))
    await connection.execute(delete(pages).where(pages.c.connection == name))
    await connection.execute(delete(inbox).where(inbox.c.connection == name))
    for own in OWN:
        await connection.execute(delete(own).where(own.c.connection == name))
    gone = await connection.execute(delete(connections).where(connections.c.id == name).returning(connections.c.id))
    return gone.first() is not None


def _stored(row: Any) -> StoredConnection:
    values = dict(row._mapping)  # noqa: SLF001 - the documented name of a row's mapping
    for column, empty in (("options", {}), ("secrets", {}), ("cursor", None), ("census_cursor", None)):
        values[column] = _read(values[column], empty)
    return StoredConnection(**values)


def _read(text: str | None, empty: Any) -> Any:
    """A JSON column. A damaged one must not take other connections down: without its options a connection says which
    are missing, without its cursor it reads again."""
    try:
        return orjson.loads(text) if text is not None else None
    except orjson.JSONDecodeError:
        return empty
