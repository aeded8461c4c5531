"""A small strict IMAP4rev1 server (RFC 3501, RFC 2177) for the sandbox and the tests.

    async with MailServer(now=clock) as server:          # server.port on 127.0.0.1
        server.mailbox.append("INBOX", raw, at)          # the company goes on; IDLE clients hear of it

It is what a careful admin would wish for: whatever would change the mailbox is refused and noted in `writes`, an
unknown command is BAD. It has a real server's manners too: abilities told short before signing in, unasked lines in
between, mail that arrives late and out of order, an IDLE hint lost now and then.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from services.sandbox.imap_session import Session
from services.sandbox.post import Mailbox, Post


class MailServer:
    """The server; an async context manager."""

    def __init__(
        self, *, now: Callable[[], datetime] | None = None, lag: timedelta = timedelta(0), port: int = 0
    ) -> None:
        self._post = Post(Mailbox(now or (lambda: datetime.now(UTC)), lag))
        self.mailbox, self.manners, self.writes = self._post.mailbox, self._post.manners, self._post.writes
        self.port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.kick()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def kick(self) -> None:
        """Cut every client off."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await Session(self._post, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client is gone, or was cut off on purpose
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
