"""Lines of an answer come one by one, and a refusal comes before the first."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from schemas.access import THIS_MACHINE
from services.web.api import Failed
from services.web.streaming import lines


def asked_by(api: Any) -> Request:
    site = Starlette()
    site.state.api = api
    return Request({"type": "http", "app": site, "state": {"caller": THIS_MACHINE}, "client": ("127.0.0.1", 5)})


async def test_each_line_as_it_comes() -> None:
    go_on = asyncio.Event()
    ended = asyncio.Event()
    seen: list[Any] = []

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["path"], scope["state"]["caller"], (await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"one": 1}\n{"tw', "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b'o": 2}\n', "more_body": True})
        try:
            await receive()
        finally:
            ended.set()

    async with lines(asked_by(api), "/v1/told", {"a": 1}) as values:
        assert await anext(values) == {"one": 1}
        go_on.set()
        assert await anext(values) == {"two": 2}
    assert ended.is_set()
    assert seen == [("/v1/told", THIS_MACHINE, b'{"a": 1}')]


async def test_a_refusal_comes_before_the_first() -> None:
    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 422, "headers": []})
        await send({"type": "http.response.body", "body": b'{"detail": "No."}'})

    with pytest.raises(Failed) as refused:
        async with lines(asked_by(api), "/v1/told", {}):
            raise AssertionError
    assert (refused.value.status, refused.value.problem) == (422, {"detail": "No."})


async def test_an_end_without_an_answer_is_no_answer() -> None:
    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send

    with pytest.raises(Failed):
        async with lines(asked_by(api), "/v1/told", {}):
            raise AssertionError
