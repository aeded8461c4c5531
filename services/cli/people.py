"""`throughline accounts|tokens|sessions|audit`: who may come in, and what was done, on the database itself."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import reading, writing
from schemas.access import THIS_MACHINE, Role
from schemas.errors import Misconfigured
from services.admin import accounts, auditing, entering, sessions, shapes, tokens
from services.admin.accounts import Account, By
from services.admin.audit import note
from services.admin.auditing import Sought
from services.admin.passwords import LONGEST, SHORTEST, Passwords
from services.cli.narrow import by_width
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED, errors, opened, tell, write_line
from services.cli.words import moment
from services.query.refused import Refused

if TYPE_CHECKING:
    from services.cli.installation import Installation

AskSecret = Callable[[], str]
"""Asks the person at the terminal for a password."""


@asynccontextmanager
async def _changing(made: "Installation") -> AsyncIterator[AsyncConnection]:
    async with opened(made) as (engine, _), writing(engine) as connection:
        yield connection


def by_whom(name: str, now: datetime) -> By:
    """Whoever types a command: this machine, by the name of its user."""
    return By(replace(THIS_MACHINE, name=name), now)


def told(refused: Refused) -> int:
    """Say why something was not done; the exit code."""
    errors.print(f"{refused.detail} {refused.mend}", markup=False)
    return EXIT_REFUSED


def _nobody(name: str) -> int:
    errors.print(f"There is no account {name}. List them: throughline accounts list", markup=False)
    return EXIT_NOT_FOUND


def check_password(password: str) -> SecretStr:
    """Raises Misconfigured for one that is too short, or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Misconfigured(
            f"The password has {len(password)} characters",
            f"Give {SHORTEST} to {LONGEST} characters; some words that nobody would put together are good",
            "password",
        )
    return SecretStr(password)


async def list_accounts(made: "Installation", now: datetime, screen: Console, *, as_json: bool) -> None:
    """Who has an account."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        found = await accounts.every(connection)
    if as_json:
        _lines([shapes.account_told(one) for one in found])
        return
    if not found:
        screen.print("No account exists yet: `throughline accounts set-up-link` makes a link for the first one.")
        return
    table = _table("name", "role", "e-mail", "signs in by", "last sign-in", "id")
    for one in found:
        role = f"{one.role.value}{', disabled' if one.disabled else ''}"
        last = moment(one.signed_in_at, now) if one.signed_in_at else "never"
        table.add_row(Text(one.name), role, Text(one.email or ""), Text(_way(one)), last, one.id)
    screen.print(by_width(table))


def _way(account: Account) -> str:
    ways = [*(["password"] if account.password else []), *([account.issuer] if account.issuer else [])]
    return ", ".join(ways) or "nothing yet"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account as it is typed. password: None: they sign in elsewhere."""

    name: str
    role: Role
    email: str | None
    password: SecretStr | None


async def add_account(made: "Installation", by: By, wanted: NewAccount, screen: Console) -> int | None:
    """Somebody who may come in."""
    hashed = await Passwords().hash(wanted.password.get_secret_value()) if wanted.password else None
    try:
        async with _changing(made) as connection:
            account = await accounts.add(connection, by, wanted.name, wanted.role, email=wanted.email, password=hashed)
    except Refused as refused:
        return told(refused)
    screen.print(f"{account.name} is {_a(wanted.role)} now ({account.id}).", markup=False)
    if hashed is None:
        screen.print("They sign in elsewhere, where their address is verified; or by a password: accounts password.")
    return None


def _a(role: Role) -> str:
    return f"{'an' if role.value[0] in 'ae' else 'a'} {role.value}"


async def change_account(
    made: "Installation", by: By, name: str, to: Mapping[str, Any], said: str, screen: Console
) -> int | None:
    """Change an account. said: what it is then, as `is disabled`."""
    try:
        async with _changing(made) as connection:
            found = await accounts.called(connection, name)
            if found is None:
                return _nobody(name)
            account = await accounts.change(connection, by, found, to)
    except Refused as refused:
        return told(refused)
    screen.print(f"{account.name} {said}.", markup=False)
    return None


async def set_password(
    made: "Installation", by: By, name: str, password: SecretStr | None, screen: Console
) -> int | None:
    """Another password, or none; every session of the account ends."""
    hashed = await Passwords().hash(password.get_secret_value()) if password else None
    said = f"has {'another' if hashed else 'no'} password, and is signed out everywhere"
    return await change_account(made, by, name, {"password": hashed}, said, screen)


