"""A stream that somebody reads ends with what they are known by."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.engine import reading
from schemas.access import Role
from services.admin import auditing, sessions
from services.query.access import AGAIN
from services.query.server import Server
from tests.services.admin.entrance import HERE, NOW, Door, door

STREAM = "/v1/changes/stream"


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as made:
        await made.account()
        await made.account("Vera", Role.VIEWER)
        yield made


@asynccontextmanager
async def served(hub: Door) -> AsyncIterator[str]:
    """The hub over real HTTP."""
    server = Server(hub.app, "127.0.0.1", 0, asyncio.Event())
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        await serving


async def ends_after(http: httpx2.AsyncClient, change: Callable[[], Awaitable[object]]) -> int:
    """Read the stream, change something once it runs, and wait for its end; the status of asking again."""
    async with asyncio.timeout(60), http.stream("GET", STREAM) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        assert "changes follow" in await anext(lines)
        await change()
        async for _ in lines:
            pass
    return (await http.get("/v1/me")).status_code


async def test_a_session_that_is_ended_a_token_revoked_and_an_account_disabled(hub: Door) -> None:
    async with (
        served(hub) as url,
        httpx2.AsyncClient(base_url=url, timeout=60, headers=HERE) as http,
        hub.browser() as annas,
    ):
        await hub.signed_in(annas)
        vera = (await hub.signed_in(http, "Vera")).json()

        async def end_session() -> None:
            assert (await annas.delete(f"/v1/sessions/{vera['session']['id']}")).status_code == 204

        async def disable() -> None:
            there = f"/v1/accounts/{vera['account']}"
            changed = await annas.patch(there, json={"disabled": True}, headers={"If-Match": "*"})
            assert changed.status_code == 200

        assert await ends_after(http, end_session) == 401
        await hub.signed_in(http, "Vera")
        token = (await http.post("/v1/tokens", json={"title": "x", "role": "viewer"})).json()

        async def revoke() -> None:
            assert (await annas.delete(f"/v1/tokens/{token['id']}")).status_code == 204

        async with httpx2.AsyncClient(
            base_url=url, timeout=60, headers={"Authorization": f"Bearer {token['token']}"}
        ) as program:
            assert await ends_after(program, revoke) == 401
        assert await ends_after(http, disable) == 401


async def test_a_page_left_open_is_no_use_of_its_session(hub: Door) -> None:
    """Else it would never end unused."""
    async with hub.browser() as http:
        cookie = (await hub.signed_in(http, "Vera")).headers["Set-Cookie"].partition(";")[0]
    scope = {"type": "http", "method": "GET", "path": STREAM, "headers": [(b"cookie", cookie.encode())]}
    hub.clock.on(days=3)
    for more, seen in (({AGAIN: True}, NOW), ({}, hub.clock())):
        caller = await hub.access.caller(scope | more)
        assert caller is not None
        await hub.access.flush()
        async with reading(hub.engine) as connection:
            assert [one.seen_at for one in await sessions.every(connection, NOW)] == [seen]


async def test_head_begins_no_stream_and_exports_nothing(hub: Door) -> None:
    async with served(hub) as url, httpx2.AsyncClient(base_url=url, timeout=60, headers=HERE) as http:
        await hub.signed_in(http)
        for path, kind in (("/v1/audit.csv", "text/csv"), (STREAM, "text/event-stream")):
            answer = await http.head(path)
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["Content-Type"].startswith(kind)
        assert await hub.entries("audit.exported") == []
        assert (await http.head("/v1/audit.csv", params={"since": "x"})).status_code == 422
        assert (await http.get("/v1/audit.csv")).status_code == 200
        assert len(await hub.entries("audit.exported")) == 1


async def test_an_export_holds_no_connection_while_its_reader_takes_what_was_read(hub: Door) -> None:
    """A reader may be slow, or gone: then nothing is left to be closed."""
    held = [0]

    @asynccontextmanager
    async def counted() -> AsyncIterator[AsyncConnection]:
        async with reading(hub.engine) as connection:
            held.append(held[-1] + 1)
            yield connection
        held.append(held[-1] - 1)

    rows = auditing.everything(counted, auditing.Sought())
    assert (await anext(rows)).action.startswith("account.")
    assert held == [0, 1, 0]
