"""What the transport makes of answers, over real sockets."""

import asyncio
import contextlib
import gzip
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from connectors.contract import HubError, Misconfigured, RetryLater
from connectors.outcomes import BODY_LIMIT
from connectors.transport import (
    Answer,
    Forbidden,
    Limited,
    Limiter,
    Network,
    NotFound,
    Policy,
    Refused,
    Removed,
    outcome,
    retry_after,
)
from tests.connectors.small_server import Script, certificate, serving

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CANARY = "canary-7f3a"


def network() -> Network:
    return Network(Policy(allow_loopback=True), Limiter(requests=1e6, now=lambda: NOW))


async def ask(script: Script, *, timeout: float = 5.0, path: str = "/x", **more: object) -> Answer:
    async with network().client(f"http://127.0.0.1:{script.port}/base", timeout=timeout) as client:
        return await client.request("GET", path, **more)  # type: ignore[arg-type]


async def told(script: Script, *, timeout: float = 5.0) -> HubError:
    """The error an answer amounts to; free of what the tool said and of what we asked."""
    with serving(script), pytest.raises(HubError) as raised:
        await ask(script, timeout=timeout, params={"q": CANARY}, headers={"authorization": CANARY})
    error = raised.value
    assert CANARY not in str(error)
    assert CANARY not in repr(error.__cause__)
    return error


async def test_an_answer() -> None:
    with serving(Script(body=b'{"a": [1]}', headers={"X-Thing": "1"})) as script:
        answer = await ask(script, params={"q": "ä b", "n": 3}, headers={"x-mine": "y"})
    assert (answer.status, answer.json, answer.headers["x-thing"]) == (200, {"a": [1]}, "1")
    method, path, headers = script.seen[0]
    assert (method, path) == ("GET", "/base/x?q=%C3%A4+b&n=3")
    assert headers["x-mine"] == "y"
    assert headers["accept"] == "application/json"


async def test_no_content() -> None:
    with serving(Script(status=204, body=b"")) as script:
        assert (await ask(script)).json is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Misconfigured), (403, Forbidden), (404, NotFound), (410, Removed), (400, Refused), (422, Refused),
     (409, Refused), (408, RetryLater), (425, RetryLater), (429, Limited), (500, RetryLater), (503, RetryLater),
     (304, Misconfigured)],
)  # fmt: skip
async def test_each_status_has_one_outcome(status: int, kind: type[HubError]) -> None:
    body = json.dumps({"message": CANARY}).encode() if status != 304 else b""
    assert type(await told(Script(status=status, body=body))) is kind


async def test_a_refusal_keeps_a_cleaned_message_beside_its_text() -> None:
    body = {
        "errorMessages": ["The value 'X' does not exist\nfor anna.b@example.com, see https://a/b?token=1"],
        "errors": {"jql": "bad " + "k" * 400},
    }
    error = await told(Script(status=400, body=json.dumps(body).encode()))
    assert isinstance(error, Refused)
    assert error.status == 400
    assert error.message.startswith("The value 'X' does not exist for …, see https://a/b?… jql: bad")
    assert len(error.message) <= 300
    assert "exist" not in str(error)


@pytest.mark.parametrize("piece", ["!", "ä", "a@", "ab ", "\0", "?"])
def test_no_refusal_takes_long_and_half_a_secret_stays_out_of_it(piece: str) -> None:
    """A tool's error may hold megabytes."""
    started = time.process_time()
    for said in (piece * (60_000 // len(piece)), "x@y.example " * 245 + "no: " + "s3cret" * 20 + piece * 60_000):
        with pytest.raises(Refused) as caught:
            outcome(400, {}, json.dumps({"message": said}))
        assert "s3cret" not in caught.value.message
        assert len(caught.value.message) <= 300
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(body=b"<!doctype html><p>canary-7f3a"), "web page"),
        (Script(body=b'"x"', headers={"content-type": "text/html; charset=utf-8"}), "web page"),
        (Script(body=b'{"a": "canary-7f3a"'), "cut short"),
        (Script(body=b'{"a": "canary-7f3a"}', cut_at=9), "broke off"),
        (Script(body=b""), "empty body"),
        (Script(body=b"[" * 100_000), "cut short"),
        (Script(body=b"\xff\xfe{}\xff"), "cut short"),
        (Script(body=b"not gzip", headers={"content-encoding": "gzip"}), "broke off"),
    ],
    ids=["html", "html by type", "no end", "hung up", "empty", "deep", "bytes", "encoding"],
)
async def test_what_is_no_json_is_asked_again(script: Script, words: str) -> None:
    error = await told(script)
    assert isinstance(error, RetryLater)
    assert words in str(error)


