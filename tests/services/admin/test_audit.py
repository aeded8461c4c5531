"""The audit: entries are masked, belong to the transaction they tell of, and stay."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import open_engine, reading, writing
from schemas.access import THIS_MACHINE, Caller, Role
from services.admin.audit import MASKED, masked, note
from services.admin.tables import audit
from tests.parts.copies import prepared

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
ANNA = Caller("Anna Berg", Role.ADMIN, "session", "A-1")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    await prepared(database_url)
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


async def noted(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        await note(connection, ANNA, "connection.changed", "connection jira", {"token": "old-CANARY"},
                   {"token": SecretStr("new-CANARY"), "projects": ["PAY"]}, NOW, "192.0.2.7")  # fmt: skip


async def test_an_entry_says_who_did_what_to_what_from_where(engine: AsyncEngine) -> None:
    await noted(engine)
    async with writing(engine) as connection:
        await note(
            connection, THIS_MACHINE, "connection.removed", "connection jira", {"title": "Jira"}, None, NOW, None
        )
        await note(connection, None, "sign-in.refused", "sign-in", None, None, NOW, "192.0.2.9")
    async with reading(engine) as connection:
        first, second, third = (await connection.execute(select(audit).order_by(audit.c.number))).all()
    assert (first.at, first.account, first.who, first.how) == (NOW, "A-1", "Anna Berg", "session")
    assert (first.action, first.object, first.address) == ("connection.changed", "connection jira", "192.0.2.7")
    assert orjson.loads(first.before) == {"token": MASKED}
    assert orjson.loads(first.after) == {"token": MASKED, "projects": ["PAY"]}
    assert (second.who, second.how, second.after, second.address) == ("this machine", "loopback", None, None)
    assert (third.who, third.how, third.account) == ("nobody", "nobody", None)


async def test_what_did_not_happen_is_not_told(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await note(connection, ANNA, "connection.removed", "connection jira", None, None, NOW, None)
        await connection.rollback()
    async with reading(engine) as connection:
        assert (await connection.execute(select(audit))).all() == []


@pytest.mark.parametrize("statement", [update(audit).values(who="nobody"), delete(audit), text("TRUNCATE audit")],
                         ids=["update", "delete", "truncate"])  # fmt: skip
async def test_entries_cannot_be_changed_or_removed(engine: AsyncEngine, statement: object) -> None:
    await noted(engine)
    with pytest.raises(DBAPIError):
        async with writing(engine) as connection:
            await connection.execute(statement)  # type: ignore[call-overload]
    async with reading(engine) as connection:
        assert [row.who for row in await connection.execute(select(audit))] == ["Anna Berg"]


def test_secrets_are_masked_by_type_by_name_and_by_look() -> None:
    token = "tl_abc123_" + "x" * 43
    options = {"auth": {"token": "CANARY", "api_token": {"email": "a@b.example", "value": "CANARY"}}}
    assert masked(options) == {"auth": {"token": MASKED, "api_token": {"email": MASKED, "value": MASKED}}}
    assert masked({"note": SecretStr("CANARY"), "list": [SecretStr("CANARY")]}) == {"note": MASKED, "list": [MASKED]}
    assert masked(f"used {token} and v1.0123abcd.CANARY") == f"used {MASKED} and {MASKED}"
    assert masked({"webhook_secret": "CANARY", "secrets": {"auth.token": "CANARY"}}) == {
        "webhook_secret": MASKED, "secrets": {"auth.token": MASKED},
    }  # fmt: skip


def test_what_is_no_secret_stays() -> None:
    told = {"password": None, "token_expires_at": NOW, "roles": {"b", "a"}, "count": 3, "secret": False}
    assert masked(told) == {
        "password": None, "token_expires_at": NOW.isoformat(), "roles": ["a", "b"], "count": 3, "secret": False,
    }  # fmt: skip
