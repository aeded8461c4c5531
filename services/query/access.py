"""Who may ask, and for what. The last boundary for errors."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.access import THIS_MACHINE, Caller, Role
from services.query.boundary import Boundary, error_id
from services.query.origins import check_origin
from services.query.problems import problem
from services.query.refused import Refused

OPEN_PATHS = frozenset(
    {"/livez", "/readyz", "/v1/sign-in", "/v1/sign-in/oidc", "/v1/sign-in/oidc/callback", "/v1/sign-out", "/v1/set-up"}
)
"""Asked by whatever watches the process, and by who wants to be known; they hold neither content nor secrets."""

ALIVE = "/livez"
"""Answered without asking the database for anything, also who asks."""

MEASURES = "/metrics"
"""The only path that a watcher may read."""

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""What a browser is told of every answer of the API: it is no page, and nobody else's."""

_UNKEPT = (b"cache-control", b"no-store")
"""Of an answer that does not say itself how long it may be kept."""

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)


AGAIN = "throughline.again"
"""Key of a scope; nothing from outside can write there."""

_GONE = (401, 403, 421)
"""What a request is refused by whose session, token, account or role is not what it was."""


class Access(Protocol):
    """Knows who asks."""

    async def caller(self, scope: Scope) -> Caller | None:
        """Who sends this HTTP request; None: nobody that is known, who may use open paths only.

        AGAIN in the scope: it was asked before, of a request that goes on; that counts as no use of what it shows.
        Raises Refused for a request that is answered to nobody: a foreign host name, a bad credential.
        """
        ...


class Loopback:
    """Whoever calls by a loopback name is this machine, and may do everything.

    Only loopback names are answered, so that no web page can reach the hub through a name of its own (DNS rebinding),
    and no page of another origin may change anything. Listen on loopback only.
    """

    async def caller(self, scope: Scope) -> Caller | None:
        """This machine. Raises Refused for any other host name, and for a change that a foreign page asks for."""
        if not _LOOPBACK.fullmatch(Headers(scope=scope).get("host", "")):
            raise Refused(
                421, "host", "This hub answers to loopback names only.", "Call it as 127.0.0.1, localhost or [::1]."
            )
        check_origin(scope)
        return THIS_MACHINE


async def caller_of(request: Request) -> Caller:
    """Who asks. Raises Refused where nobody is known."""
    known: Caller | None = request.scope["state"].get("caller")
    if known is None:
        raise unknown()
    return known


async def may_read_on(request: Request) -> bool:
    """Whether who began a stream would still be let in: session, token, account and role may have ended meanwhile."""
    access: Access | None = request.scope["state"].get("access")
    if access is None:
        return True
    try:
        _admit(await access.caller({**request.scope, AGAIN: True}), request.scope["path"])
    except Refused as no:
        return no.status not in _GONE
    return True


class Needs:
    """Raises Refused for a caller below a role."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request) -> None:
        """Look at who asks."""
        caller = await caller_of(request)
        if not caller.role.covers(self.role):
            raise below(self.role)


def needs(role: Role) -> Dependency:
    """Declares on a route or router who may use it."""
    dependency: Dependency = Depends(Needs(role))
    return dependency


class Anybody:
    """Says of a route that whoever asks may use it, known or not; its path stands in OPEN_PATHS, too."""

    async def __call__(self) -> None:
        """Look at nothing."""


def anybody() -> Dependency:
    """Declares on a router that it is open."""
    dependency: Dependency = Depends(Anybody())
    return dependency


def says_who(dependencies: Sequence[Any]) -> bool:
    """Whether the dependencies of a router say who may use it."""
    return any(isinstance(one.dependency, Needs | Anybody) for one in dependencies)


class Guard:
    """ASGI: finds out who asks, and turns an unforeseen error into a problem with an id that the log knows.

    A request that comes from inside this process says in its scope who asks, and is not asked again; nobody outside
    can write there. No CORS header is ever sent.
    """

    def __init__(self, app: ASGIApp, access: Access, error_ids: Callable[[], str] = error_id) -> None:
        self._app = app
        self._access = access
        self._guarded = Boundary(self._admitted, _failed, error_ids)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = any(name.lower() == b"cache-control" for name, _ in message["headers"])
                message["headers"] = [*message["headers"], *_HEADERS, *(() if kept else (_UNKEPT,))]
            await send(message)

        await self._guarded(scope, receive, told)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope.setdefault("state", {})
        try:
            if "caller" not in state:
                state["caller"] = await self._access.caller(scope)
                state["access"] = self._access
            _admit(state["caller"], scope["path"])
        except Refused as no:
            answer = problem(no.status, no.kind, no.detail, no.mend, headers=no.headers, **no.more)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _admit(caller: Caller | None, path: str) -> None:
    """Raises Refused for who may not even read; what more a route asks for it says itself."""
    if path in OPEN_PATHS:
        return
    if caller is None:
        raise unknown()
    if path != MEASURES and not caller.role.covers(Role.VIEWER):
        raise below(Role.VIEWER)


def unknown() -> Refused:
    """Nobody is signed in."""
    return Refused(
        401, "not-signed-in", "It is not known who asks.",
        "Send Authorization: Bearer with an API token; `throughline tokens add` makes one.",
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip


def below(role: Role) -> Refused:
    """The caller's role is not enough."""
    return Refused(
        403, "role", f"This needs the role {role.value}.", "Ask an admin for it, or use a token that has it."
    )


def _failed(name: str) -> ASGIApp:
    return problem(
        500, "internal", "Something unforeseen happened.", "Try again; if it stays, look for error_id in the log.",
        error_id=name,
    )  # fmt: skip