async def test_a_tool_that_does_not_answer() -> None:
    error = await told(Script(stall=5.0), timeout=0.2)
    assert isinstance(error, RetryLater)
    assert "in time" in str(error)


async def test_nobody_listens() -> None:
    with serving(Script()) as script:
        pass
    with pytest.raises(RetryLater, match=r"No connection to 127\.0\.0\.1"):
        await ask(script)


async def test_a_bomb_is_not_unpacked() -> None:
    body = gzip.compress(bytes(BODY_LIMIT + 1_000_000), 1)
    with serving(Script(body=body, headers={"content-encoding": "gzip"})) as script:
        with pytest.raises(RetryLater, match="larger than 64 MB"):
            await ask(script, timeout=30)
        session = requests.Session()
        network().guard(session)
        with session, pytest.raises(RetryLater, match="larger than 64 MB"):
            await asyncio.to_thread(session.get, f"http://127.0.0.1:{script.port}/")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": "Sat, 21 Nov 2026 12:01:30 GMT"}, 90),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, None),
        ({"Retry-After": "0"}, None),
        ({"X-RateLimit-Reset": "2026-11-21T12:00Z"}, None),
        ({"Retry-After": "0", "X-RateLimit-Reset": "30"}, 30),
        ({"X-RateLimit-Reset": "2026-11-21T12:02Z"}, 120),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 15)}, 15),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp() + 15) * 1000)}, 15),
        ({"X-RateLimit-Reset": "30"}, 30),
        ({"retry-after": "2", "x-ratelimit-reset": "30"}, 2),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
async def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after({name.lower(): value for name, value in headers.items()}, NOW) == seconds
    with pytest.raises(RetryLater) as raised:
        outcome(429, headers, "", NOW)
    assert raised.value.after == seconds


