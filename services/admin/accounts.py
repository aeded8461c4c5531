"""Accounts: whom the hub knows, and what each of them may do."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.access import Caller, How, Role
from schemas.canonical import canonical_json, storable
from services.admin.audit import note
from services.admin.credentials import new_id
from services.admin.tables import accounts, sessions
from services.query.problems import wrong
from services.query.refused import Refused


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody whom the hub knows."""

    id: str
    name: str
    role: Role
    created_at: datetime
    email: str | None = None
    """Verified, in lower case."""
    password: str | None = field(default=None, repr=False)
    """A hash; None: signs in elsewhere."""
    issuer: str | None = None
    subject: str | None = None
    groups: frozenset[str] = frozenset()
    disabled: bool = False
    signed_in_at: datetime | None = None
    version: int = 1

    @property
    def etag(self) -> str:
        """Of what is stored of it."""
        return f'"{self.id}-{self.version}"'

    def caller(self, how: How, ceiling: Role = Role.ADMIN) -> Caller:
        """They as callers, who may do no more than the ceiling."""
        role = self.role if ceiling.covers(self.role) else ceiling
        return Caller(self.name, role, how, self.id, self.email, self.groups)

    def told(self) -> dict[str, Any]:
        """For the audit: what can be changed of it."""
        return {
            "name": self.name, "email": self.email, "role": self.role.value, "disabled": self.disabled,
            "issuer": self.issuer, "password": self.password and "set",
        }  # fmt: skip


_ADMINS = select(accounts).where(accounts.c.role == Role.ADMIN.value, accounts.c.disabled.is_(False))
"""Those with a password, or known elsewhere, can come in."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, when, and from where; as the audit tells it."""

    caller: Caller | None
    now: datetime
    where: str | None = None


def name_key(name: str) -> str:
    """One spelling for all that look alike: width, case and spaces do not tell two names apart."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


_LOOKS = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u0131l10",
    "abekmhopctyxijshdqw" "abezhikmnoptyxiiio",
)  # fmt: skip
"""Cyrillic and Greek letters, and digits, that look like a Latin letter in one case or the other."""

_UNSEEN = ("Cf", "Cc", "Co", "Cn")
"""Categories of what no reader sees."""


def likeness(name: str) -> str:
    """Equal for names that nobody tells apart by looking: letters of other alphabets, and what is not seen at all."""
    seen = "".join(one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) not in _UNSEEN)
    return name_key("".join(one for one in seen if not "\ufe00" <= one <= "\ufe0f")).translate(_LOOKS)


async def looks_taken(connection: AsyncConnection, name: str, mine: str | None = None) -> bool:
    """Whether another account's name looks the same. mine: id of an account that does not count."""
    wanted = likeness(name)
    rows = await connection.execute(select(accounts.c.id, accounts.c.name))
    return any(row.id != mine and likeness(row.name) == wanted for row in rows)


def of_row(row: Row[Any]) -> Account:
    """From a row that holds the columns of the table."""
    return Account(
        row.id, row.name, Role(row.role), row.created_at, row.email, row.password, row.issuer, row.subject,
        frozenset(orjson.loads(row.groups)), row.disabled, row.signed_in_at, row.version,
    )  # fmt: skip


async def every(connection: AsyncConnection) -> list[Account]:
    """All, by name."""
    return [of_row(row) for row in await connection.execute(select(accounts).order_by(accounts.c.name_key))]


async def no_admin_yet(connection: AsyncConnection) -> bool:
    """Whether nobody could set things up: there may be viewers already whom somebody else signs in."""
    return not any(row.password or row.subject for row in await connection.execute(_ADMINS))


async def get(connection: AsyncConnection, name: str) -> Account | None:
    """By id."""
    return await _one(connection, accounts.c.id == name)


async def called(connection: AsyncConnection, name: str) -> Account | None:
    """By name, by e-mail address, or by id: as people type it."""
    name = storable(name)
    return (
        await _one(connection, accounts.c.name_key == name_key(name))
        or await _one(connection, accounts.c.email == name.strip().lower())
        or await get(connection, name.strip())
    )


async def of_subject(connection: AsyncConnection, issuer: str, subject: str) -> Account | None:
    """Whom an identity provider names so."""
    return await _one(connection, (accounts.c.issuer == issuer) & (accounts.c.subject == subject))


async def with_email(connection: AsyncConnection, email: str) -> Account | None:
    """By e-mail address."""
    return await _one(connection, accounts.c.email == email.lower())


async def _one(connection: AsyncConnection, condition: Any) -> Account | None:
    row = (await connection.execute(select(accounts).where(condition))).first()
    return of_row(row) if row else None


