"""Who may read what a connection brought. A connection without a row is read by everybody who is signed in."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import Column, Table, Text, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.metadata import Key, metadata
from schemas.access import EVERYBODY, Audience
from schemas.canonical import canonical_json

audiences = Table(
    "audiences",
    metadata,
    Column("connection", Key, primary_key=True),
    Column("kind", Key, nullable=False),  # named, participants
    Column("people", Text, nullable=False),  # JSON: e-mail addresses in lower case
    Column("groups", Text, nullable=False),  # JSON: as the identity provider names them
)


async def every(connection: AsyncConnection) -> dict[str, Audience]:
    """By connection, those that are not for everybody."""
    return {row.connection: _audience(row) for row in await connection.execute(select(audiences))}


async def of(connection: AsyncConnection, name: str) -> Audience:
    """The audience of one connection."""
    row = (await connection.execute(select(audiences).where(audiences.c.connection == name))).first()
    return _audience(row) if row else EVERYBODY


async def write(connection: AsyncConnection, name: str, audience: Audience) -> None:
    """Let this audience hold. It holds for what is stored, too, from the next answer on."""
    await connection.execute(delete(audiences).where(audiences.c.connection == name))
    if audience.kind != "everybody":
        row: Mapping[str, Any] = {
            "connection": name, "kind": audience.kind, "people": canonical_json(sorted(audience.people)),
            "groups": canonical_json(sorted(audience.groups)),
        }  # fmt: skip
        await connection.execute(insert(audiences).values(row))


def _audience(row: Any) -> Audience:
    return Audience(row.kind, frozenset(orjson.loads(row.people)), frozenset(orjson.loads(row.groups)))
