"""The application: every part of it is handed in; it reads no environment and opens nothing by itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.answering import Answering
from pipelines.deciding import Deciding
from schemas.access import Role
from services.query import (
    changes,
    connections,
    deciding,
    listing,
    lookup,
    parts,
    problems,
    requests,
    stages,
    suggestions,
    unmapped,
    why,
)
from services.query.access import ALIVE, Access, needs, says_who
from services.query.database import Database
from services.query.first import document_once, framed, guard, short_ways
from services.query.parameters import PREFIX, understood
from services.query.problems import FieldError, Problem
from services.query.reads import Reads
from services.query.serving import Check, Serving
from services.query.signed import Noting
from services.query.steps import BOUNDS, Bounds

VERSION = "1"

_GUARD = (421, 429, 500)
"""What may be answered before a route is reached, or in place of its answer."""

_ABOUT = """Look up business requests: merged from every tool that knows a part of them, with the reason of every link,
and up to when each tool's part is true. Nothing is written to a tool but a webhook that an admin asks for; what people
decide about what belongs together, and the set-up, are all that can be changed. Errors are problem documents
(RFC 9457) that name the field and the mend. Instants are ISO 8601 with a time zone."""


def create_app(
    engine: AsyncEngine,
    now: Callable[[], datetime],
    *,
    access: Access | None = None,
    checks: Mapping[str, Check] | None = None,
    metrics: CollectorRegistry | None = None,
    schema_version: str | None = None,
    closing: asyncio.Event | None = None,
    statement_seconds: float = 5.0,
    poll_seconds: float = 0.5,
    keep_seconds: float = 1.0,
    check_seconds: float = 5.0,
    writer: AsyncEngine | None = None,
    changed: Callable[[], None] = lambda: None,
    more: Sequence[APIRouter] = (),
    noting: Noting | None = None,
    bounds: Bounds = BOUNDS,
) -> FastAPI:
    """The lookup API as an ASGI application.

    now: an aware clock. access: knows who asks; None: this machine, so listen on loopback only. more: further
    nouns, each with its routes. checks: further parts for /readyz, by name (the broker); each tells what is wrong, or
    None.
    metrics: what /metrics shows. schema_version: the migration this release needs; None: not looked at.
    closing: set when the process begins to stop, so that streams end (services.query.server does).
    statement_seconds: a longer answer of the database becomes a 503. poll_seconds: how often all streams together ask
    for new changes. keep_seconds: how old freshness may be. check_seconds: how long a check of /readyz may take.
    writer: by which decisions are written, where that is shared with others who write (on SQLite they queue in it).
    changed: called when somebody decided something that changed requests. noting: notes who decided what.
    bounds: how far one step of a list looks, and how long a page may take.
    """
    app = _routes(more)
    app.state.serving = Serving.of(
        Database(engine, statement_seconds), now, checks or {}, metrics, schema_version, closing or asyncio.Event(),
        poll_seconds, keep_seconds, check_seconds, bounds,
    )  # fmt: skip
    app.state.noting = noting
    app.state.reads = Reads(writer or engine, noting)
    app.state.deciding = Deciding(writer or engine, now, changed)
    app.state.answering = Answering(writer or engine, app.state.deciding, now)
    guard(app, access)
    return app


def openapi_document(more: Sequence[APIRouter] = ()) -> dict[str, Any]:
    """The OpenAPI 3.1 document; needs no database. more: as for create_app."""
    return _routes(more).openapi()


def _routes(more: Sequence[APIRouter] = ()) -> FastAPI:
    app = framed(title="Throughline lookup", version=VERSION, description=_ABOUT)
    app.router.routes[:0] = short_ways()
    nouns = (lookup, why, listing, stages, requests, parts, changes, connections, unmapped, deciding, suggestions)
    for noun in nouns:
        app.include_router(noun.router, prefix=PREFIX, dependencies=[needs(Role.VIEWER), Depends(understood)])
    for router in (deciding.changing, suggestions.changing, *more):
        if not says_who(router.dependencies):
            raise ValueError("a router does not say which role it needs")
        # Who may not ask at all is told only that.
        app.include_router(router, prefix=PREFIX, dependencies=[*router.dependencies, Depends(understood)])
    document_once(app, partial(_document, app))
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with our problems instead of its own validation errors."""
    document = get_openapi(
        title=app.title, version=app.version, openapi_version=app.openapi_version, description=app.description,
        routes=app.routes,
    )  # fmt: skip
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            door = _GUARD if path == ALIVE else (401, 403, *_GUARD)
            at_the_door = {str(status): told for status, told in problems.documented(*door).items()}
            operation["responses"] = at_the_door | operation["responses"]
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                operation["responses"]["422"] = problems.documented(422)[422]
    at = "#/components/schemas/{model}"
    schemas["FieldError"] = FieldError.model_json_schema(ref_template=at)
    schemas["Problem"] = Problem.model_json_schema(ref_template=at)
    schemas["Problem"].pop("$defs", None)
    # The framework writes a stream as OpenAPI 3.2 does; 3.1 has no schema for events.
    stream = document["paths"]["/v1/changes/stream"]["get"]["responses"]["200"]["content"]
    stream["text/event-stream"] = {"example": changes.EXAMPLE}
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{}, {"token": []}]  # none where the hub is open to its own machine
    return document
