"""What is asked of the API first. It loads quickly, so that a process can answer it before it has loaded the rest."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Any, Unpack

from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import BaseRoute

from schemas.access import Role
from services.query import health, listing, lookup, problems, requests
from services.query.access import Guard, Loopback, needs
from services.query.heads import Heads
from services.query.parameters import PREFIX, understood
from services.query.reads import Reads
from services.query.serving import Handed, Serving


def create_first(engine: AsyncEngine, now: Callable[[], datetime], **handed: Unpack[Handed]) -> FastAPI:
    """What references lead to, lists of requests, single ones, and the probes, as create_app answers them; parameters
    as there. It tells no OpenAPI document."""
    app = framed(openapi_url=None)
    app.router.routes[:0] = short_ways()
    app.router.routes += [included(noun.router, Role.VIEWER) for noun in (lookup, listing, requests)]
    document_once(app, app.openapi)
    equip(app, engine, now, **handed)
    return app


def create_probes(engine: AsyncEngine, now: Callable[[], datetime], **handed: Unpack[Handed]) -> FastAPI:
    """Only /livez, /readyz and /metrics, for a process that serves no lookups; parameters as for create_app."""
    app = framed(openapi_url=None)
    equip(app, engine, now, **handed)
    return app


_INCLUDED: dict[tuple[int, Role | None], tuple[APIRouter, BaseRoute]] = {}
"""A router, kept so that its id stays its own, and what it is in an application."""


def included(router: APIRouter, role: Role | None = None) -> BaseRoute:
    """A router under the API's prefix, for an application's routes; role: needed for all of it, beside what it says.

    At its first request the framework puts together what each route takes, which needs a moment. It does so once for
    all applications of this process.
    """
    key = (id(router), role)
    if key not in _INCLUDED:
        around = APIRouter()
        # Who may not ask at all is told only that.
        dependencies = [*([needs(role)] if role else router.dependencies), Depends(understood)]
        around.include_router(router, prefix=PREFIX, dependencies=dependencies)
        _INCLUDED[key] = (router, around.routes[-1])
    return _INCLUDED[key][1]


def equip(app: FastAPI, engine: AsyncEngine, now: Callable[[], datetime], **handed: Unpack[Handed]) -> None:
    """Hand an application what its routes use, and have it answer only whom it may, and HEAD as GET."""
    app.state.serving = Serving.of(engine, now, **handed)
    app.state.noting = handed.get("noting")
    app.state.reads = Reads(handed.get("writer", engine), handed.get("noting"))
    app.add_middleware(Heads)
    # Inside the framework's own last resort, which answers in plain text.
    app.add_middleware(Guard, access=handed.get("access") or Loopback())


def framed(**told: Any) -> FastAPI:
    """An application with the probes, whose errors are problems. told: further parameters of FastAPI's."""
    app = FastAPI(
        docs_url=None, redoc_url=None, redirect_slashes=False,
        # What is looked up stands in the query: it belongs in no trace, log or metric.
        telemetry={"tracing": False, "metrics": False, "logs": False}, **told,
    )  # fmt: skip
    problems.install(app)
    app.include_router(health.router)
    return app


def short_ways() -> list[BaseRoute]:
    """What is asked for most, past the framework's parsing; to stand before all other routes."""
    return [requests.PlainRequest(), lookup.PlainLookup()]


def document_once(app: FastAPI, make: Callable[[], dict[str, Any]]) -> None:
    """Have the document put together by one thread: two at once would find each other's half-made parts."""
    alone = Lock()

    def document() -> dict[str, Any]:
        with alone:
            if app.openapi_schema is None:
                app.openapi_schema = make()
            return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
