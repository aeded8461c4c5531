"""Sessions: each stands for one sign-in of one browser, can be seen, and can be ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.canonical import storable
from services.admin.accounts import Account, of_row
from services.admin.credentials import hashed, new_id, new_secret
from services.admin.tables import accounts, sessions

MOST = 100
"""Sessions of one account."""

_LONGEST_AGENT = 200


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long sessions last."""

    idle: timedelta = timedelta(days=7)
    """Without being used."""
    longest: timedelta = timedelta(days=30)
    """In any case."""


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of one browser."""

    id: str
    account: str
    name: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A session as its browser is told of it, once."""

    id: str
    secret: str = field(repr=False)


async def begin(
    connection: AsyncConnection, account: Account, lasting: Lasting, now: datetime, address: str | None,
    agent: str | None,
) -> Begun:  # fmt: skip
    """A new session. Of more than MOST the one that was used longest ago ends."""
    unused = sessions.c.seen_at.desc(), sessions.c.created_at.desc(), sessions.c.id
    kept = select(sessions.c.id).where(sessions.c.account == account.id).order_by(*unused).limit(MOST - 1)
    await connection.execute(
        delete(sessions).where(sessions.c.account == account.id, sessions.c.id.not_in(kept.scalar_subquery()))
    )
    begun = Begun(new_id("S"), new_secret())
    await connection.execute(
        insert(sessions).values(
            id=begun.id, hashed=hashed(begun.secret), account=account.id, created_at=now, seen_at=now,
            expires_at=now + min(lasting.idle, lasting.longest), address=address,
            agent=storable(agent)[:_LONGEST_AGENT] if agent else None,
        )
    )  # fmt: skip
    return begun


def _with_accounts(*columns: Any) -> "Select[Any]":
    return select(*columns).join_from(sessions, accounts, sessions.c.account == accounts.c.id)


def by_secret(secret: str, now: datetime) -> "Select[Any]":
    """Selects the account that a living session's cookie stands for, and `session`, its id."""
    return _with_accounts(accounts, sessions.c.id.label("session")).where(
        sessions.c.hashed == hashed(secret), sessions.c.expires_at > now, accounts.c.disabled.is_(False)
    )


def account_of(row: Row[Any]) -> tuple[Account, str]:
    """The account and the id of the session, of a row of by_secret."""
    return of_row(row), row.session


async def every(connection: AsyncConnection, now: datetime, account: str | None = None) -> list[Session]:
    """Those that live, the last used first. account: of this one only."""
    wanted = _with_accounts(sessions, accounts.c.name).where(sessions.c.expires_at > now)
    if account is not None:
        wanted = wanted.where(sessions.c.account == account)
    return [_of(row) for row in await connection.execute(wanted.order_by(sessions.c.seen_at.desc(), sessions.c.id))]


async def get(connection: AsyncConnection, name: str) -> Session | None:
    """By id."""
    row = (await connection.execute(_with_accounts(sessions, accounts.c.name).where(sessions.c.id == name))).first()
    return _of(row) if row else None


def _of(row: Row[Any]) -> Session:
    return Session(
        row.id, row.account, row.name, row.created_at, row.seen_at, row.expires_at, row.address, row.agent
    )  # fmt: skip


async def end(connection: AsyncConnection, name: str) -> None:
    """By id; the cookie is worth nothing any more."""
    await connection.execute(delete(sessions).where(sessions.c.id == name))


async def end_by_secret(connection: AsyncConnection, secret: str) -> Session | None:
    """The one that a cookie stands for; what it was."""
    found = (await connection.execute(select(sessions.c.id).where(sessions.c.hashed == hashed(secret)))).scalar()
    session = await get(connection, found) if found else None
    if found:
        await end(connection, found)
    return session


async def used(connection: AsyncConnection, at: Mapping[str, datetime], lasting: Lasting) -> None:
    """Note when sessions were used last: each lasts from then on."""
    for name, when in at.items():
        row = (await connection.execute(select(sessions.c.created_at).where(sessions.c.id == name))).first()
        if row:
            ends = min(when + lasting.idle, row.created_at + lasting.longest)
            await connection.execute(
                update(sessions).where(sessions.c.id == name, sessions.c.seen_at < when)
                .values(seen_at=when, expires_at=ends)
            )  # fmt: skip


async def forget_ended(connection: AsyncConnection, now: datetime) -> None:
    """Remove those that are over."""
    await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
