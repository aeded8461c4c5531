"""The three ways a connection to a tool is opened (httpx2, requests, a plain socket), all through the address guard.

The guard sits where the socket is opened, so that redirects, odd spellings of an address and a name that changes its
answer between two look-ups all meet it. TLS still verifies the name in the URL.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpcore2
import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from connectors.addresses import Policy, Resolver, checked_addresses, resolve
from connectors.announced import announced
from connectors.contract import HubError, Misconfigured, Noticed, RetryLater
from connectors.limiter import Limiter
from connectors.outcomes import BODY_LIMIT, outcome
from connectors.threads import Threads

CONNECT_TIMEOUT = 10.0
TIMEOUT = 60.0
WHOLE_ANSWER = 5
"""Times the time-out of a single read that a whole answer may take: a server that drips is a server that hangs."""
TOO_MANY = 429
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Guard:
    """A policy and a resolver: the addresses a host may be connected at."""

    policy: Policy
    resolver: Resolver = resolve

    def addresses(self, host: str, port: int, *, plain: bool) -> tuple[str, ...]:
        """Checked addresses; plain means without TLS, which is for this machine only. Blocks. Raises HubError."""
        return checked_addresses(host, port, self.policy, self.resolver, loopback_only=plain)

    def connect(self, host: str, port: int, timeout: float | None, *, plain: bool) -> socket.socket:
        """A connected socket. Blocks. Raises HubError for the address, OSError for the connection."""
        problem: OSError = ConnectionError("no address")
        for address in self.addresses(host, port, plain=plain):
            try:
                return socket.create_connection((address, port), timeout)
            except OSError as error:
                problem = error
        raise problem


_RESOLVERS = Threads(8, "resolve")


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """httpcore2 opens every socket through this."""

    def __init__(self, guard: Guard, *, plain: bool) -> None:
        self._guard, self._plain = guard, plain
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check every address, connect to the first that answers."""
        problem: Exception = httpcore2.ConnectError("no address")
        for address in await _RESOLVERS.run(self._guard.addresses, host, port, plain=self._plain):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem

    @override
    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Refused: a tool is not a file of this machine."""
        raise Misconfigured("A socket file cannot be a tool's address", "Give an https address")

    async def sleep(self, seconds: float) -> None:
        """Wait between the library's own attempts (it is told to make none)."""
        await asyncio.sleep(seconds)


class GuardedAdapter(HTTPAdapter):
    """What `requests` sends through: guarded sockets, our TLS, time-outs, turns at the limiter, no redirect, no proxy,
    bounded bodies. Its errors are HubErrors."""

    def __init__(
        self,
        guard: Guard,
        tls: Callable[[], ssl.SSLContext],
        limiter: Limiter,
        timeout: float,
        patience: float,
        noticed: Callable[[Noticed], None],
        *,
        plain: bool,
    ) -> None:
        """tls: the context, asked for where something is to be encrypted. patience: seconds for which a request is
        sent again, in its turn, where the tool refuses for its limit.
        noticed hears what answers announce."""
        self._guard, self._tls, self._limiter, self._timeout, self._plain = guard, tls, limiter, timeout, plain
        self._patience, self._noticed = patience, noticed
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Pools whose connections are opened by the guard."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._guard)

    @override
    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        """Our TLS context, whatever the session says about verifying."""
        host, _ = super().build_connection_pool_key_attributes(request, True, None)
        return host, ({"ssl_context": self._tls()} if host["scheme"] == "https" else {})

    @override
    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Always; the trusted authorities are those of the context."""
        conn.cert_reqs = "CERT_REQUIRED"

    @override
    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        """Refused: a proxy would open the connection past the guard."""
        raise Misconfigured("A proxy is set for this tool", "Give the proxy's own address as the tool's address")

    @override
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """One request, in its turn. Raises HubError for all that is no answer, and for redirects."""
        limits = timeout if timeout is not None else (min(CONNECT_TIMEOUT, self._timeout), self._timeout)
        until = time.monotonic() + self._patience
        self._limiter.turn_in_thread()
        while True:
            response = self._answer(request, limits, proxies)
            self._limiter.heard(response.headers, response.status_code)
            if response.status_code != TOO_MANY or not self._turn_until(until):
                break
        known = {name.lower(): value for name, value in response.headers.items()}
        for each in announced(request.method or "GET", request.path_url, response.status_code, known):
            self._noticed(each)
        if response.is_redirect:
            outcome(response.status_code, response.headers, "")
        return response

    def _answer(self, request: requests.PreparedRequest, limits: Any, proxies: Any) -> requests.Response:
        try:
            until = time.monotonic() + self._timeout * WHOLE_ANSWER
            response = super().send(request, True, limits, True, None, proxies)
            _read(response, until)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise failure(error, host_of(request.url or "")) from None
        return response

    def _turn_until(self, until: float) -> bool:
        """Wait for the next turn after a refusal; False where it comes too late."""
        left = until - time.monotonic()
        return left > 0 and self._limiter.turn_in_thread(within=left)


def _read(response: requests.Response, until: float) -> None:
    """Read the body here, where its size and time can be watched; `requests` itself would take any. Raises
    RetryLater, TimeoutError, and what urllib3 raises."""
    parts, size = [], 0
    try:
        while part := response.raw.read1(_CHUNK, decode_content=True):
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise too_large()
            if time.monotonic() > until:
                raise TimeoutError
    finally:
        response.close()
    response._content = b"".join(parts)  # noqa: SLF001 - there is no public way to hand in a body that was read


def _pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(guard, self, plain=True)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(guard, self, plain=False)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _opened(guard: Guard, connection: HTTPConnection, *, plain: bool) -> socket.socket:
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else CONNECT_TIMEOUT
    try:
        opened = guard.connect(connection.host, connection.port, timeout, plain=plain)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, "timed out") from error
    except OSError as error:
        raise NewConnectionError(connection, "no connection") from error
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def too_large() -> RetryLater:
    """The error for an answer above the limit."""
    return RetryLater(f"The tool's answer is larger than {BODY_LIMIT // 1024 // 1024} MB; ask for less at a time")


def host_of(url: str) -> str:
    """The host in a URL, the only part of it that may be told."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def failure(error: Exception, host: str) -> HubError:
    """What an exception of httpx2, requests, ssl or socket means: RetryLater, or Misconfigured for a certificate."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, HubError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(
                f"The certificate of {host} cannot be trusted ({cause.verify_message})",
                "Name the file of your company's certificate authority, or correct the host name",
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return RetryLater(
            f"{host} does not speak TLS at this port, or broke off its greeting; if it stays so, correct "
            "port or encryption"
        )
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return RetryLater(f"{host} did not answer in time")
    if any("Connect" in type(cause).__name__ or "NewConnection" in type(cause).__name__ for cause in causes):
        return RetryLater(f"No connection to {host}; if it stays so, look at address and port")
    return RetryLater(f"The connection to {host} broke off")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all it was made from: libraries wrap in causes, contexts, reasons and arguments."""
    found: list[BaseException] = []
    left: list[BaseException] = [error]
    while left:
        cause = left.pop()
        if any(cause is known for known in found):
            continue
        found.append(cause)
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        left.extend(each for each in inner if isinstance(each, BaseException))
    return found
