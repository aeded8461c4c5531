"""The last boundary for errors of an application: what nobody foresaw is told by an id that the log knows."""

import logging
import secrets
import traceback
from collections.abc import Callable
from pathlib import Path

from anyio import BrokenResourceError, ClosedResourceError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("throughline.query")


def error_id() -> str:
    """Names one error in the answer and in the log."""
    return secrets.token_hex(8)


class Boundary:
    """ASGI: an unforeseen error is logged by kind and place, never by its text, and answered by `failed(id)`."""

    def __init__(self, app: ASGIApp, failed: Callable[[str], ASGIApp], error_ids: Callable[[], str] = error_id) -> None:
        self._app = app
        self._failed = failed
        self._error_ids = error_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the boundary of this worker
            if isinstance(error, ClientDisconnect) or (started and _reader_left(error)):
                return
            name = self._error_ids()
            # Where it happened and what kind it is, never its text: that may hold content.
            frames = reversed(traceback.extract_tb(error.__traceback__, limit=-8))
            places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in frames)
            log.error("query.request.failed error_id=%s kind=%s at=%s", name, type(error).__name__, places)
            if not started:
                await self._failed(name)(scope, receive, send)


def _reader_left(error: BaseException) -> bool:
    """Whether a stream ended because nobody reads it any more: the framework tells so by its closed channels."""
    if isinstance(error, BaseExceptionGroup):
        return all(_reader_left(each) for each in error.exceptions)
    return isinstance(error, BrokenResourceError | ClosedResourceError | ClientDisconnect)
