"""accounts, tokens, sessions, audit: as commands, on both databases."""

import csv
import json
import re
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from pipelines.store.engine import reading, writing
from schemas.access import Role
from schemas.errors import Misconfigured
from services.admin import accounts, sessions, tokens
from services.admin.accounts import Account
from services.admin.auditing import Sought
from services.admin.passwords import Passwords
from services.admin.sessions import Lasting
from services.admin.tables import audit, set_up_links
from services.cli import people
from services.cli.people import NewAccount, NewToken, by_whom
from services.cli.terminal import EXIT_NOT_FOUND, EXIT_REFUSED
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk

BY = by_whom("root", NOW)
PASSWORD = SecretStr("correct horse battery CANARY")


async def added(desk: Desk, name: str = "Anna Berg", role: Role = Role.ADMIN, *, password: bool = True) -> Account:
    wanted = NewAccount(name, role, f"{name[0]}@acme.example", PASSWORD if password else None)
    assert await people.add_account(desk.made, BY, wanted, desk.screen) is None
    async with reading(desk.engine) as connection:
        found = await accounts.called(connection, name)
    assert found is not None
    return found


@BOTH
async def test_an_account_is_added_listed_and_changed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await people.list_accounts(desk.made, NOW, desk.screen, as_json=False)
    assert "No account exists yet" in desk.printed
    anna = await added(desk)
    assert desk.printed == f"Anna Berg is an admin now ({anna.id}).\n"
    assert await Passwords().verify(anna.password, PASSWORD.get_secret_value())
    await added(desk, "Ben", Role.VIEWER, password=False)
    assert "They sign in elsewhere" in desk.printed
    assert (
        await people.change_account(desk.made, BY, "b@acme.example", {"role": Role.EDITOR}, "changed", desk.screen)
        is None
    )
    await people.list_accounts(desk.made, NOW, desk.screen, as_json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["name"], one["role"], one["password"]) for one in told] == [
        ("Anna Berg", "admin", True),
        ("Ben", "editor", False),
    ]
    await people.list_accounts(desk.made, NOW, desk.screen, as_json=False)
    lines = desk.printed.splitlines()
    assert "password" in lines[-2]
    assert "nothing yet" in lines[-1]


