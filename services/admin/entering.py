"""Signing in by password, signing out, and the first account: what the API does, without its shapes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from schemas.access import Role
from services.admin import accounts, identities, sessions, throttling
from services.admin.accounts import Account, By
from services.admin.audit import note, where_of
from services.admin.credentials import hashed, new_secret
from services.admin.entrance import Entrance
from services.admin.identities import Identity
from services.admin.sessions import Begun
from services.admin.signing_in import session_cookie
from services.admin.tables import set_up_links
from services.admin.writing import written
from services.query.refused import Refused

LINK_LASTS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who came in."""

    account: Account
    session: Begun


def _wrong() -> Refused:
    """The same for whatever is wrong: nobody learns which accounts there are."""
    return Refused(401, "sign-in", "Name or password is wrong.", "Try again, or ask an admin for another password.")


async def by_password(parts: Entrance, asked: Request, name: str, password: SecretStr) -> Entry:
    """Sign in. Raises Refused, in the same words whatever is wrong."""
    now, where = parts.now(), where_of(asked)
    async with parts.database.reading() as connection:
        account = await accounts.called(connection, name)
    who = throttling.whose(account, name)
    async with written(parts.engine) as connection:
        await throttling.begin(connection, who, where, now)
    right = await parts.passwords.verify(account.password if account else None, password.get_secret_value())
    if account is None or not right or account.disabled:
        await _note_refused(parts, account, now, where)
        raise _wrong()
    better = None
    if account.password and parts.passwords.outdated(account.password):
        better = await parts.passwords.hash(password.get_secret_value())
    async with written(parts.engine) as connection:
        await throttling.went_well(connection, who, where, now)
        return await entered(parts, connection, asked, account, better=better)


async def _note_refused(parts: Entrance, account: Account | None, now: datetime, where: str | None) -> None:
    on = f"account {account.id}" if account else "sign-in"
    async with written(parts.engine) as connection:
        await note(connection, None, "sign-in.refused", on, None, None, now, where)


async def from_elsewhere(parts: Entrance, asked: Request, identity: Identity) -> Entry:
    """Somebody whom an identity provider vouches for. Raises Refused for who has no account here."""
    try:
        async with written(parts.engine) as connection:
            account = await identities.admitted(connection, identity, parts.manner.welcome, parts.by(None, asked))
            return await entered(parts, connection, asked, account)
    except Refused as refused:
        if parts.access:
            await parts.access.refused_elsewhere(identity, refused, where_of(asked))
        raise


async def entered(
    parts: Entrance, connection: AsyncConnection, asked: Request, account: Account, *, better: str | None = None
) -> Entry:
    """A new session for somebody who is known now; the one that this browser had ends."""
    now, where = parts.now(), where_of(asked)
    if old := session_cookie(asked.headers, parts.manner):
        await sessions.end_by_secret(connection, old)
    agent = asked.headers.get("user-agent")
    begun = await sessions.begin(connection, account, parts.manner.lasting, now, where, agent)
    await accounts.seen(connection, account, now, better)
    after = {"session": begun.id}
    await note(connection, account.caller("session"), "session.begun", f"account {account.id}", None, after, now, where)
    parts.forget()
    return Entry(account, begun)


async def leave(parts: Entrance, asked: Request) -> None:
    """End the session of this browser, if it has one."""
    cookie = session_cookie(asked.headers, parts.manner)
    if cookie is None:
        return
    async with written(parts.engine) as connection:
        session = await sessions.end_by_secret(connection, cookie)
        account = await accounts.get(connection, session.account) if session else None
        if session and account:
            by = parts.by(account.caller("session"), asked)
            on, before = f"account {account.id}", {"session": session.id}
            await note(connection, by.caller, "session.ended", on, before, None, by.now, by.where)
    parts.forget()


async def new_link(connection: AsyncConnection, now: datetime) -> str | None:
    """The key of a new set-up link; None where an admin can come in already."""
    if not await accounts.no_admin_yet(connection):
        return None
    key = new_secret()
    await connection.execute(delete(set_up_links).where(set_up_links.c.expires_at <= now))
    await connection.execute(insert(set_up_links).values(hashed=hashed(key), expires_at=now + LINK_LASTS))
    return key


async def set_up(
    parts: Entrance, asked: Request, key: SecretStr, name: str, email: str | None, password: SecretStr
) -> Entry:
    """Make the first account, an admin's, and sign in. Raises Refused for a key that is none, or was used."""
    now, where = parts.now(), where_of(asked)
    # As for a sign-in: nobody tries keys, or makes us hash, as often as they like.
    async with written(parts.engine) as connection:
        await throttling.begin(connection, throttling.SET_UP, where, now)
    hash_ = await parts.passwords.hash(password.get_secret_value())
    try:
        async with written(parts.engine) as connection:
            await _use(connection, key, now)
            await throttling.went_well(connection, throttling.SET_UP, where, now)
            by = By(None, now, where)
            account = await accounts.add(connection, by, name, Role.ADMIN, email=email, password=hash_)
            return await entered(parts, connection, asked, account)
    except Refused as refused:
        async with written(parts.engine) as connection:
            await note(connection, None, "set-up.refused", "sign-in", None, {"why": refused.kind}, now, where)
        raise


async def _use(connection: AsyncConnection, key: SecretStr, now: datetime) -> None:
    # All of them locked: of two that are used at once the second finds an account.
    links = (await connection.execute(select(set_up_links).order_by(set_up_links.c.hashed).with_for_update())).all()
    wanted = hashed(key.get_secret_value())
    good = any(one.hashed == wanted and one.expires_at > now for one in links)
    if not good or not await accounts.no_admin_yet(connection):
        raise Refused(
            403, "set-up-link", "This set-up link is over, or was used.",
            "Sign in; or start the hub again for another link, or run `throughline accounts set-up-link`.",
        )  # fmt: skip
    await connection.execute(delete(set_up_links))
