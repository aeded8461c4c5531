"""API tokens: what programs show to be known. Each has a role that it never exceeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.access import Caller, Role
from schemas.canonical import storable
from services.admin.accounts import By, of_row
from services.admin.audit import note
from services.admin.credentials import new_token, same, split_token
from services.admin.tables import accounts, api_tokens
from services.query.refused import Refused

MOST = 100
"""Tokens of one account."""

NOTED_EVERY = timedelta(minutes=1)
"""So often the last use is written at most: else every look-up would be a write."""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without what opens anything."""

    id: str
    title: str
    role: Role
    account: str | None
    """Whose; None: of a program, in its own name."""
    owner: str | None
    """Name of that account."""
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None

    def told(self) -> dict[str, Any]:
        """For the audit."""
        return {"title": self.title, "role": self.role.value, "account": self.account, "expires_at": self.expires_at}


async def add(
    connection: AsyncConnection, by: By, title: str, role: Role, account: str | None, lasts: timedelta | None
) -> tuple[Token, str]:
    """A new token and its text, which is nowhere to be found again. lasts: None: until it is revoked. Raises Refused
    for an account that has MOST."""
    if account is not None and len(await every(connection, account)) >= MOST:
        raise Refused(
            409, "too-many-tokens", f"There are {MOST} tokens of yours already.", "Revoke those that nothing uses."
        )  # fmt: skip
    name, secret, text = new_token()
    made = Token(
        name, " ".join(storable(title).split()), role, account, None, by.now, by.now + lasts if lasts else None
    )
    await connection.execute(
        insert(api_tokens).values(
            id=made.id, hashed=secret, title=made.title, account=account, role=role.value, created_at=by.now,
            expires_at=made.expires_at,
        )
    )  # fmt: skip
    await note(connection, by.caller, "token.added", f"token {name}", None, made.told(), by.now, by.where)
    found = await get(connection, name)
    return found or made, text


async def every(connection: AsyncConnection, account: str | None = None) -> list[Token]:
    """All, the newest first. account: of this one only."""
    wanted = _told()
    if account is not None:
        wanted = wanted.where(api_tokens.c.account == account)
    newest = wanted.order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
    return [_of(row) for row in await connection.execute(newest)]


async def get(connection: AsyncConnection, name: str) -> Token | None:
    """By id."""
    row = (await connection.execute(_told().where(api_tokens.c.id == name))).first()
    return _of(row) if row else None


def _told() -> Any:
    return select(api_tokens, accounts.c.name).outerjoin_from(
        api_tokens, accounts, api_tokens.c.account == accounts.c.id
    )


def _of(row: Row[Any]) -> Token:
    return Token(
        row.id, row.title, Role(row.role), row.account, row.name, row.created_at, row.expires_at, row.used_at
    )  # fmt: skip


async def revoke(connection: AsyncConnection, by: By, token: Token) -> None:
    """It opens nothing any more."""
    await connection.execute(delete(api_tokens).where(api_tokens.c.id == token.id))
    await note(connection, by.caller, "token.revoked", f"token {token.id}", token.told(), None, by.now, by.where)


async def caller_of(connection: AsyncConnection, text: str, now: datetime) -> tuple[Caller | None, str] | None:
    """Who shows this token, nobody where it is over or its account disabled; and its id. None: it is none of ours."""
    parts = split_token(text)
    if parts is None:
        return None
    token = api_tokens.c
    wanted = select(
        token.id.label("token"), token.hashed, token.title, token.account, token.role.label("ceiling"), accounts
    ).outerjoin_from(api_tokens, accounts, token.account == accounts.c.id)
    over = (token.expires_at <= now).label("over")
    row = (await connection.execute(wanted.add_columns(over).where(token.id == parts[0]))).first()
    if row is None or not same(row.hashed, parts[1]):
        return None
    if row.over or (row.account is not None and (row.id is None or row.disabled)):
        return None, row.token
    if row.account is None:
        return Caller(row.title, Role(row.ceiling), "token"), row.token
    return of_row(row).caller("token", Role(row.ceiling)), row.token


async def used(connection: AsyncConnection, at: Mapping[str, datetime]) -> None:
    """Note when tokens were used last."""
    for name, when in at.items():
        due = or_(api_tokens.c.used_at.is_(None), api_tokens.c.used_at <= when - NOTED_EVERY)
        await connection.execute(update(api_tokens).where(api_tokens.c.id == name, due).values(used_at=when))
