"""What is answered before everything is loaded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from schemas.errors import Misconfigured
from services.admin.routers import ROUTERS
from services.cli.early import Early
from services.query.app import openapi_document
from tests.services.cli.test_starting import up


def telling(who: str, *paths: str) -> Starlette:
    async def told(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{who}: {request.url.path}")

    return Starlette(routes=[Route(path, told) for path in paths])


class Making:
    """Makes the whole when it may, and counts how often."""

    def __init__(self) -> None:
        self.may = Event()
        self.times = 0

    def __call__(self) -> ASGIApp:
        self.times += 1
        assert self.may.wait(30)
        return telling("whole", "/lookup", "/page", "/other")


def client(app: ASGIApp) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub")


async def soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def test_what_is_there_is_answered_while_the_rest_is_made_once_for_all_who_wait() -> None:
    making = Making()
    early = Early(telling("first", "/lookup"), making)
    async with client(early) as asking:
        assert (await asking.get("/lookup")).text == "first: /lookup"
        assert making.times == 0
        waiting = [asyncio.ensure_future(asking.get(path)) for path in ("/page", "/other", "/nowhere")]
        waiting.append(asyncio.ensure_future(asking.post("/lookup")))
        await soon(lambda: making.times > 0)
        assert (await asking.get("/lookup")).text == "first: /lookup"
        assert not any(one.done() for one in waiting)
        making.may.set()
        page, other, nowhere, refused = await asyncio.gather(*waiting)
        assert (page.text, other.text) == ("whole: /page", "whole: /other")
        assert (nowhere.status_code, refused.status_code) == (404, 405)
        assert (await asking.get("/lookup")).text == "whole: /lookup"
        await early.run()
    assert making.times == 1


async def test_a_head_is_answered_by_what_answers_its_get() -> None:
    making = Making()
    async with client(Early(telling("first", "/lookup"), making)) as asking:
        assert (await asking.head("/lookup")).status_code == 200
    assert making.times == 0


async def test_who_goes_away_ends_the_making_for_nobody_else() -> None:
    making = Making()
    async with client(Early(telling("first", "/lookup"), making)) as asking:
        gone, stays = (asyncio.ensure_future(asking.get("/page")) for _ in range(2))
        await soon(lambda: making.times > 0)
        gone.cancel()
        await asyncio.wait({gone})
        making.may.set()
        assert (await stays).text == "whole: /page"
    assert making.times == 1


async def test_it_is_made_without_being_asked_for_too() -> None:
    making = Making()
    making.may.set()
    early = Early(telling("first", "/lookup"), making)
    await early.run(latest=0.01)
    async with client(early) as asking:
        assert (await asking.get("/lookup")).text == "whole: /lookup"
    assert making.times == 1


async def test_what_cannot_be_made_ends_the_process_and_is_answered_as_an_error() -> None:
    def fail() -> ASGIApp:
        raise Misconfigured("Nothing can be made", "Mend it")

    early = Early(telling("first", "/lookup"), fail)
    running = asyncio.ensure_future(early.run(latest=60))
    async with client(early) as asking:
        with pytest.raises(Misconfigured, match="Nothing can be made"):
            await asking.get("/page")
    async with asyncio.timeout(30):
        with pytest.raises(Misconfigured, match="Nothing can be made"):
            await running


def test_pages_set_up_and_the_document_are_there_straight_after_the_start(tmp_path: Path) -> None:
    process = up(tmp_path / "data", OPEN_TO_THIS_MACHINE="true")
    try:
        assert process.stderr is not None
        get = partial(httpx2.get, timeout=30)
        address = process.stderr.readline().partition("the API at ")[2].partition(",")[0]
        paths = ("/", "/v1/connectors", "/openapi.json", "/v1/requests?limit=1", "/nowhere", "/v1/nowhere")
        with ThreadPoolExecutor(len(paths) + 1) as beside:
            changed = beside.submit(httpx2.post, f"{address}/v1/requests", timeout=30)
            page, connectors, document, found, nowhere, unknown = beside.map(lambda path: get(address + path), paths)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert {one["name"] for one in connectors.json()["items"]} >= {"jira", "hubspot", "mailbox"}
        assert document.json() == openapi_document(ROUTERS)
        assert found.json()["items"] == []
        assert httpx2.head(f"{address}/livez", timeout=30).status_code == 200
        assert (nowhere.status_code, unknown.status_code, changed.result().status_code) == (404, 404, 405)
    finally:
        process.kill()
        process.communicate()