@BOTH
async def test_the_last_admin_stays_one_and_a_name_is_one_persons(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await added(desk)
    for to in ({"role": Role.VIEWER}, {"disabled": True}):
        assert await people.change_account(desk.made, BY, "Anna Berg", to, "", desk.screen) == EXIT_REFUSED
    assert capsys.readouterr().err.count("This is the last admin.") == 2
    same = NewAccount("ＡNNA  berg", Role.VIEWER, None, None)
    assert await people.add_account(desk.made, BY, same, desk.screen) == EXIT_REFUSED
    assert "Another account has this name." in capsys.readouterr().err
    await added(desk, "Ben", password=True)
    assert await people.change_account(desk.made, BY, "Anna Berg", {"disabled": True}, "", desk.screen) is None
    assert await people.change_account(desk.made, BY, "nobody", {"disabled": True}, "", desk.screen) == EXIT_NOT_FOUND


@BOTH
async def test_another_password_ends_the_sessions(desk: Desk) -> None:
    anna = await added(desk)
    async with writing(desk.engine) as connection:
        await sessions.begin(connection, anna, Lasting(), NOW, "192.0.2.7", "Browser 1")
    desk.printed  # noqa: B018 - forget what was printed
    await people.list_sessions(desk.made, NOW, desk.screen, as_json=False)
    assert re.search(r"S-[a-z2-7]{10} +Anna Berg .*192\.0\.2\.7 +Browser 1", desk.printed)
    assert (
        await people.set_password(desk.made, BY, "Anna Berg", SecretStr("another long password"), desk.screen) is None
    )
    await people.list_sessions(desk.made, NOW, desk.screen, as_json=False)
    assert desk.printed.endswith("Nobody is signed in.\n")


@BOTH
async def test_a_session_is_revoked(desk: Desk) -> None:
    anna = await added(desk)
    async with writing(desk.engine) as connection:
        begun = await sessions.begin(connection, anna, Lasting(), NOW, None, None)
    assert await people.revoke_session(desk.made, BY, begun.id, desk.screen) is None
    assert await people.revoke_session(desk.made, BY, begun.id, desk.screen) == EXIT_NOT_FOUND


@BOTH
async def test_a_token_is_shown_once_listed_and_revoked(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await people.add_token(desk.made, BY, NewToken("Prometheus", Role.WATCHER, None, None)) is None
    text = capsys.readouterr().out.strip()
    async with reading(desk.engine) as connection:
        found = await tokens.caller_of(connection, text, NOW + timedelta(days=4000))
    assert found is not None
    caller, name = found
    assert caller is not None
    assert (caller.name, caller.role, caller.how, caller.account) == ("Prometheus", Role.WATCHER, "token", None)
    await people.list_tokens(desk.made, NOW, desk.screen, as_json=False)
    printed = desk.printed
    assert "a program" in printed
    assert text not in printed
    assert await people.revoke_token(desk.made, BY, name, desk.screen) is None
    assert await people.revoke_token(desk.made, BY, name, desk.screen) == EXIT_NOT_FOUND
    assert await people.add_token(desk.made, BY, NewToken("x", Role.VIEWER, "nobody", 1)) == EXIT_NOT_FOUND
    async with reading(desk.engine) as connection:
        assert await tokens.caller_of(connection, text, NOW) is None


async def test_a_set_up_link_is_made_while_there_is_no_account(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert await people.set_up_link(desk.made, NOW) is None
    link = capsys.readouterr().out.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:8700/set-up\?key=[\w-]{43}", link)
    async with reading(desk.engine) as connection:
        (stored,) = (await connection.execute(select(set_up_links.c.hashed))).scalars()
    assert link.partition("key=")[2] not in stored
    await added(desk)
    assert await people.set_up_link(desk.made, NOW) == EXIT_REFUSED


@BOTH
async def test_what_was_done_is_told_and_exported_without_secrets(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await added(desk)
    await people.set_password(desk.made, BY, "Anna Berg", SecretStr("another CANARY password"), desk.screen)
    await people.add_token(desk.made, BY, NewToken("=cmd()", Role.VIEWER, "Anna Berg", 5))
    token = capsys.readouterr().out.strip()
    await people.list_audit(desk.made, Sought(action="account"), 10, NOW, desk.screen, as_json=False)
    lines = desk.printed.splitlines()[-3:]
    assert lines[0].split()[:4] == ["when", "who", "did", "to"]
    assert "account.changed" in lines[1]
    assert "account.added" in lines[2]
    assert all("root" in line for line in lines[1:])
    await people.export_audit(desk.made, BY, Sought())
    out = capsys.readouterr().out
    rows = list(csv.DictReader(out.splitlines()))
    assert [row["action"] for row in rows] == ["audit.exported", "token.added", "account.changed", "account.added"]
    assert rows[1]["after"].startswith('{"account":"A-')
    async with reading(desk.engine) as connection:
        kept = str((await connection.execute(select(audit))).all())
    for secret in ("CANARY", token, token.split("_", 2)[2], "argon2"):
        assert secret not in out + kept


@pytest.mark.parametrize("password", ["short", "x" * 201])
def test_a_bad_password_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        people.check_password(password)
    assert password not in str(raised.value)


@BOTH
async def test_a_password_is_taken_away(desk: Desk) -> None:
    await added(desk)
    await added(desk, "Ben")
    assert await people.set_password(desk.made, BY, "Anna Berg", None, desk.screen) is None
    assert desk.printed.endswith("Anna Berg has no password, and is signed out everywhere.\n")
    async with reading(desk.engine) as connection:
        anna = await accounts.called(connection, "Anna Berg")
    assert anna is not None
    assert anna.password is None
