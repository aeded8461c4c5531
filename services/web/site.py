"""The whole site as one application: what programs ask goes to the API, everything else is a page."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.query.access import Access
from services.query.boundary import Boundary
from services.query.heads import Heads
from services.query.refused import Refused
from services.web import pages
from services.web.api import Failed
from services.web.drafts import Drafts
from services.web.rendering import Pages, render
from services.web.static import Assets

_PROGRAMS = ("/v1/", "/livez", "/readyz", "/metrics", "/openapi.json")

OPEN = ("/sign-in", "/set-up", "/static/", "/favicon.ico")
"""Pages that are shown to who is not signed in."""

LARGEST = 5_000_000
"""Bytes of a form: the API's own limit, as a form spells it."""

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "font-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types page",
    )
)  # fmt: skip

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # no-referrer makes Origin null on our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def create_site(api: ASGIApp, access: Access, now: Callable[[], datetime], routes: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The API with the pages around it, as an ASGI application.

    api: the API, with its own guard. access: knows who asks, as for the API. now: an aware clock. routes: further
    pages.
    """
    assets = Assets(Path(__file__).parent / "static")
    site = Starlette(
        routes=[*pages.routes(), *routes, Mount("/static", assets)],
        middleware=[Middleware(Heads), Middleware(_Headers), Middleware(_Guarded, access=access)],
        exception_handlers={Failed: _failed, HTTPException: _missing, Refused: _refused},
    )
    site.state.api = api
    site.state.pages = Pages(assets.address, now)
    site.state.drafts = Drafts(now)
    return _Split(api, site)


class _Split:
    """ASGI: programs to the API, people to the pages."""

    def __init__(self, api: ASGIApp, site: ASGIApp) -> None:
        self._api = api
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        programs = scope["type"] != "http" or scope["path"].startswith(_PROGRAMS)
        await (self._api if programs else self._site)(scope, receive, send)


class _Headers:
    """ASGI: what every page tells its browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = _HEADERS | {"Cache-Control": "no-store"}
                message["headers"] = [
                    *message["headers"],
                    *((k.lower().encode(), v.encode()) for k, v in more.items() if k.lower().encode() not in given),
                ]
            await send(message)

        await self._app(scope, receive, told)


class _Guarded:
    """ASGI: finds out who reads, and is the last boundary for errors.

    Who is not known signs in first, and comes back to where they were going.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await Boundary(self._known, partial(_unforeseen, Request(scope)))(scope, receive, send)

    async def _known(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        state["caller"] = None
        try:
            state["caller"] = await self._access.caller(scope)
        except Refused as error:
            answer: ASGIApp = await _refused(Request(scope), error)
        else:
            answer = self._app
            if state["caller"] is None and not scope["path"].startswith(OPEN):
                there = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
                answer = RedirectResponse(f"/sign-in?next={quote(there, safe='')}", 303)
        await answer(scope, _bounded(receive), send)


def _bounded(receive: Receive) -> Receive:
    """What a browser sends, up to a limit. Raises Refused beyond."""
    left = LARGEST

    async def told() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise Refused(413, "too-large", f"What was sent is larger than {LARGEST} bytes.", "Send less at a time.")
        return message

    return told


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Failed)
    return await render(request, "problem.html", status=error.status, problem=error.problem)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    problem = {"title": "Refused", "detail": error.detail, "mend": error.mend}
    return await render(request, "problem.html", status=error.status, problem=problem)


async def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem = {
        404: {"title": "Not found", "detail": "There is no such page.", "mend": "Look for it on the first page."},
        405: {"title": "Not possible", "detail": "This page does not do that.", "mend": "Go back and try again."},
    }.get(error.status_code, {"title": "Refused", "detail": "That was refused.", "mend": "Go back and try again."})
    return await render(request, "problem.html", status=error.status_code, problem=problem)


def _unforeseen(request: Request, error_id: str) -> ASGIApp:
    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        problem = {
            "title": "Something unforeseen happened",
            "detail": f"The log knows it as {error_id}.",
            "mend": "Try again; if it stays, give this number to whoever runs the hub.",
        }
        await (await render(request, "problem.html", status=500, problem=problem))(scope, receive, send)

    return told
