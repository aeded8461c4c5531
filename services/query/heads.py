"""HEAD: what GET would answer, without its body."""

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ONLY_HEAD = "throughline.only_head"
_BODILESS = frozenset({204, 304})
"""Statuses of answers that have no body, and so no length."""


def only_head(request: Request) -> bool:
    """Whether nobody takes the body: what is made for it alone, or tells that it was taken, need not be done."""
    return bool(request.scope.get(_ONLY_HEAD))


class Heads:
    """ASGI: asks the application as by GET, and tells its status and headers only.

    An answer of a known length is made to its end. A stream, which has none, is ended before its first piece.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        asked, streams = {**scope, "method": "GET", _ONLY_HEAD: True}, asyncio.Event()

        async def head(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if _is_stream(message):
                streams.set()
                await asyncio.Event().wait()  # until it is ended: its first piece is never asked for

        answering = asyncio.ensure_future(self._app(asked, receive, head))
        streaming = asyncio.ensure_future(streams.wait())
        try:
            await asyncio.wait({answering, streaming}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (answering, streaming):
                one.cancel()
        await _ended(answering)


def _is_stream(start: Message) -> bool:
    named = {bytes(name).lower() for name, _ in start["headers"]}
    return b"content-length" not in named and start["status"] not in _BODILESS


async def _ended(answering: "asyncio.Future[None]") -> None:
    """Raises what the application raised. A stream that is told does not matter any more."""
    try:
        await answering
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
