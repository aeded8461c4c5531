"""Connections of those who send no end of a request: closed in time, while others are served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.query import server
from services.query.server import Server

HEAD = b"GET / HTTP/1.1\r\nHost: hub.example\r\n"
BODY = b"POST / HTTP/1.1\r\nHost: hub.example\r\nContent-Length: 100\r\n\r\n"


async def home(request: Request) -> Response:
    return PlainTextResponse(f"got {len(await request.body())}")


@asynccontextmanager
async def served(patience: float) -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", home, methods=["GET", "POST"])])
    made = Server(app, "127.0.0.1", 0, asyncio.Event(), patience=patience)
    serving = asyncio.create_task(made.serve())
    while not made.started:
        await asyncio.sleep(0.01)
    try:
        yield made.port
    finally:
        made.stop()
        await serving


async def heard(port: int, *parts: bytes) -> bytes:
    """All that is answered until the connection is closed, however long that takes."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@pytest.mark.parametrize("parts", [(), (HEAD,), (BODY,), (BODY, b"part")], ids=["nothing", "head", "body", "part"])
async def test_who_does_not_come_to_an_end_is_hung_up_on(parts: tuple[bytes, ...]) -> None:
    async with served(0.2) as port:
        assert await heard(port, *parts) == b""
        for _ in range(5):  # a busy machine may stand still for longer than its patience
            if whole := await heard(port, HEAD + b"Connection: close\r\n\r\n"):
                break
        assert whole.endswith(b"got 0")


async def test_a_head_without_end_is_not_taken_in() -> None:
    async with served(60) as port:
        line = b"X-A: " + b"a" * 100_000
        assert await heard(port, HEAD, *[line] * (server.LONGEST_HEAD // len(line) + 2)) == b""
        lines = (b"X-A: " + b"a" * 1_000 + b"\r\n") * 100
        assert await heard(port, HEAD, *[lines] * (server.LONGEST_HEAD // len(lines) + 2)) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"CANARY" * 12_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CANARY / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01CANARY",
        b"GET / HTTP/1.1\r\nHost: CANARY\r\nX-A: b\r\nhost: hub.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: CANARY\r\nHost: CANARY\r\n\r\n",
        b"GET /CANARY HTTP/1.1\r\n\r\n",
    ],
    ids=["a long address", "no method", "TLS", "two hosts", "one host twice", "no host"],
)
async def test_what_is_no_request_is_told_with_the_mend(sent: bytes) -> None:
    async with served(60) as port:
        head, _, body = (await heard(port, sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json\r\n" in head
    problem = orjson.loads(body)
    assert (problem["status"], problem["type"]) == (400, "urn:throughline:problem:unreadable")
    assert problem["mend"].startswith("Ask in parts")
    assert b"CANARY" not in head + body


async def test_who_speaks_an_older_protocol_need_name_no_host() -> None:
    async with served(60) as port:
        assert (await heard(port, b"GET / HTTP/1.0\r\n\r\n")).endswith(b"got 0")


async def test_who_asks_for_another_protocol_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with served(60) as port:
        ask = HEAD + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        assert (await heard(port, ask)).endswith(b"got 0")
    assert "pip install" not in caplog.text


async def test_who_sends_in_parts_is_waited_for() -> None:
    async with served(60) as port:
        body = [b"a" * 50, b"a" * 50]
        slow = BODY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        assert (await heard(port, slow[:20], slow[20:], *body)).endswith(b"got 100")
        large = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000
        assert (await heard(port, large)).endswith(b"got 1000000")
