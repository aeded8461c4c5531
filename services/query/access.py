"""Who may ask: anybody on this machine by a loopback name, or whoever holds the token. The last boundary for errors."""

import hashlib
import hmac
import logging
import re
import secrets
import traceback
from collections.abc import Callable
from pathlib import Path

from anyio import BrokenResourceError, ClosedResourceError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import Misconfigured
from services.query.problems import problem

TOKEN_CHARACTERS = 43
"""256 bits in base64."""

OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Asked by whatever watches the process; they hold neither content nor secrets."""

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)

log = logging.getLogger("throughline.query")


def error_id() -> str:
    """Names one error in the answer and in the log."""
    return secrets.token_hex(8)


def check_token(token: str | None) -> None:
    """Raise Misconfigured for a token below 256 bits."""
    if token is not None and len(token) < TOKEN_CHARACTERS:
        raise Misconfigured(
            "the API token is shorter than 256 bits",
            f"Give at least {TOKEN_CHARACTERS} random characters, as `openssl rand -base64 32` prints",
            "token",
        )


class Guard:
    """ASGI: lets through who may ask, and turns an unforeseen error into a problem with an id that the log knows.

    Without a token only loopback names are answered, so that no web page can reach it through a name of its own
    (DNS rebinding); no CORS header is ever sent. With a token every path but the probes asks for it.
    Raises Misconfigured for a token below 256 bits.
    """

    def __init__(self, app: ASGIApp, token: str | None, error_ids: Callable[[], str] = error_id) -> None:
        check_token(token)
        self._app = app
        self._token = None if token is None else _hash(token.encode())
        self._error_ids = error_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._token is None and not _LOOPBACK.fullmatch(headers.get("host", "")):
            await _misdirected()(scope, receive, send)
        elif self._token is not None and scope["path"] not in OPEN_PATHS and not self._holds_token(headers):
            await _unknown()(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    def _holds_token(self, headers: Headers) -> bool:
        assert self._token is not None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(_hash(given.strip().encode("utf-8")), self._token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - the boundary of this worker
            if started and _reader_left(error):
                return
            name = self._error_ids()
            # Where it happened and what kind it is, never its text: that may hold content.
            frames = reversed(traceback.extract_tb(error.__traceback__, limit=-8))
            places = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in frames)
            log.error("query.request.failed error_id=%s kind=%s at=%s", name, type(error).__name__, places)
            if not started:
                await _failed(name)(scope, receive, send)


def _reader_left(error: BaseException) -> bool:
    """Whether a stream ended because nobody reads it any more: the framework tells so by its closed channels."""
    if isinstance(error, BaseExceptionGroup):
        return all(_reader_left(each) for each in error.exceptions)
    return isinstance(error, BrokenResourceError | ClosedResourceError | ClientDisconnect)


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _misdirected() -> ASGIApp:
    return problem(
        421, "host", "This hub answers to loopback names only.",
        "Call it as 127.0.0.1, localhost or [::1]; for any other name set a token.",
    )  # fmt: skip


def _unknown() -> ASGIApp:
    return problem(
        401, "token", "The bearer token is missing or wrong.", "Send Authorization: Bearer with the token of this hub.",
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip


def _failed(name: str) -> ASGIApp:
    return problem(
        500, "internal", "Something unforeseen happened.", "Try again; if it stays, look for error_id in the log.",
        error_id=name,
    )  # fmt: skip
