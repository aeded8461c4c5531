"""The change feed: gapless, resumable, and gone at once when the process stops."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from sqlalchemy import event

from services.query.server import Server
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned


async def test_pages_are_gapless_and_end_at_the_newest(hub: Hub) -> None:
    await hub.told(memo(1, version=5, text="part of MEMO-4"))
    seen: list[Any] = []
    since = 0
    while True:
        page = await hub.get("/v1/changes", since=since, limit=2)
        if not page["items"]:
            break
        seen += page["items"]
        since = page["next"]
    assert [one["number"] for one in seen] == list(range(1, page["latest"] + 1))
    assert page["next"] == page["latest"] == since
    newest = {one["request"]: one for one in seen}
    assert newest[owned(4)]["merged_into"] == owned(1)
    assert newest[owned(1)]["etag"] == (await hub.get(f"/v1/requests/{owned(1)}"))["etag"]
    assert (await hub.get(f"/v1/requests/{owned(1)}"))["change"] == newest[owned(1)]["number"]


async def test_a_number_from_the_future_is_a_restored_database(hub: Hub) -> None:
    problem = await hub.get("/v1/changes", 409, since=10_000)
    assert problem["latest"] == 3
    assert "since=0" in problem["mend"]
    assert (await hub.http.get("/v1/changes/stream?since=10000")).status_code == 409
    assert (await hub.http.get("/v1/changes?since=9223372036854775808")).status_code == 422


class Events:
    """What an event stream tells, event by event."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> dict[str, str]:
        """The next event with data; comments are passed over."""
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(":")
            if line and name:
                fields[name] = value.strip()
            elif not line and "data" in fields:
                return fields
        raise EOFError

    async def rest(self) -> list[str]:
        return [line async for line in self._lines if line]


class Serving:
    """The API on a real socket."""

    def __init__(self, hub: Hub) -> None:
        self.server = Server(hub.app, "127.0.0.1", 0, hub.closing)

    async def __aenter__(self) -> "Serving":
        self.task = asyncio.create_task(self.server.serve())
        while not self.server.started:
            await asyncio.sleep(0.01)
        self.http = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.server.port}", timeout=60)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()
        self.server.stop()
        await asyncio.wait_for(self.task, 60)


async def test_the_stream_goes_on_after_the_last_event_seen(hub: Hub) -> None:
    async with Serving(hub) as serving:
        async with serving.http.stream("GET", "/v1/changes/stream", headers={"Last-Event-ID": "1"}) as answer:
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            events = Events(answer.aiter_lines())
            told = [await events.next() for _ in range(2)]
            assert [one["id"] for one in told] == ["2", "3"]
            assert {one["event"] for one in told} == {"change"}
            page = await hub.get("/v1/changes", since=1)
            assert [json.loads(one["data"]) for one in told] == page["items"]
            await hub.told(memo(5, version=2, status="open"))
            assert json.loads((await asyncio.wait_for(events.next(), 60))["data"])["request"] == owned(5)
        async with serving.http.stream("GET", "/v1/changes/stream") as answer:
            events = Events(answer.aiter_lines())
            await hub.told(memo(5, version=3, status="done"))
            assert (await asyncio.wait_for(events.next(), 60))["id"] == "5"
        bad = await serving.http.get("/v1/changes/stream", headers={"Last-Event-ID": "CANARY"})
        assert bad.status_code == 422
        assert "CANARY" not in bad.text


async def test_a_reader_who_leaves_costs_no_connection_of_the_database(hub: Hub) -> None:
    lost: list[object] = []
    for told in ("invalidate", "soft_invalidate"):
        event.listen(hub.engine.sync_engine, told, lambda *told: lost.append(told))
    ask = b"GET /v1/changes/stream?since=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    async with Serving(hub) as serving:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", serving.server.port)
            writer.write(ask)
            await reader.readuntil(b"changes follow")  # its first look at the database follows
            writer.close()
        async with asyncio.timeout(60):
            while serving.server.server_state.tasks:
                await asyncio.sleep(0.01)
    assert not lost


async def test_open_streams_end_at_once_when_the_process_stops(hub: Hub) -> None:
    url = hub.engine.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.query.serve", url, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        async with (
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
            http.stream("GET", "/v1/changes/stream?since=0") as answer,
        ):
            events = Events(answer.aiter_lines())
            for _ in range(3):
                await events.next()
            begun = asyncio.get_running_loop().time()
            process.send_signal(signal.SIGTERM)
            assert await events.rest() == []
            ended = asyncio.get_running_loop().time()
            _, said = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert said == b""
    assert ended - begun < 5  # 0.2 s on a quiet machine; not at once: after the 15 s of a comment, or never


async def test_a_process_that_is_stopping_takes_no_new_stream(hub: Hub) -> None:
    hub.closing.set()
    answer = await hub.http.get("/v1/changes/stream")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
