"""uvicorn with an end: open streams are told at once that the process stops, so that it stops within 0.2 s."""

import asyncio
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """Serves one application on one address until a signal or stop(). `port` is known once it listens.

    made_later: app makes the application when it is loaded.
    """

    def __init__(
        self, app: ASGIApp | Callable[[], ASGIApp], host: str, port: int, closing: asyncio.Event, *,
        made_later: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            uvicorn.Config(
                app, factory=made_later, host=host, port=port, loop="uvloop", http="httptools", ws="none",
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
