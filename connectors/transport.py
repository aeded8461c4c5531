"""The way out to a tool: HTTP clients and sockets that share one address guard, one limiter and one table of outcomes.

    client = network.client("https://example.atlassian.net", headers={"Authorization": ...})
    async with client:
        answer = await client.request("GET", "/rest/api/3/myself")

Connectors on `requests` hand their session to `network.guard(session)`, those on sockets use `network.connect`.
"""

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpcore2
import httpx2
import requests

from connectors.addresses import Policy, Resolver, resolve
from connectors.announced import announced
from connectors.contract import HubError, Misconfigured, Noticed, unheard
from connectors.limiter import Limiter
from connectors.outcomes import BODY_LIMIT, Forbidden, Limited, NotFound, Refused, Removed, dated, outcome, retry_after
from connectors.sockets import (
    CONNECT_TIMEOUT,
    TIMEOUT,
    TOO_MANY,
    WHOLE_ANSWER,
    Guard,
    GuardedAdapter,
    GuardedBackend,
    failure,
    too_large,
)

__all__ = [
    "Answer",
    "Client",
    "Forbidden",
    "Guarded",
    "Limited",
    "Limiter",
    "Network",
    "NotFound",
    "Policy",
    "Refused",
    "Removed",
    "dated",
    "failure",
    "outcome",
    "retry_after",
]

