"""People whom somebody else signs in, an identity provider or a proxy: who of them is let in, and as what."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.access import Role
from schemas.canonical import storable
from services.admin import accounts
from services.admin.accounts import Account, By
from services.query.refused import Refused

_LONGEST = 200
_NAMES_TRIED = 50


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom somebody else names. `issuer` and `subject` together never change."""

    issuer: str
    subject: str
    name: str
    email: str | None = None
    """Verified; None: unknown, or not verified."""
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who may come in without having been added, as a viewer; and which groups have which role. By default nobody."""

    groups: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    """Of verified e-mail addresses, in lower case."""
    roles: Mapping[str, Role] = field(default_factory=dict)

    def role_of(self, identity: Identity) -> Role | None:
        """The highest that its groups give; viewer where newcomers are welcome; None: it is nobody we know."""
        given = [self.roles[group] for group in identity.groups if group in self.roles]
        if given:
            return max(given, key=list(Role).index)
        domain = (identity.email or "").lower().rpartition("@")[2]
        welcome = not self.groups.isdisjoint(identity.groups) or (domain != "" and domain in self.domains)
        return Role.VIEWER if welcome else None


def address(told: str | None) -> str | None:
    """A verified e-mail address as it is kept. None for one with letters beyond ASCII: in lower case some of them
    become others (the Kelvin sign is a k), and with them the address another's."""
    return told.lower() if told and told.isascii() else None


def unknown() -> Refused:
    """Signed in elsewhere, and not let in here."""
    return Refused(
        403, "no-account", "You are signed in elsewhere, and have no account here.",
        "Ask an admin to add one with your e-mail address.",
    )  # fmt: skip


async def admitted(connection: AsyncConnection, identity: Identity, welcome: Welcome, by: By) -> Account:
    """The account of somebody whom the other side vouches for; made where that is welcome, kept as the other side says.

    An account that an admin added with the address, and without a password, becomes theirs. Raises Refused.
    """
    identity = replace(identity, subject=storable(identity.subject), groups=frozenset(map(storable, identity.groups)))
    known = await accounts.of_subject(connection, identity.issuer, identity.subject)
    if known is None:
        known = await _awaited(connection, identity, by) or await _new(connection, identity, welcome, by)
    if known.disabled:
        raise Refused(403, "disabled", "This account is disabled.", "Ask an admin.")
    return await _kept(connection, known, identity, welcome, by)


def differs(account: Account, identity: Identity, welcome: Welcome) -> bool:
    """Whether what the other side says now is not what is stored."""
    return bool(_news(account, identity, welcome))


async def _awaited(connection: AsyncConnection, identity: Identity, by: By) -> Account | None:
    found = await accounts.with_email(connection, identity.email) if identity.email else None
    if found is None or found.subject is not None:
        return None
    if found.password is not None:
        raise Refused(
            403, "has-password", "An account with your e-mail address signs in by password.",
            "Sign in by password; or ask an admin to take the password away, so that you sign in this way.",
        )  # fmt: skip
    return await accounts.change(connection, by, found, {"issuer": identity.issuer, "subject": identity.subject})


async def _new(connection: AsyncConnection, identity: Identity, welcome: Welcome, by: By) -> Account:
    role = welcome.role_of(identity)
    if role is None:
        raise unknown()
    email = identity.email
    if email and await accounts.with_email(connection, email):
        email = None  # of another account, which this one must not read as
    return await accounts.add(
        connection, by, await _free_name(connection, identity), role, email=email, issuer=identity.issuer,
        subject=identity.subject, groups=identity.groups,
    )  # fmt: skip


async def _free_name(connection: AsyncConnection, identity: Identity) -> str:
    """Nobody comes in under another's name."""
    wanted = " ".join(storable(identity.name).split())[:_LONGEST]
    if not accounts.likeness(wanted):
        wanted = identity.email or "somebody"
    for number in range(1, _NAMES_TRIED):
        name = wanted if number == 1 else f"{wanted} ({number})"
        if await accounts.called(connection, name) is None and not await accounts.looks_taken(connection, name):
            return name
    return f"{wanted} {identity.subject}"[:_LONGEST]


def _news(account: Account, identity: Identity, welcome: Welcome) -> dict[str, Any]:
    """What of the account is to be as the other side says."""
    news: dict[str, Any] = {}
    if account.groups != identity.groups:
        news["groups"] = identity.groups
    if identity.email and account.email is None:
        news["email"] = identity.email.lower()
    if welcome.roles:
        # Who lost the group loses the role.
        role = welcome.role_of(identity) or Role.VIEWER
        if role is not account.role:
            news["role"] = role
    return news


async def _kept(connection: AsyncConnection, account: Account, identity: Identity, welcome: Welcome, by: By) -> Account:
    news = _news(account, identity, welcome)
    if "email" in news and await accounts.with_email(connection, news["email"]):
        del news["email"]
    try:
        return await accounts.change(connection, by, account, news)
    except Refused as last:
        if last.kind != "last-admin":
            raise
        del news["role"]  # somebody must be able to set things up
        return await accounts.change(connection, by, account, news)
