"""A connection as an admin sees it: its options without secrets, and of secrets only that they are stored."""

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.contract import Connector
from schemas.canonical import instant
from services.admin.equipment import Equipment
from services.admin.given import input_name
from services.admin.tables import audit
from services.feed import expiry
from services.feed.connections import StoredConnection
from services.query.answers import ReadProgress
from services.security import BadSeal, key_id_of


class StoredSecret(BaseModel):
    """A secret that is stored."""

    option: str = Field(examples=["auth.token"])
    input: str = Field(description="Name of its input", examples=["auth.api_token.token"])
    given_at: AwareDatetime | None = Field(description="When it was last given; null: before this was noted")
    readable: bool = Field(description="false: it was sealed with a key that is not there, and has to be given again")


class Ends(BaseModel):
    """When a credential ends."""

    option: str = Field(examples=["auth.expires"])
    at: AwareDatetime
    soon: bool = Field(description="Within 30 days")
    says: str


class OneConnection(BaseModel):
    """One connection."""

    id: str = Field(examples=["jira-acme"])
    connector: str = Field(examples=["jira"])
    title: str = Field(examples=["Jira"])
    state: str = Field(description="reading, paused or stopped", examples=["reading"])
    since: AwareDatetime | None = Field(description="Read from when; null: from the beginning")
    options: dict[str, Any] = Field(description="Without secrets", examples=[{"base_url": "https://acme.example"}])
    secrets: list[StoredSecret]
    expires: list[Ends]
    true_up_to: AwareDatetime | None
    alive_at: AwareDatetime | None
    first_read_done: bool
    progress: ReadProgress
    problem: str | None
    attention: bool
    retry_at: AwareDatetime | None
    etag: str = Field(description="What If-Match of a change names; as in the ETag header", examples=["3"])


_GIVEN = ("connection.added", "connection.changed", "connection.webhook registered")
"""What gives a connection secrets."""


def etag_of(stored: StoredConnection) -> str:
    """Names what was configured; reading does not change it."""
    return str(stored.epoch)


async def told(connection: AsyncConnection, parts: Equipment, stored: StoredConnection) -> dict[str, Any]:
    """As JSON."""
    kind = parts.catalogue.get(stored.connector)
    given = await _given(connection, stored.id)
    return {
        "id": stored.id,
        "connector": stored.connector,
        "title": stored.title,
        "state": stored.state,
        "since": _at(stored.since),
        "options": stored.options,
        "secrets": [_secret(parts, kind, stored, name, given.get(name)) for name in sorted(stored.secrets)],
        "expires": [
            {"option": one.field, "at": instant(one.at), "soon": one.soon, "says": one.says}
            for one in expiry.found(stored.options, parts.now())
        ],
        "true_up_to": _at(stored.true_up_to),
        "alive_at": _at(stored.alive_at),
        "first_read_done": bool(stored.first_read_done),
        "progress": {"done": stored.progress_done, "total": stored.progress_total},
        "problem": stored.problem,
        "attention": bool(stored.attention),
        "retry_at": _at(stored.retry_at),
        "etag": etag_of(stored),
    }


def _secret(
    parts: Equipment, kind: Connector | None, stored: StoredConnection, name: str, given: str | None
) -> dict[str, Any]:
    path = tuple(name.split("."))
    return {
        "option": name,
        "input": input_name(kind.Options, stored.options, path) if kind else name,
        "given_at": given,
        "readable": _readable(parts, stored.secrets[name]),
    }


def _readable(parts: Equipment, sealed: str) -> bool:
    try:
        return key_id_of(sealed) in parts.keys.key_ids
    except BadSeal:
        return False


async def _given(connection: AsyncConnection, name: str) -> dict[str, str]:
    """Secret to the instant at which it was last given, as the audit knows it."""
    wanted = select(audit.c.at, audit.c.after).where(audit.c.object == f"connection {name}", audit.c.action.in_(_GIVEN))
    found: dict[str, str] = {}
    for at, after in await connection.execute(wanted.order_by(audit.c.number)):
        noted = orjson.loads(after) if after else {}
        found |= dict.fromkeys(noted.get("given", ()), instant(at.astimezone(UTC)))
    return found


def _at(at: datetime | None) -> str | None:
    return instant(at.astimezone(UTC)) if at else None
