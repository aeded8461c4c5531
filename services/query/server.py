"""uvicorn with an end: open streams are told at once that the process stops, so that it stops within 0.2 s."""

import asyncio
from collections.abc import Callable
from types import FrameType
from typing import ClassVar

import orjson
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

PATIENCE = 60.0
"""Seconds within which a request must have come whole: who drips holds a connection, and no more."""

_UNREADABLE = orjson.dumps({
    "type": "urn:throughline:problem:unreadable", "title": "Bad request", "status": 400,
    "detail": "What came is no request of HTTP/1.1, names no host or several, or its address is longer than 64 kB.",
    "mend": "Ask in parts where the address is long; else send it as RFC 9112 says.",
})  # fmt: skip
"""Told before any application is asked."""

LONGEST_HEAD = 512 * 1024
"""Bytes of what stands before a body."""


class Punctual(HttpToolsProtocol):
    """A connection that is closed where a request does not come whole in time, or its head has no end."""

    patience: ClassVar[float] = PATIENCE
    _late: asyncio.TimerHandle | None = None
    _head: int | None = 0

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected."""
        super().connection_made(transport)
        self._wait()

    @override
    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self.transport.close()

    @override
    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is told like any other error."""
        head = b"content-type: application/problem+json\r\ncache-control: no-store\r\nconnection: close\r\n"
        size = b"content-length: %d\r\n\r\n" % len(_UNREADABLE)
        self.transport.write(b"".join([STATUS_LINE[400], head, size, _UNREADABLE]))
        self.transport.close()

    @override
    def _unsupported_upgrade_warning(self) -> None:
        """Who asks for another protocol is answered by this one."""

    @override
    def on_message_begin(self) -> None:
        """A request begins, the first or another."""
        self._head = 0
        self._wait()
        super().on_message_begin()

    @override
    def on_headers_complete(self) -> None:
        """What follows is the body, whose size is looked at where it is read.

        Whoever stands between might go by another of several hosts than we do (RFC 9112, section 3.2).
        """
        self._head = None
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise ValueError("not one host")  # the parser's caller answers 400
        super().on_headers_complete()

    @override
    def on_message_complete(self) -> None:
        """A request has come."""
        self._end()
        super().on_message_complete()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._end()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(self.patience, self.transport.close)

    def _end(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


class Server(uvicorn.Server):
    """Serves one application on one address until a signal or stop(). `port` is known once it listens.

    made_later: app makes the application when it is loaded. patience: seconds within which a request must have come.
    """

    def __init__(
        self, app: ASGIApp | Callable[[], ASGIApp], host: str, port: int, closing: asyncio.Event, *,
        made_later: bool = False, patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        protocol = type("Punctual", (Punctual,), {"patience": patience})
        super().__init__(
            uvicorn.Config(
                app, factory=made_later, host=host, port=port, loop="uvloop", http=protocol, ws="none",
                lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False,
                timeout_graceful_shutdown=3,
            )
        )  # fmt: skip
        self._closing = closing

    @property
    def port(self) -> int:
        """The port it listens at, also where 0 was asked for."""
        sockets = [socket for server in self.servers for socket in server.sockets]
        port: int = sockets[0].getsockname()[1]
        return port

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: uvicorn waits for open connections, and these wait for `closing`."""
        self._closing.set()
        super().handle_exit(sig, frame)

    def stop(self) -> None:
        """End as a signal would."""
        self._closing.set()
        self.should_exit = True