async def set_up_link(made: "Installation", now: datetime) -> int | None:
    """Print a link that makes the first account."""
    from services.cli.entering import link_of

    async with _changing(made) as connection:
        key = await entering.new_link(connection, now)
    if key is None:
        errors.print("There is an admin already. Add others by `throughline accounts add`.", markup=False)
        return EXIT_REFUSED
    settings = made.settings
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    write_line(link_of(made, key, f"http://{host}:{settings.api_port}"))
    return None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is typed. account: None: of a program, in its own name. days: None: until it is revoked."""

    title: str
    role: Role
    account: str | None
    days: int | None


async def add_token(made: "Installation", by: By, wanted: NewToken) -> int | None:
    """Make a token; its text alone goes to the output."""
    async with _changing(made) as connection:
        account = await accounts.called(connection, wanted.account) if wanted.account else None
        if wanted.account and account is None:
            return _nobody(wanted.account)
        lasts = timedelta(days=wanted.days) if wanted.days else None
        _, text = await tokens.add(connection, by, wanted.title, wanted.role, account.id if account else None, lasts)
    tell("Keep it now: it is shown this once.")
    write_line(text)
    return None


async def list_tokens(made: "Installation", now: datetime, screen: Console, *, as_json: bool) -> None:
    """All tokens, without what opens anything."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        found = await tokens.every(connection)
    if as_json:
        _lines([shapes.token_told(one) for one in found])
        return
    if not found:
        screen.print("No token exists: `throughline tokens add TITLE` makes one.")
        return
    table = _table("id", "for", "role", "whose", "last used", "ends")
    for one in found:
        ends = moment(one.expires_at, now) if one.expires_at else "never"
        used = moment(one.used_at, now) if one.used_at else "never"
        table.add_row(one.id, Text(one.title), one.role.value, Text(one.owner or "a program"), used, ends)
    screen.print(by_width(table))


async def revoke_token(made: "Installation", by: By, name: str, screen: Console) -> int | None:
    """It opens nothing any more, within a second."""
    async with _changing(made) as connection:
        found = await tokens.get(connection, name)
        if found is None:
            errors.print(f"There is no token {name}. List them: throughline tokens list", markup=False)
            return EXIT_NOT_FOUND
        await tokens.revoke(connection, by, found)
    screen.print(f"The token for {found.title} is revoked.", markup=False)
    return None


async def list_sessions(made: "Installation", now: datetime, screen: Console, *, as_json: bool) -> None:
    """Who is signed in, and where."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        found = await sessions.every(connection, now)
    if as_json:
        _lines([shapes.session_told(one) for one in found])
        return
    if not found:
        screen.print("Nobody is signed in.")
        return
    table = _table("id", "who", "since", "last seen", "from", "browser")
    for one in found:
        began, seen = moment(one.created_at, now), moment(one.seen_at, now)
        table.add_row(one.id, Text(one.name), began, seen, one.address or "", Text(one.agent or ""))
    screen.print(by_width(table))


async def revoke_session(made: "Installation", by: By, name: str, screen: Console) -> int | None:
    """Its browser is signed out within a second."""
    async with _changing(made) as connection:
        found = await sessions.get(connection, name)
        if found is None:
            errors.print(f"There is no session {name}. List them: throughline sessions list", markup=False)
            return EXIT_NOT_FOUND
        await sessions.end(connection, name)
        on, before = f"account {found.account}", {"session": name}
        await note(connection, by.caller, "session.revoked", on, before, None, by.now, by.where)
    screen.print(f"{found.name} is signed out there.", markup=False)
    return None


async def list_audit(
    made: "Installation", sought: Sought, limit: int, now: datetime, screen: Console, *, as_json: bool
) -> None:
    """The newest entries that the filter leaves."""
    async with opened(made) as (engine, _), reading(engine) as connection:
        rows = await auditing.page(connection, sought, None, limit)
    if as_json:
        _lines([auditing.entry(row) for row in rows])
        return
    table = _table("when", "who", "did", "to", "from")
    for row in rows:
        table.add_row(moment(row.at, now), Text(row.who), row.action, Text(row.object), row.address or "here")
    screen.print(table if rows else "Nothing of that kind was done.")


async def export_audit(made: "Installation", by: By, sought: Sought) -> None:
    """All of it, as CSV; that is an entry, too."""
    async with _changing(made) as connection:
        await note(connection, by.caller, "audit.exported", "audit", None, {}, by.now, by.where)
    async with opened(made) as (engine, _):
        write_line(_csv(auditing.COLUMNS))
        async for row in auditing.everything(partial(reading, engine), sought):
            write_line(_csv(auditing.cells(row)))


def _csv(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _lines(items: Sequence[Mapping[str, Any]]) -> None:
    for one in items:
        write_line(orjson.dumps(one).decode())


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
