"""The webhook that the hub itself entered in a connection's tool: what is known of it here.

It is noted before anything is written in the tool, so that it can be found there again whatever happens then.
"""

from dataclasses import dataclass
from datetime import datetime

import orjson
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import canonical_json, digest
from schemas.errors import Misconfigured
from services.feed import beside, connections
from services.feed.watch_tables import registrations
from services.security import KeyRing


@dataclass(frozen=True, slots=True)
class Registration:
    """One connection's."""

    urls: tuple[str, ...]
    """Addresses under which it may stand in the tool, without a path token; the last is the newest."""
    asked_at: datetime
    done_at: datetime | None
    """None: it is not known whether what was asked for was done."""
    proof: str | None
    """Digest of the secret that was entered; see proof_of."""


def proof_of(secret: SecretStr) -> str:
    """A digest that tells whether a secret is the one. Only of secrets that nobody can guess."""
    return digest("webhook", secret.get_secret_value())


async def of(connection: AsyncConnection, name: str) -> Registration | None:
    """What is noted; None: the hub entered none."""
    row = (await connection.execute(select(registrations).where(registrations.c.connection == name))).first()
    return Registration(tuple(orjson.loads(row.urls)), row.asked_at, row.done_at, row.proof) if row else None


async def begin(
    connection: AsyncConnection, name: str, url: str, attempt: str, now: datetime
) -> Registration | None:  # fmt: skip
    """Note that one is about to be written, before it is. What others have begun and not ended is void. Returns what
    was noted before."""
    before = await of(connection, name)
    urls = (*(one for one in (before.urls if before else ()) if one != url), url)
    await _put(connection, name, Registration(urls, now, None, None), attempt)
    return before


async def restore(connection: AsyncConnection, name: str, before: Registration | None) -> None:
    """Nothing was written: what was noted before holds."""
    if before is None:
        await connection.execute(delete(registrations).where(registrations.c.connection == name))
    else:
        await _put(connection, name, before, "")


async def _put(connection: AsyncConnection, name: str, noted: Registration, attempt: str) -> None:
    values = {"urls": canonical_json(list(noted.urls)), "attempt": attempt, "asked_at": noted.asked_at,
              "done_at": noted.done_at, "proof": noted.proof}  # fmt: skip
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(registrations).values({"connection": name} | values)
    await connection.execute(row.on_conflict_do_update(index_elements=["connection"], set_=values))


async def end(
    connection: AsyncConnection, keys: KeyRing, name: str, url: str, attempt: str, option: str, secret: SecretStr,
    now: datetime,
) -> bool:  # fmt: skip
    """Note that it was written, and keep its secret; cursor and all else of the connection stay.

    False where somebody else began meanwhile, or the connection is gone: which secret the tool has is not known then,
    and nothing is kept.
    """
    mine = (registrations.c.connection == name) & (registrations.c.attempt == attempt)
    values = {"urls": canonical_json([url]), "done_at": now, "proof": proof_of(secret)}
    done = await connection.execute(
        update(registrations).where(mine).values(values).returning(registrations.c.connection)
    )
    if done.first() is None:
        await spoil(connection, name)
        return False
    stored = await connections.get(connection, name)
    if stored is None:
        return False
    sealed = {**stored.secrets, option: keys.seal(name, option, secret)}
    await connections.change(connection, name, secrets=canonical_json(sealed), epoch=stored.epoch + 1)
    return True


async def spoil(connection: AsyncConnection, name: str) -> None:
    """Note that nobody knows any more what the tool has; whoever is at it cannot end it either."""
    await connection.execute(
        update(registrations).where(registrations.c.connection == name).values(attempt="", done_at=None, proof=None)
    )


async def forget(connection: AsyncConnection, keys: KeyRing, name: str, options: tuple[str, ...]) -> list[str]:
    """The tool has it no more: neither has the connection the secret that was made for it, and nothing is expected of
    deliveries. options: that may hold it. Returns those that did."""
    noted, stored = await of(connection, name), await connections.get(connection, name)
    await connection.execute(delete(registrations).where(registrations.c.connection == name))
    await beside.put(connection, name, received_at=None, polled=0)
    if stored is None or noted is None or noted.proof is None:
        return []
    void = [one for one in options if _opens(keys, name, one, stored.secrets.get(one), noted.proof)]
    if void:
        sealed = {field: one for field, one in stored.secrets.items() if field not in void}
        await connections.change(connection, name, secrets=canonical_json(sealed), epoch=stored.epoch + 1)
    return void


def _opens(keys: KeyRing, name: str, option: str, sealed: str | None, proof: str) -> bool:
    """Whether what is stored there is the secret of this digest; what cannot be opened is not."""
    secret = opened(keys, name, option, sealed)
    return secret is not None and proof_of(secret) == proof


def opened(keys: KeyRing, name: str, option: str, sealed: str | None) -> SecretStr | None:
    """A stored secret; None where there is none, or none that can be opened."""
    try:
        return keys.open(name, option, sealed) if sealed is not None else None
    except Misconfigured:  # its key is lost, or it is damaged
        return None
