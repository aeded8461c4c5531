"""HEAD: what GET would answer, without its body."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """ASGI: asks the application as by GET, and tells its status and headers only. A stream is ended at once."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        told = asyncio.Event()

        async def head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif not told.is_set():
                told.set()
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        answering = asyncio.ensure_future(self._app({**scope, "method": "GET"}, receive, head))
        telling = asyncio.ensure_future(told.wait())
        try:
            await asyncio.wait({answering, telling}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (answering, telling):
                one.cancel()
        await _ended(answering)


async def _ended(answering: "asyncio.Future[None]") -> None:
    """Raises what the application raised. Once it is told, it does not matter how it ends."""
    try:
        await answering
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
