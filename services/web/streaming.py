"""Answers of the API that come line by line, asked inside this process as all others are."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Scope

from services.web.api import Failed

LINES = "application/x-ndjson"


@asynccontextmanager
async def lines(request: Request, path: str, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Any]]:
    """The JSON values of an answer, each as it comes, in the name of whoever sent `request`. Raises Failed where the
    API refuses, before the first."""
    sent = json.dumps(body).encode()
    said: asyncio.Queue[Message | None] = asyncio.Queue()
    asking = asyncio.create_task(_ask(request.app.state.api, _scope(request, path, len(sent)), sent, said))
    try:
        first = await said.get()
        if first is None:
            raise Failed(500, {"detail": "The API gave no answer."})
        if first["status"] >= 300:
            raise Failed(first["status"], json.loads(b"".join([part async for part in _parts(said)]) or b"{}"))
        yield _values(said)
    finally:
        asking.cancel()
        await asyncio.wait([asking])


def _scope(request: Request, path: str, length: int) -> Scope:
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"), (b"accept", LINES.encode()),
               (b"if-match", b"*"), (b"content-length", str(length).encode())]  # fmt: skip
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "client": request.scope.get("client"), "server": ("127.0.0.1", 80),
        "state": {"caller": request.scope["state"].get("caller")},
    }  # fmt: skip


async def _ask(app: ASGIApp, scope: Scope, body: bytes, said: "asyncio.Queue[Message | None]") -> None:
    given = [body]

    async def receive() -> Message:
        if given:
            return {"type": "http.request", "body": given.pop(), "more_body": False}
        await asyncio.Event().wait()  # nobody hangs up: who does not read on cancels
        raise AssertionError

    try:
        await app(scope, receive, said.put)
    finally:
        said.put_nowait(None)


async def _parts(said: "asyncio.Queue[Message | None]") -> AsyncIterator[bytes]:
    while (message := await said.get()) is not None:
        if message["type"] == "http.response.body":
            yield message.get("body", b"")


async def _values(said: "asyncio.Queue[Message | None]") -> AsyncIterator[Any]:
    left = b""
    async for part in _parts(said):
        *whole, left = (left + part).split(b"\n")
        for line in whole:
            if line:
                yield json.loads(line)
