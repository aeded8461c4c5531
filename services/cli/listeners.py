"""The HTTP listeners of a process: the API, the probes, the webhooks."""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp
from typing_extensions import override

from schemas.errors import Misconfigured
from services.query.server import Server

BACKLOG = 2048

_MENDS = {
    errno.EADDRINUSE: "Stop what listens there, or set {setting}_PORT to another port",
    errno.EACCES: "Set {setting}_PORT to a port above 1023, or give this user the right to use lower ones",
    errno.EADDRNOTAVAIL: "Set {setting}_HOST to an address of this machine",
}
_MEND = "Set {setting}_HOST to an address of this machine and {setting}_PORT to a free port"


class Listener(Server):
    """Serves in a process that has signals of its own: stop() ends it."""

    def __init__(
        self, title: str, make: Callable[[], ASGIApp], address: tuple[str, int], setting: str, closing: asyncio.Event
    ) -> None:
        """title: what it serves, in words. make: the application, made in a thread, because what it needs may take
        long to load. setting: how the names of the settings of host and port begin."""
        super().__init__(make, *address, closing, made_later=True)
        self.title = title
        self.listening = asyncio.Event()
        self._setting = setting
        self._claimed: list[socket.socket] = []

    def claim(self) -> None:
        """Take the port now, so that it is known before anybody is served. Raises Misconfigured."""
        self._claimed = _sockets(self.config.host, self.config.port, self._setting)

    @property
    def port(self) -> int:
        """The port it listens at; where 0 was asked for, once it listens, or has claimed it."""
        if self._claimed:
            return int(self._claimed[0].getsockname()[1])
        return self.config.port or super().port

    @property
    def url(self) -> str:
        """Where it listens."""
        host = self.config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def make(self) -> None:
        """Have the application made, in a thread. Raises what making it raises."""
        if not self.config.loaded:
            await asyncio.to_thread(self.config.load)

    async def run_until_stopped(self) -> None:
        """Serve. Raises Misconfigured where nothing can listen, and what making the application raises."""
        if not self._claimed:
            self.claim()
        sockets = self._claimed
        try:
            await self.make()
            await self.serve(sockets)
        finally:
            for one in sockets:
                one.close()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Also tells that it listens."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


def _sockets(host: str, port: int, setting: str) -> list[socket.socket]:
    """Listening, at every address of the host; who connects early waits for the server. Raises Misconfigured."""
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            bound.append(_listening(family, address))
    except OSError as error:
        for one in bound:
            one.close()
        mend = _MENDS.get(error.errno or 0, _MEND).format(setting=setting)
        why = "" if error.errno == errno.EADDRINUSE else f" ({error.strerror})"
        raise Misconfigured(f"Nothing can listen at {host}:{port}{why}", mend) from None
    return bound


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)  # two can be bound to one port, but not listen at it
    except OSError:
        made.close()
        raise
    return made
