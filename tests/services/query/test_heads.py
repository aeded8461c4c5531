"""HEAD begins no stream, and makes every other answer to its end."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from services.query.heads import Heads, only_head


class Told:
    """An application that remembers what it did."""

    def __init__(self) -> None:
        self.did: list[str] = []
        routes = [Route(f"/{one.__name__}", one) for one in (self.stream, self.plain, self.same, self.broken)]
        self.app = Heads(Starlette(routes=routes))

    async def stream(self, request: Request) -> Response:
        async def pieces() -> Any:
            self.did.append("began")
            yield b"piece"
            self.did.append("ended")

        return StreamingResponse(pieces(), headers={"X-Only-Head": str(only_head(request))})

    async def plain(self, request: Request) -> Response:
        return PlainTextResponse("told", background=BackgroundTask(self.did.append, str(only_head(request))))

    async def same(self, request: Request) -> Response:
        del request
        return Response(status_code=304, background=BackgroundTask(self.did.append, "same"))

    async def broken(self, request: Request) -> Response:
        raise ZeroDivisionError(request.url.path)

    async def ask(self, method: str, path: str) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://hub.example") as http:
            return await http.request(method, path)


async def test_a_stream_is_not_begun_by_head() -> None:
    told = Told()
    head = await told.ask("HEAD", "/stream")
    assert (head.status_code, head.content, head.headers["x-only-head"]) == (200, b"", "True")
    assert told.did == []
    get = await told.ask("GET", "/stream")
    assert (get.content, get.headers["x-only-head"]) == (b"piece", "False")
    assert told.did == ["began", "ended"]


async def test_an_answer_of_known_length_is_made_to_its_end() -> None:
    told = Told()
    head = await told.ask("HEAD", "/plain")
    assert (head.content, head.headers["content-length"]) == (b"", "4")
    assert (await told.ask("HEAD", "/same")).status_code == 304
    assert told.did == ["True", "same"]


async def test_what_goes_wrong_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await Told().ask("HEAD", "/broken")
