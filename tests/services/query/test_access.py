"""Who may ask; and errors that tell nothing."""

import logging
from typing import Any, NoReturn

import anyio
import httpx2
import pytest

from pipelines.store.engine import open_engine
from services.query.access import Guard, Loopback
from services.query.app import create_app
from tests.services.query.conftest import BASE, NOW, client_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8700", "127.0.0.1:1", "[::1]", "[::1]:8700"])
async def test_loopback_names_are_answered_without_a_token(host: str) -> None:
    async with client_of(create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW), Host=host) as http:
        answer = await http.get("/livez", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:x", "127.0.0.2", "[::1].x", ""])
async def test_any_other_name_is_refused(host: str) -> None:
    async with client_of(create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW), Host=host) as http:
        answer = await http.get("/livez")
    assert answer.status_code == 421
    assert answer.headers["Content-Type"] == "application/problem+json"


class Strangers:
    """Access that knows nobody."""

    async def caller(self, scope: Any) -> None:
        """Nobody."""
        del scope


async def test_who_is_not_known_reads_what_is_open_and_nothing_else() -> None:
    app = create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW, access=Strangers())
    async with client_of(app, Host="hub.example") as http:
        assert (await http.get("/livez")).status_code == 200
        for path in ("/v1/requests", "/openapi.json", "/metrics", "/v1/nothing", "/livez/"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path


async def test_no_browser_takes_an_answer_for_a_page_or_shows_it_in_one() -> None:
    async with client_of(create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW)) as http:
        for path in ("/livez", "/v1/nothing"):
            headers = (await http.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert headers["X-Frame-Options"] == "DENY"


async def test_what_nobody_foresaw_is_a_problem_with_an_id_that_the_log_knows(
    caplog: pytest.LogCaptureFixture, sqlite_url: str
) -> None:
    def broken() -> NoReturn:
        raise ZeroDivisionError("CANARY")

    engine = open_engine(sqlite_url)
    app = create_app(engine, broken)
    with caplog.at_level(logging.ERROR):
        async with client_of(app) as http:
            answer = await http.get("/v1/requests?in_stage_longer_than=1")
    await engine.dispose()
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["error_id"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "CANARY" not in caplog.text + answer.text


async def test_paths_and_methods_that_are_none() -> None:
    async with client_of(create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW)) as http:
        unknown = await http.get("/CANARY")
        assert unknown.status_code == 404
        assert unknown.json()["type"] == "urn:throughline:problem:no-such-path"
        assert "CANARY" not in unknown.text
        for path in ("/v1/requests", "/v1/requests/R-AAAAAAAAAAAA", "/livez", "/v1/lookup"):
            for method in ("POST", "DELETE", "PUT", "PATCH"):
                answer = await http.request(method, path)
                assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
                assert answer.json()["type"] == "urn:throughline:problem:method-not-allowed"


async def test_a_reader_that_leaves_a_stream_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    left = ExceptionGroup("", [anyio.BrokenResourceError(), ExceptionGroup("", [anyio.ClosedResourceError()])])
    mixed = ExceptionGroup("", [anyio.BrokenResourceError(), ZeroDivisionError()])
    for error, lines in ((left, 0), (mixed, 1)):

        async def streams(_scope: Any, _receive: Any, send: Any, error: Exception = error) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            raise error

        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(Guard(streams, Loopback())), base_url=BASE
        ) as http:
            await http.get("/v1/changes/stream")
        assert len(caplog.records) == lines