_HOST = re.compile(rb"[A-Za-z0-9_-][A-Za-z0-9._-]*|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    json: Any
    """The body; None where the status has none (204)."""


class Network:
    """How one connection reaches its tool. A changed policy needs a new Network: open connections outlive it."""

    def __init__(
        self,
        policy: Policy,
        limiter: Limiter,
        *,
        resolver: Resolver = resolve,
        patience: float = 0.0,
        noticed: Callable[[Noticed], None] = unheard,
    ) -> None:
        """patience: seconds for which a request is sent again, in its turn, where the tool refuses it for its limit.

        noticed hears what answers announce; it may be called from any thread.
        """
        self.limiter = limiter
        self._noticed = noticed
        self._patience = patience
        self._guard = Guard(policy, resolver)
        self._contexts: dict[str | None, ssl.SSLContext] = {}
        self._making = threading.Lock()

    def client(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        timeout: float = TIMEOUT,
    ) -> "Client":
        """An HTTP client for one tool instance; opens nothing before its first request.

        base_url may hold a path, to which request paths are appended. timeout: seconds for a single read or write.
        Raises Misconfigured for an address or CA file that cannot be used.
        """
        base = _base(base_url)
        plain = base.scheme == "http"
        context = None if plain else self.tls(ca_file)
        transport = _Transport(context, GuardedBackend(self._guard, plain=plain))
        return Client(base, transport, self.limiter, dict(headers or {}), timeout, self._patience, self._noticed)

    def guard(self, session: requests.Session, ca_file: str | None = None, *, timeout: float = TIMEOUT) -> None:
        """Make every request of this session go through the guard, the limiter, our TLS and time-outs.

        Its calls then raise HubErrors instead of requests' own, also for redirects. The answers' status is yours to
        judge: `outcome(response.status_code, response.headers, response.text)`. Raises Misconfigured for the CA file.
        """
        session.trust_env = False
        session.proxies = {}
        if ca_file is not None:
            self.tls(ca_file)  # told now, not with the first request
        for scheme in tuple(session.adapters):
            del session.adapters[scheme]
        tls = partial(self.tls, ca_file)
        for scheme, plain in (("https://", False), ("http://", True)):
            adapter = GuardedAdapter(
                self._guard, tls, self.limiter, timeout, self._patience, self._noticed, plain=plain
            )
            session.mount(scheme, adapter)

    def connect(self, host: str, port: int, timeout: float = CONNECT_TIMEOUT, *, plain: bool = False) -> socket.socket:
        """A connected socket; its time-out stays set. Blocks: call it in a thread.

        plain: what follows will not be encrypted, so only this machine may be reached. Raises HubError.
        """
        try:
            return self._guard.connect(host, port, timeout, plain=plain)
        except OSError as error:
            raise failure(error, host) from None

    def tls(self, ca_file: str | None = None) -> ssl.SSLContext:
        """A context that verifies names and certificates by the system's authorities, or by those in the file alone.

        One for all that is opened: the system's authorities take tens of milliseconds to read. Raises Misconfigured.
        """
        with self._making:
            if ca_file not in self._contexts:
                self._contexts[ca_file] = _verifying(ca_file)
            return self._contexts[ca_file]


def _verifying(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError:  # ssl.SSLError is one
        raise Misconfigured(
            "The file of certificate authorities cannot be read", "Give the path of a PEM file", "ca_file"
        ) from None


class Client:
    """Asks one tool instance; an async context manager. Safe for several tasks at once."""

    def __init__(
        self,
        base: httpx2.URL,
        transport: httpx2.AsyncBaseTransport,
        limiter: Limiter,
        headers: dict[str, str],
        timeout: float,
        patience: float = 0.0,
        noticed: Callable[[Noticed], None] = unheard,
    ) -> None:
        self._base, self._limiter, self._timeout, self._patience = base, limiter, timeout, patience
        self._noticed = noticed
        self._http = httpx2.AsyncClient(
            transport=transport,
            headers={"accept": "application/json", "user-agent": "throughline"} | headers,
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            trust_env=False,
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "",
    ) -> Answer:
        """One request in its turn, sent once: never repeated here but for a limit, by a network with patience.

        path begins with "/" and is appended to the base address. form: fields to send URL-encoded. key names a part of
        the tool that is limited on its own. Raises RetryLater, Misconfigured (Forbidden, Removed), NotFound, Refused.
        """
        until = asyncio.get_running_loop().time() + self._patience
        await self._limiter.turn(key)
        while True:
            request = self._http.build_request(
                method, self._url(path), params=params, json=json, data=form, headers=headers
            )
            status, known, body = await self._exchange(request)
            self._limiter.heard(known, status, key)
            if status != TOO_MANY or not await self._turn_until(until, key):
                break
        for each in announced(method, request.url.path, status, known):
            self._noticed(each)
        return Answer(status, known, outcome(status, known, body, self._limiter.now()))

    async def _turn_until(self, until: float, key: str) -> bool:
        """Wait for the next turn after a refusal; False where it comes too late."""
        if not self._patience:
            return False
        try:
            async with asyncio.timeout_at(until):
                await self._limiter.turn(key)
        except TimeoutError:
            return False
        return True

    def _url(self, path: str) -> httpx2.URL:
        if not path.startswith("/"):
            raise ValueError('path: begin it with "/"; it is appended to the base address')
        return httpx2.URL(str(self._base).rstrip("/") + path)

    async def _exchange(self, request: httpx2.Request) -> tuple[int, dict[str, str], bytes]:
        try:
            async with asyncio.timeout(self._timeout * WHOLE_ANSWER):
                response = await self._http.send(request, stream=True)
                try:
                    return response.status_code, dict(response.headers), await _read(response)
                finally:
                    await response.aclose()
        except HubError:
            raise
        except (httpx2.HTTPError, *_CORE_ERRORS, OSError) as error:
            raise failure(error, request.url.host) from None


_CORE_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


async def _read(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > BODY_LIMIT:
            raise too_large()
    return bytes(body)


def _base(url: str) -> httpx2.URL:
    try:
        base = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        base = httpx2.URL("")
    if base.scheme not in ("http", "https") or not _HOST.fullmatch(base.raw_host):
        raise Misconfigured("The tool's address is not a web address", "Give it as https://host")
    if base.userinfo or base.query or base.fragment:
        raise Misconfigured(
            "The tool's address holds more than host and path", "Leave out user, password, ? and #; secrets have fields"
        )
    return base


class _Transport(httpx2.AsyncBaseTransport):
    """httpx2 over a pool with our own way to open sockets, which httpx2 has no parameter for."""

    def __init__(self, context: ssl.SSLContext | None, backend: httpcore2.AsyncNetworkBackend) -> None:
        self._pool = httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=backend, max_connections=10)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, AsyncIterable)
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


class Guarded(httpx2.AsyncBaseTransport):
    """For an HTTP client that a library makes: every connection goes through the guard, without TLS to this machine
    only; answers are read whole, bounded in size and time. Each request has a connection of its own, so that clients
    share one of these, and none of them ends another's talk when it is closed.

    Its requests raise HubErrors. Redirects and proxies are the client's own: tell it to follow none, and use none.
    """

    def __init__(self, policy: Policy, resolver: Resolver = resolve) -> None:
        guard = Guard(policy, resolver)
        self._ways: dict[str, tuple[ssl.SSLContext | None, GuardedBackend]] = {
            "https": (httpx2.create_ssl_context(), GuardedBackend(guard, plain=False)),
            "http": (None, GuardedBackend(guard, plain=True)),
        }

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request."""
        way = self._ways.get(request.url.scheme)
        if way is None or request.url.userinfo:
            raise Misconfigured("That is not a web address", "Give it as https://host, without user and password")
        try:
            async with asyncio.timeout(TIMEOUT), _Transport(*way) as one:
                answer = await one.handle_async_request(request)
                body = await _read(answer)
                await answer.aclose()
        except (httpx2.HTTPError, *_CORE_ERRORS, OSError) as error:
            raise failure(error, request.url.host) from None
        told = [(name, value) for name, value in answer.headers.raw if name.lower() not in _OF_THE_WIRE]
        return httpx2.Response(answer.status_code, headers=told, content=body)


_OF_THE_WIRE = (b"content-encoding", b"content-length", b"transfer-encoding")
"""Headers about the body as it was sent, which is read and unpacked."""