async def add(
    connection: AsyncConnection, by: By, name: str, role: Role, *, email: str | None = None,
    password: str | None = None, issuer: str | None = None, subject: str | None = None,
    groups: frozenset[str] = frozenset(),
) -> Account:  # fmt: skip
    """A new account. password: its hash. Raises Refused where the name or the address is taken."""
    account = Account(
        new_id("A"), " ".join(storable(name).split()), role, by.now, email.lower() if email else None, password,
        issuer, subject, groups,
    )  # fmt: skip
    await _check_free(connection, account)
    try:
        await connection.execute(
            insert(accounts).values(
                id=account.id, name=account.name, name_key=name_key(account.name), email=account.email,
                role=role.value, password=password, issuer=issuer, subject=subject,
                groups=canonical_json(sorted(groups)), disabled=False, created_at=by.now, version=1,
            )
        )  # fmt: skip
    except IntegrityError:  # somebody was quicker
        raise _taken("name or e-mail address") from None
    # The first account is made by nobody who has one: by itself.
    caller = by.caller or account.caller("session")
    await note(connection, caller, "account.added", f"account {account.id}", None, account.told(), by.now, by.where)
    return account


async def _check_free(connection: AsyncConnection, account: Account) -> None:
    same = accounts.c.name_key == name_key(account.name)
    if account.email is not None:
        same = or_(same, accounts.c.email == account.email)
    found = (await connection.execute(select(accounts).where(same, accounts.c.id != account.id))).all()
    for row in found:
        raise _taken("name" if row.name_key == name_key(account.name) else "e-mail address")
    await _check_looks(connection, account.name, account.id)


async def _check_looks(connection: AsyncConnection, name: str, mine: str) -> None:
    if not likeness(name):
        raise wrong("body.name", "shows nothing", "give a name that people can read")
    if await looks_taken(connection, name, mine):
        raise _taken("name, or one that looks like it")


def _taken(what: str) -> Refused:
    return Refused(409, "taken", f"Another account has this {what}.", f"Give another {what}, or change that account.")


async def change(
    connection: AsyncConnection, by: By, account: Account, to: Mapping[str, Any], *, keep: str | None = None,
    issuers: frozenset[str] | None = None,
) -> Account:  # fmt: skip
    """Change role, disabled, email, password (a hash), name. Ends the account's sessions, but `keep`, where its
    password or its being disabled changes.

    account: as it was seen. issuers: who signs people in elsewhere now; None: whoever ever did. Raises Refused where
    it was changed meanwhile, or is the last admin and would be none.
    """
    changed = {name: value for name, value in to.items() if value != getattr(account, name)}
    if not changed:
        return account
    if _shuts_out(account, changed, issuers):
        await _check_last(connection, account, issuers)
    stored = dict(changed)
    if "name" in changed:
        await _check_looks(connection, changed["name"], account.id)
        stored["name_key"] = name_key(changed["name"])
    if "groups" in changed:
        stored["groups"] = canonical_json(sorted(changed["groups"]))
    statement = (
        update(accounts)
        .where(accounts.c.id == account.id, accounts.c.version == account.version)
        .values(**stored, version=account.version + 1)
        .returning(accounts)
    )
    try:
        row = (await connection.execute(statement)).first()
    except IntegrityError:
        raise _taken("name or e-mail address") from None
    if row is None:
        raise outdated()
    if "password" in changed or changed.get("disabled"):
        others = (sessions.c.account == account.id) & (sessions.c.id != (keep or ""))
        await connection.execute(delete(sessions).where(others))
    after = of_row(row)
    before, now = _parts(account, changed), _parts(after, changed)
    await note(connection, by.caller, "account.changed", f"account {account.id}", before, now, by.now, by.where)
    return after


def _shuts_out(account: Account, changed: Mapping[str, Any], issuers: frozenset[str] | None) -> bool:
    """Whether an admin would be none, or could not come in any more."""
    if changed.get("disabled") or changed.get("role", Role.ADMIN) is not Role.ADMIN:
        return True
    told = {name: changed.get(name, getattr(account, name)) for name in ("password", "subject", "issuer")}
    return not _comes_in(told["password"], told["subject"], told["issuer"], issuers)


def _comes_in(password: str | None, subject: str | None, issuer: str | None, issuers: frozenset[str] | None) -> bool:
    return bool(password or (subject and (issuers is None or issuer in issuers)))


def outdated() -> Refused:
    """Somebody else was quicker."""
    return Refused(412, "changed", "This account was changed meanwhile.", "Look at it again, then decide.")


def _parts(account: Account, changed: Mapping[str, Any]) -> dict[str, Any]:
    told = account.told() | {"groups": account.groups}
    return {name: told[name] for name in changed if name in told}


async def _check_last(connection: AsyncConnection, account: Account, issuers: frozenset[str] | None) -> None:
    """Raises Refused where nobody could set things up any more. Locks the admins, so that two do not shut out each
    other."""
    rows = await connection.execute(_ADMINS.order_by(accounts.c.id).with_for_update())
    able = [row.id for row in rows if _comes_in(row.password, row.subject, row.issuer, issuers)]
    if able == [account.id]:
        raise Refused(409, "last-admin", "This is the last admin.", "Make somebody else an admin first.")


async def seen(connection: AsyncConnection, account: Account, now: datetime, password: str | None) -> None:
    """Note a sign-in. password: a better hash of the same password, if there is one."""
    values: dict[str, Any] = {"signed_in_at": now} | ({"password": password} if password else {})
    await connection.execute(update(accounts).where(accounts.c.id == account.id).values(**values))
