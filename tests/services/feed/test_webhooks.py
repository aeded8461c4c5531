"""The listener: what proves its sender is stored before it is answered; everything else is refused in a few words."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import event as listen
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from starlette.types import Message

from pipelines.store.engine import reading
from services.feed import inbox
from services.feed.webhooks import LARGEST, Refusals, Webhooks
from tests.services.feed.conftest import Post
from tests.services.feed.tool import catalogue, signature

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
async def client(post: Post) -> AsyncIterator[httpx2.AsyncClient]:
    hooks = Webhooks(post.engine, catalogue(post.tool), post.keys, "https://hooks.example/", post.now)
    transport = httpx2.ASGITransport(hooks.app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


def signed(body: bytes, **more: str) -> dict[str, str]:
    return {"x-signature": signature(body), **more}


async def stored(post: Post) -> list[bytes]:
    async with reading(post.engine) as connection:
        return [delivery.body for _, delivery, _ in await inbox.waiting(connection, "memos")]


async def test_a_proven_delivery_is_stored_and_wakes_its_reader(post: Post, client: httpx2.AsyncClient) -> None:
    headers = signed(b"tell 1", authorization="Bearer s3cret", cookie="c=s3cret")
    answer = await client.post("/hooks/memos?q=1", content=b"tell 1", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await post.stored()).wanted
    async with reading(post.engine) as connection:
        ((_, delivery, at),) = await inbox.waiting(connection, "memos")
    assert (delivery.url, delivery.body, at) == ("https://hooks.example/hooks/memos?q=1", b"tell 1", post.now())
    assert delivery.headers["x-signature"] == signature(b"tell 1")
    assert "s3cret" not in str(delivery.headers)


async def test_a_repeated_delivery_is_known_by_its_id_or_by_its_body(post: Post, client: httpx2.AsyncClient) -> None:
    for named in ({"x-delivery": "d1"}, {"x-delivery": "d1"}, {}, {}):
        assert (await client.post("/hooks/memos", content=b"tell 1", headers=signed(b"tell 1", **named))).is_success
    assert await stored(post) == [b"tell 1", b"tell 1"]


async def test_repetitions_at_one_moment_are_one(post: Post, client: httpx2.AsyncClient) -> None:
    posts = [client.post("/hooks/memos", content=b"tell 1", headers=signed(b"tell 1")) for _ in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {204}
    assert await stored(post) == [b"tell 1"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/hooks/memos", {}),
        ("/hooks/memos", {"x-signature": signature(b"another body")}),
        ("/hooks/nobody", signed(b"tell 1")),
        ("/hooks/nobody/secret-of-it", signed(b"tell 1")),
    ],
)
async def test_what_nothing_proves_is_refused_in_the_same_words(
    post: Post, client: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await client.post(path, content=b"tell 1", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.content)["detail"].startswith("nothing proves who sent this")
    assert await stored(post) == []
    assert not (await post.stored()).wanted


async def test_a_body_larger_than_any_tool_sends_is_refused(post: Post, client: httpx2.AsyncClient) -> None:
    body = b"x" * (LARGEST + 1)
    assert (await client.post("/hooks/memos", content=body, headers=signed(body))).status_code == 413
    most = b"tell " + b"1" * (LARGEST - 5)
    assert (await client.post("/hooks/memos", content=most, headers={})).status_code == 401
    assert await stored(post) == []


async def test_a_proven_body_that_is_broken_waits_to_be_set_aside(post: Post, client: httpx2.AsyncClient) -> None:
    assert (await client.post("/hooks/memos", content=b"\xff\x00", headers=signed(b"\xff\x00"))).status_code == 204
    assert await stored(post) == [b"\xff\x00"]


async def test_nothing_else_is_served(client: httpx2.AsyncClient) -> None:
    wrong = await client.get("/hooks/memos")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    for path in ("/", "/hooks", "/hooks/memos/secret/more", "/hooks/memos/", "/v1/requests", "/metrics", "/livez"):
        nowhere = await client.post(path)
        assert (nowhere.status_code, nowhere.headers["Content-Type"]) == (404, "application/problem+json")
        assert "POST to /hooks/NAME" in nowhere.json()["detail"]


async def test_a_sender_who_leaves_in_the_middle_stores_nothing_and_fails_nothing(post: Post) -> None:
    app = Webhooks(post.engine, catalogue(post.tool), post.keys, "https://hooks.example/", post.now).app()
    parts: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"tell", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(parts)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks/memos", "query_string": b"", "headers": []}
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await stored(post) == []


async def test_a_database_that_fails_is_answered_so_that_the_tool_repeats_it(
    post: Post, client: httpx2.AsyncClient
) -> None:
    broken = True

    @listen.listens_for(post.engine.sync_engine, "before_cursor_execute")
    def fail(_: Connection, __: object, statement: str, *___: object) -> None:
        if broken and "inbox" in statement:
            raise OperationalError(statement, {}, Exception("disk"))

    answer = await client.post("/hooks/memos", content=b"tell 1", headers=signed(b"tell 1"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    broken = False
    assert (await client.post("/hooks/memos", content=b"tell 1", headers=signed(b"tell 1"))).status_code == 204
    assert await stored(post) == [b"tell 1"]


async def test_a_database_that_hangs_is_answered_within_two_seconds(post: Post, client: httpx2.AsyncClient) -> None:
    async def told() -> int:
        answer = await client.post("/hooks/memos", content=b"tell 1", headers=signed(b"tell 1"))
        return answer.status_code

    async def took() -> float:
        begun = time.monotonic()
        assert await told() == 503
        return time.monotonic() - begun

    async with post.engine.begin() as other:
        await other.exec_driver_sql("UPDATE connections SET title = 'held'")
        quickest = await took()
        for _ in range(2):  # a busy machine may have stopped for a while
            quickest = quickest if quickest < 2.5 else min(quickest, await took())
    assert quickest < 2.5
    for _ in range(3):
        if (answer := await told()) == 204:
            break
    assert answer == 204
    assert await stored(post) == [b"tell 1"]


async def test_refusals_name_the_connection_and_flood_no_log(
    post: Post, client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("memos", "memos", "CANARY-1", "memos", "CANARY-2"):
        assert (await client.post(f"/hooks/{name}", content=b"tell 1")).status_code == 401
    told = [vars(one) for one in caplog.records if one.msg == "webhook.refused"]
    assert [(one["connection"], one["deliveries"]) for one in told] == [("memos", 1), ("unknown", 1)]
    assert "CANARY" not in str(told)


def test_a_refusal_later_tells_of_those_before(caplog: pytest.LogCaptureFixture) -> None:
    times = iter(NOW + timedelta(seconds=second) for second in (0, 1, 59, 61, 61))
    refusals = Refusals(lambda: next(times))
    for _ in range(4):
        refusals.tell("memos", "Unverified")
    assert [vars(one)["deliveries"] for one in caplog.records] == [1, 3]
