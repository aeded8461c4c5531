"""Connections: what an admin gave comes back whole, and its secrets lie sealed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy import text

from connectors.catalogue import catalogue
from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured
from services.feed import connections
from services.security import BadSeal
from tests.services.feed.conftest import Post
from tests.services.feed.tool import Double, MemoOptions, Plain, options

DEEP = Double(user="anna", password=SecretStr("first s3cret"), proxy=Plain(token=SecretStr("second s3cret")))
JIRA: dict[str, Any] = {"base_url": "https://acme.example", "projects": ("PAY",), "webhook_token": "w" * 32}
GIVEN = [
    ("jira", JIRA | {"auth": {"kind": "api_token", "email": "a@acme.example", "token": "s3cret"}}),
    ("jira", JIRA | {"auth": {"kind": "scoped_token", "email": "a@acme.example", "token": "s3cret"}, "cloud_id": "c"}),
    ("jira", JIRA | {"auth": {"kind": "personal_access_token", "token": "s3cret"}, "edition": "datacenter"}),
]


def shown(given: BaseModel) -> Any:
    """Options with their secrets in clear, to compare."""

    def open_up(value: Any) -> Any:
        if isinstance(value, SecretStr):
            return value.get_secret_value()
        if isinstance(value, dict):
            return {name: open_up(one) for name, one in value.items()}
        return value

    return open_up(given.model_dump())


async def read_back(post: Post, name: str, model: type[BaseModel]) -> BaseModel:
    stored = await post.stored(name)
    return connections.parse_options(model, connections.with_secrets(stored, post.keys))


async def test_nested_secrets_come_back_and_lie_sealed(post: Post) -> None:
    given = MemoOptions(auth=DEEP, folders=("a", "b"), webhook_secret=SecretStr("third s3cret"))
    await post.add("deep", given)
    stored = await post.stored("deep")
    assert sorted(stored.secrets) == ["auth.password", "auth.proxy.token", "webhook_secret"]
    assert stored.options["auth"] == {"kind": "double", "user": "anna", "proxy": {"kind": "plain"}}
    async with reading(post.engine) as connection:
        row = (await connection.execute(text("SELECT options, secrets FROM connections WHERE id = 'deep'"))).one()
    assert "s3cret" not in "".join(row)
    assert shown(await read_back(post, "deep", MemoOptions)) == shown(given)


@pytest.mark.parametrize(("name", "given"), GIVEN, ids=lambda one: one["auth"]["kind"] if isinstance(one, dict) else "")
async def test_every_way_to_sign_in_comes_back(post: Post, name: str, given: dict[str, Any]) -> None:
    model = catalogue()[name].Options
    whole = model.model_validate(given)
    async with writing(post.engine) as connection:
        await connections.add(connection, "real", name, "Real", whole, None, post.keys)
    assert shown(await read_back(post, "real", model)) == shown(whole)
    assert "s3cret" not in str((await post.stored("real")).options)


async def test_a_sealed_secret_opens_nowhere_else(post: Post) -> None:
    await post.add("other", options())
    async with writing(post.engine) as connection:
        moved = (
            "UPDATE connections SET secrets = (SELECT secrets FROM connections WHERE id = 'memos') WHERE id = 'other'"
        )
        await connection.execute(text(moved))
    with pytest.raises(BadSeal):
        connections.with_secrets(await post.stored("other"), post.keys)


@pytest.mark.parametrize(
    ("name", "says"),
    [("memos", "already"), ("Memos", "lower-case"), ("-memos", "lower-case"), ("m" * 41, "at most 40")],
)
async def test_a_name_that_is_taken_or_none_is_refused(post: Post, name: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as refused:
        await post.add(name, options())
    assert refused.value.field == "name"


def test_wrong_options_are_named_and_never_repeated() -> None:
    with pytest.raises(Misconfigured) as wrong:
        connections.parse_options(MemoOptions, {"auth": {"kind": "plain", "token": 17}, "folders": 3, "base_url": "x"})
    assert wrong.value.field == "auth.token"
    assert "1 more field is wrong too" in wrong.value.problem
    assert "17" not in str(wrong.value)


async def test_reading_again_starts_over_and_removing_forgets(post: Post) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    await post.change(cursor={"page": 3}, first_read_done=True, problem="p", attention=True, retry_at=post.now())
    async with writing(post.engine) as connection:
        assert await connections.start_again(connection, "memos", since)
        assert not await connections.start_again(connection, "nobody", since)
    stored = await post.stored()
    assert (stored.cursor, stored.first_read_done, stored.problem, stored.since) == (None, False, None, since)
    assert stored.epoch == 2
    async with writing(post.engine) as connection:
        assert await connections.remove(connection, "memos")
        assert not await connections.remove(connection, "memos")


async def test_a_damaged_row_takes_no_other_connection_down(post: Post) -> None:
    await post.add("hurt", options())
    async with writing(post.engine) as connection:
        await connection.execute(text("UPDATE connections SET options = '{', \"cursor\" = '[' WHERE id = 'hurt'"))
    assert (await post.stored("hurt")).options == {}
    assert (await post.stored("hurt")).cursor is None
    assert (await post.stored("memos")).options != {}


async def test_a_secret_that_the_tool_replaced_is_kept_beside_the_others(post: Post) -> None:
    async with writing(post.engine) as connection:
        await connections.add(connection, "deep", "memo", "Memo", DEEP, None, post.keys)
    before = await post.stored("deep")
    async with writing(post.engine) as connection:
        sealed = post.keys.seal("deep", "password", SecretStr("the next s3cret"))
        await connections.keep_secret(connection, "deep", "password", sealed)
    after = await post.stored("deep")
    assert shown(await read_back(post, "deep", Double)) == shown(DEEP.model_copy(update={
        "password": SecretStr("the next s3cret")}))  # fmt: skip
    assert (after.epoch, after.options, after.cursor) == (before.epoch, before.options, before.cursor)
