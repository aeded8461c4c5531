"""Who may see what: every page stands in this table, and is refused to everybody below its role."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pipelines.store.engine import open_engine
from schemas.access import Caller, Role
from services.admin.routers import ROUTERS
from services.query.app import create_app
from services.web import pages
from services.web.site import create_site
from tests.services.query.conftest import BASE, NOW
from tests.services.web.test_site import As

ANYBODY = {"GET /sign-in", "POST /sign-in", "GET /set-up", "POST /set-up", "POST /sign-out"}
VIEWER = {
    "GET /", "GET /about", "GET /find", "GET /find/suggest", "GET /why", "GET /me", "POST /me/password",
    "POST /me/tokens", "POST /end/{kind:str}/{id}", "GET /accounts/{id}", "POST /accounts/{id}",
    "POST /accounts/{id}/password", "GET /connections", "GET /connections/{id}", "GET /requests",
    "GET /requests/board", "GET /requests.csv", "GET /requests/{id}", "GET /requests/{id}/timeline",
    "GET /requests/{id}/parts", "GET /requests/{id}/links", "GET /requests/{id}/correct", "GET /decisions",
    "GET /decisions/{number:int}", "GET /suggestions",
}  # fmt: skip
EDITOR = {"POST /decide", "POST /suggestions/{id}"}
ADMIN = {
    "GET /accounts", "POST /accounts", "GET /audit", "GET /connect", "GET /connect/{kind}", "POST /connect/{kind}",
    "GET /connections/{id}/audience", "POST /connections/{id}/audience", "GET /connections/{id}/change",
    "POST /connections/{id}/change", "POST /connections/{id}/webhook-enter", "POST /connections/{id}/webhook-remove",
    "POST /connections/{id}/webhook-test", "POST /connections/{id}/webhook-secret", "GET /connections/{id}/remove",
    "POST /connections/{id}/remove", "POST /connections/{id}/pause", "POST /connections/{id}/resume",
    "POST /connections/{id}/stop", "POST /connections/{id}/read-again", "POST /connections/{id}/reset",
    "POST /connections/{id}/reconcile", "GET /connections/{id}/stage-map", "POST /connections/{id}/stage-map",
    "GET /connections/{id}/rules", "POST /connections/{id}/rules", "POST /rules/changes/{number:int}/undo",
    "GET /dead-letters", "GET /dead-letters/causes/{id}", "POST /dead-letters/causes/{id}", "GET /dead-letters/{id}",
    "POST /dead-letters/{id}",
}  # fmt: skip
NEEDED: dict[str, Role | None] = (
    dict.fromkeys(ANYBODY) | dict.fromkeys(VIEWER, Role.VIEWER) | dict.fromkeys(EDITOR, Role.EDITOR)
    | dict.fromkeys(ADMIN, Role.ADMIN)
)  # fmt: skip

_ASKED = {"kind": "jira", "number": "1"}
_QUERIES = {"/find": "?q=payroll", "/find/suggest": "?q=payroll", "/why": "?from=PAY-1&with=PAY-2"}
"""Pages that show a form only to whoever asks for nothing."""


def listed(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Every page with its methods, as the table has it."""
    for route in routes:
        assert isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}:
            yield f"{method} {route.path}"


@asynccontextmanager
async def asked_by(role: Role | None) -> AsyncIterator[httpx2.AsyncClient]:
    engine = open_engine("sqlite+aiosqlite://")
    access = As(Caller("somebody", role, "session", "a-1") if role else None)
    site = create_site(create_app(engine, lambda: NOW, access=access, more=ROUTERS), access, lambda: NOW)
    transport = httpx2.ASGITransport(site, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        yield http
    await engine.dispose()


async def called(http: httpx2.AsyncClient, page: str) -> httpx2.Response:
    method, path = page.split()
    routes = [one for one in pages.routes() if isinstance(one, Route) and one.path == path]
    (route,) = (one for one in routes if one.methods and method in one.methods)
    filled = route.path_format.format_map({name: _ASKED.get(name, "1") for name in route.param_convertors})
    data = {"a": "1"} if method == "POST" else None
    return await http.request(method, filled + _QUERIES.get(path, ""), data=data)


def test_the_table_holds_every_page() -> None:
    assert sorted(listed(pages.routes())) == sorted(NEEDED)


def test_a_new_page_without_a_rule_is_found() -> None:
    async def page(_: Request) -> Response:
        return Response("new")

    routes = [*pages.routes(), Route("/new", page, methods=["GET", "POST"])]
    assert set(listed(routes)) - set(NEEDED) == {"GET /new", "POST /new"}


@pytest.mark.parametrize("role", [None, Role.WATCHER, Role.VIEWER, Role.EDITOR], ids=lambda role: role or "nobody")
async def test_every_page_is_refused_to_those_below_its_role(role: Role | None) -> None:
    wanted = 403 if role else 303  # to sign in
    async with asked_by(role) as http:
        for page, needed in NEEDED.items():
            if needed and not (role and role.covers(needed)):
                answer = await called(http, page)
                assert answer.status_code == wanted, page
                assert role or answer.headers["location"].startswith("/sign-in?next="), page