async def test_the_wait_reaches_the_caller() -> None:
    error = await told(Script(status=429, headers={"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}))
    assert isinstance(error, RetryLater)
    assert error.after == 30


@pytest.mark.parametrize(
    "base", ["ftp://a.example", "a.example", "https://", "https://u:p@a.example", "https://a.example?x=1", "https://[x"]
)
def test_addresses_that_are_none(base: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        network().client(base)
    assert "u:p" not in str(raised.value)


@pytest.mark.parametrize("path", ["http://10.0.0.1/", "@10.0.0.1/", "x"])
async def test_a_path_cannot_name_another_host(path: str) -> None:
    async with network().client("https://tool.example") as client:
        with pytest.raises(ValueError, match="path"):
            await client.request("GET", path)


async def test_certificates_are_verified(tmp_path: Path) -> None:
    mine, other = certificate(tmp_path, "127.0.0.1", "localhost"), certificate(tmp_path, "other.example")
    with serving(Script(), mine) as script:
        base = f"https://127.0.0.1:{script.port}"
        async with network().client(base, ca_file=str(mine)) as client:
            assert (await client.request("GET", "/")).status == 200
        session = requests.Session()
        network().guard(session, str(mine))
        session.verify = False  # what the session says does not count
        with session:
            assert (await asyncio.to_thread(session.get, base)).status_code == 200
        for ca_file in (None, str(other)):
            async with network().client(base, ca_file=ca_file) as client:
                with pytest.raises(Misconfigured, match="certificate"):
                    await client.request("GET", "/")
            session = requests.Session()
            network().guard(session, ca_file)
            session.verify = False
            with session, pytest.raises(Misconfigured, match="certificate"):
                await asyncio.to_thread(session.get, base)
    with serving(Script(), other) as script:
        async with network().client(f"https://127.0.0.1:{script.port}", ca_file=str(other)) as client:
            with pytest.raises(Misconfigured, match="certificate"):  # trusted, but for another name
                await client.request("GET", "/")


def test_an_unreadable_ca_file(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("absent.pem", "empty.pem"):
        with pytest.raises(Misconfigured) as raised:
            network().tls(str(tmp_path / name))
        assert raised.value.field == "ca_file"


async def test_tls_to_a_port_that_does_not_speak_it() -> None:
    with serving(Script()) as script:
        async with network().client(f"https://127.0.0.1:{script.port}") as client:
            with pytest.raises(RetryLater, match="does not speak TLS"):
                await client.request("GET", "/")


async def test_a_session_without_environment_proxies_or_retries() -> None:
    with serving(Script(status=503, body=b"busy", headers={"retry-after": "9"})) as script:
        session = requests.Session()
        session.proxies = {"http": "http://127.0.0.1:9"}
        network().guard(session)
        assert session.trust_env is False
        with session:
            answer = await asyncio.to_thread(session.get, f"http://127.0.0.1:{script.port}/")
        assert len(script.seen) == 1
    with pytest.raises(RetryLater) as raised:
        outcome(answer.status_code, answer.headers, answer.text)
    assert raised.value.after == 9


async def test_the_next_request_waits_as_long_as_the_tool_asked() -> None:
    with serving(Script(status=429, headers={"retry-after": "0.3"})) as script:
        net = network()
        async with net.client(f"http://127.0.0.1:{script.port}") as client:
            for _ in range(2):
                with pytest.raises(RetryLater):
                    await client.request("GET", "/")
        assert 0 < net.limiter.waited <= 0.31
        net, session = network(), requests.Session()
        net.guard(session)
        with session:
            for _ in range(2):
                await asyncio.to_thread(session.get, f"http://127.0.0.1:{script.port}/")
        assert 0 < net.limiter.waited <= 0.31


@pytest.mark.parametrize("way", ["client", "session"])
@pytest.mark.parametrize(("asked", "requests_sent"), [("0.2", 3), ("60", 1)])
async def test_a_patient_network_asks_again_where_the_pause_is_short(way: str, asked: str, requests_sent: int) -> None:
    async def status(net: Network, port: int) -> int:
        if way == "client":
            async with net.client(f"http://127.0.0.1:{port}") as client:
                return (await client.request("GET", "/")).status
        session = requests.Session()
        net.guard(session)
        with session:
            answer = await asyncio.to_thread(session.get, f"http://127.0.0.1:{port}/")
        outcome(answer.status_code, answer.headers, answer.text)
        return answer.status_code

    with serving(Script(status=429, headers={"retry-after": asked}, well_after=2)) as script:
        net = Network(Policy(allow_loopback=True), Limiter(requests=1e6), patience=5)
        if requests_sent == 1:
            with pytest.raises(RetryLater) as raised:
                await asyncio.wait_for(status(net, script.port), 30)
            assert raised.value.after == 60
        else:
            assert await status(net, script.port) == 200
        assert len(script.seen) == requests_sent


async def test_a_guarded_session_times_out_by_itself() -> None:
    with serving(Script(stall=5.0)) as script:
        session = requests.Session()
        network().guard(session, timeout=0.2)
        with session, pytest.raises(RetryLater, match="in time"):
            await asyncio.to_thread(session.get, f"http://127.0.0.1:{script.port}/")


async def test_a_given_proxy_is_refused() -> None:
    with serving(Script()) as script:
        session = requests.Session()
        network().guard(session)
        with session, pytest.raises(Misconfigured, match="proxy"):
            session.get(f"http://127.0.0.1:{script.port}/", proxies={"http": "http://127.0.0.1:9"})
        assert script.seen == []


async def test_a_guarded_session_ends_an_answer_that_only_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    session = requests.Session()
    network().guard(session, timeout=0.2)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with session, pytest.raises(RetryLater, match="did not answer in time"):
        await asyncio.wait_for(asyncio.to_thread(session.get, address), 60)
    server.close()
