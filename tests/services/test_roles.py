"""Who may call what: every operation of the API stands in this table, and refuses everybody below its role."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import Scope

from pipelines.store.engine import open_engine
from schemas.access import Caller, Role
from services.admin.routers import ROUTERS
from services.query.access import needs
from services.query.app import create_app, openapi_document
from tests.services.query.conftest import NOW, client_of

ANYBODY = None

NEEDED: dict[str, Role | None] = {
    "GET /livez": ANYBODY,
    "GET /readyz": ANYBODY,
    "GET /metrics": Role.WATCHER,
    "GET /v1/lookup": Role.VIEWER,
    "GET /v1/why": Role.VIEWER,
    "GET /v1/requests": Role.VIEWER,
    "GET /v1/requests/{identifier}": Role.VIEWER,
    "GET /v1/requests/{identifier}/timeline": Role.VIEWER,
    "GET /v1/requests/{identifier}/links": Role.VIEWER,
    "GET /v1/requests/{identifier}/why": Role.VIEWER,
    "GET /v1/stages": Role.VIEWER,
    "GET /v1/changes": Role.VIEWER,
    "GET /v1/changes/stream": Role.VIEWER,
    "GET /v1/freshness": Role.VIEWER,
    "GET /v1/connections": Role.VIEWER,
    "GET /v1/connections/{identifier}/unmapped": Role.VIEWER,
    "GET /v1/about": Role.VIEWER,
    "GET /v1/watching": Role.VIEWER,
    "GET /v1/connections/{identifier}/watching": Role.VIEWER,
    "GET /v1/connections/{identifier}/differences": Role.ADMIN,
    "POST /v1/connections/{identifier}/reconcile": Role.ADMIN,
    "GET /v1/decisions": Role.VIEWER,
    "GET /v1/decisions/{number}": Role.VIEWER,
    "POST /v1/decisions": Role.EDITOR,
    "GET /v1/suggestions": Role.VIEWER,
    "GET /v1/suggestions/{id}": Role.VIEWER,
    "POST /v1/suggestions/{id}/answer": Role.EDITOR,
    "GET /v1/connectors": Role.ADMIN,
    "GET /v1/attention": Role.VIEWER,
    "GET /v1/progress": Role.VIEWER,
    "GET /v1/connections/{identifier}/stage-map": Role.ADMIN,
    "POST /v1/connections/{identifier}/stage-map": Role.ADMIN,
    "GET /v1/rules": Role.ADMIN,
    "POST /v1/rules": Role.ADMIN,
    "GET /v1/rules/changes": Role.ADMIN,
    "GET /v1/rules/changes/{number}": Role.ADMIN,
    "POST /v1/rules/changes/{number}/undo": Role.ADMIN,
    "GET /v1/connections/{identifier}/link-kinds": Role.ADMIN,
    "GET /v1/values": Role.ADMIN,
    "POST /v1/values": Role.ADMIN,
    "GET /v1/dead-letters": Role.ADMIN,
    "GET /v1/dead-letters/causes/{cause}": Role.ADMIN,
    "POST /v1/dead-letters/causes/{cause}/replay": Role.ADMIN,
    "POST /v1/dead-letters/causes/{cause}/drop": Role.ADMIN,
    "GET /v1/dead-letters/{letter}": Role.ADMIN,
    "PUT /v1/dead-letters/{letter}/content": Role.ADMIN,
    "DELETE /v1/dead-letters/{letter}/content": Role.ADMIN,
    "POST /v1/dead-letters/{letter}/replay": Role.ADMIN,
    "POST /v1/dead-letters/{letter}/drop": Role.ADMIN,
    "POST /v1/connections/test": Role.ADMIN,
    "POST /v1/connections": Role.ADMIN,
    "GET /v1/connections/{identifier}": Role.ADMIN,
    "PUT /v1/connections/{identifier}": Role.ADMIN,
    "DELETE /v1/connections/{identifier}": Role.ADMIN,
    "GET /v1/removals": Role.ADMIN,
    "GET /v1/connections/{identifier}/webhook": Role.ADMIN,
    "POST /v1/connections/{identifier}/webhook": Role.ADMIN,
    "DELETE /v1/connections/{identifier}/webhook": Role.ADMIN,
    "POST /v1/connections/{identifier}/webhook/test": Role.ADMIN,
    "POST /v1/webhook-secrets": Role.ADMIN,
    "POST /v1/connections/{identifier}/pause": Role.ADMIN,
    "POST /v1/connections/{identifier}/resume": Role.ADMIN,
    "POST /v1/connections/{identifier}/stop": Role.ADMIN,
    "POST /v1/connections/{identifier}/reset": Role.ADMIN,
    "POST /v1/connections/{identifier}/read-again": Role.ADMIN,
    "POST /v1/connections/preview": Role.ADMIN,
    "POST /v1/connections/estimate": Role.ADMIN,
    "GET /v1/connections/{identifier}/audience": Role.ADMIN,
    "PUT /v1/connections/{identifier}/audience": Role.ADMIN,
    "GET /v1/sign-in": ANYBODY,
    "POST /v1/sign-in": ANYBODY,
    "GET /v1/sign-in/oidc": ANYBODY,
    "GET /v1/sign-in/oidc/callback": ANYBODY,
    "POST /v1/sign-out": ANYBODY,
    "POST /v1/set-up": ANYBODY,
    "GET /v1/me": Role.VIEWER,
    "GET /v1/accounts": Role.ADMIN,
    "POST /v1/accounts": Role.ADMIN,
    "GET /v1/accounts/{id}": Role.VIEWER,
    "PATCH /v1/accounts/{id}": Role.VIEWER,
    "GET /v1/sessions": Role.VIEWER,
    "DELETE /v1/sessions/{id}": Role.VIEWER,
    "GET /v1/tokens": Role.VIEWER,
    "POST /v1/tokens": Role.VIEWER,
    "DELETE /v1/tokens/{id}": Role.VIEWER,
    "GET /v1/audit": Role.ADMIN,
    "GET /v1/audit.csv": Role.ADMIN,
}


class Someone:
    """Access that knows one caller."""

    def __init__(self, role: Role | None) -> None:
        self._role = role

    async def caller(self, scope: Scope) -> Caller | None:
        """The one."""
        del scope
        return Caller("somebody", self._role, "token", "a-1") if self._role else None


@asynccontextmanager
async def asked_by(role: Role | None) -> AsyncIterator[httpx2.AsyncClient]:
    engine = open_engine("sqlite+aiosqlite://")
    app = create_app(engine, lambda: NOW, access=Someone(role), check_seconds=0.1, more=ROUTERS)
    async with client_of(app) as http:
        yield http
    await engine.dispose()


def listed(app: FastAPI) -> set[str]:
    """Every route of an application, in the document or not, as the table has them."""
    return {
        f"{method} {route.path}" for route in iter_route_contexts(app.routes) for method in route.methods or ()
        if method != "HEAD"
    }  # fmt: skip


def made(*more: APIRouter) -> FastAPI:
    return create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW, access=Someone(None), more=[*ROUTERS, *more])


def test_the_table_holds_every_operation() -> None:
    assert listed(made()) - {"GET /openapi.json"} == set(NEEDED)
    paths = openapi_document(ROUTERS)["paths"]
    assert {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations} == set(NEEDED)


async def test_a_new_endpoint_without_a_rule_is_found_and_refuses_strangers() -> None:
    more = APIRouter(dependencies=[needs(Role.VIEWER)])
    app = made(more)
    before = listed(app)

    @more.get("/new")
    @more.post("/hidden", include_in_schema=False)
    @app.put("/beside", include_in_schema=False)
    async def new() -> str:
        return "served"

    assert listed(app) - before == {"GET /v1/new", "POST /v1/hidden", "PUT /beside"}
    async with client_of(app) as http:
        for operation in ("GET /v1/new", "POST /v1/hidden", "PUT /beside"):
            assert (await called(http, operation)).status_code == 401


async def test_who_may_not_is_told_before_anything_is_read() -> None:
    async with asked_by(Role.VIEWER) as http:
        for operation, needed in NEEDED.items():
            method, path = operation.split()
            if needed in (Role.EDITOR, Role.ADMIN):
                answer = await http.request(method, re.sub(r"\{\w+\}", "1", path) + "?no=1", content=b"\xff{")
                assert answer.status_code == 403, operation


@pytest.mark.parametrize("role", [None, *Role], ids=lambda role: role or "nobody")
async def test_every_operation_refuses_those_below_its_role(role: Role | None) -> None:
    async with asked_by(role) as http:
        for operation, needed in NEEDED.items():
            if needed is ANYBODY or (role and role.covers(needed)):
                continue
            answer = await called(http, operation)
            wanted = (403, "urn:throughline:problem:role") if role else (401, "urn:throughline:problem:not-signed-in")
            assert (answer.status_code, answer.json()["type"]) == wanted, operation


@pytest.mark.parametrize("role", list(Role))
async def test_no_operation_refuses_its_own_role(role: Role) -> None:
    async with asked_by(role) as http:
        for operation, needed in NEEDED.items():
            if needed is role and not operation.endswith("/stream"):
                answer = await called(http, operation)
                assert answer.json().get("type") != "urn:throughline:problem:role", operation


async def called(http: httpx2.AsyncClient, operation: str) -> httpx2.Response:
    method, path = operation.split()
    return await http.request(method, re.sub(r"\{\w+\}", "1", path), json={}, headers={"If-Match": "*"})


def test_routes_without_a_role_are_not_served() -> None:
    with pytest.raises(ValueError, match="role"):
        create_app(open_engine("sqlite+aiosqlite://"), lambda: NOW, more=[APIRouter()])
