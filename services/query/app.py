"""The application: every part of it is handed in; it reads no environment and opens nothing by itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Unpack

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
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
from services.query.access import ALIVE, says_who
from services.query.first import document_once, equip, framed, included, short_ways
from services.query.problems import FieldError, Problem
from services.query.serving import Handed

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
    changed: Callable[[], None] = lambda: None,
    more: Sequence[APIRouter] = (),
    **handed: Unpack[Handed],
) -> FastAPI:
    """The lookup API as an ASGI application.

    now: an aware clock. changed: called when somebody decided something that changed requests. more: further nouns,
    each with its routes. handed: whatever of Handed differs from what it says there.
    """
    app = _routes(more)
    equip(app, engine, now, **handed)
    writer = handed.get("writer", engine)
    app.state.deciding = Deciding(writer, now, changed)
    app.state.answering = Answering(writer, app.state.deciding, now)
    return app


def openapi_document(more: Sequence[APIRouter] = ()) -> dict[str, Any]:
    """The OpenAPI 3.1 document; needs no database. more: as for create_app."""
    return _routes(more).openapi()


def _routes(more: Sequence[APIRouter] = ()) -> FastAPI:
    app = framed(title="Throughline lookup", version=VERSION, description=_ABOUT)
    app.router.routes[:0] = short_ways()
    nouns = (lookup, why, listing, stages, requests, parts, changes, connections, unmapped, deciding, suggestions)
    app.router.routes += [included(noun.router, Role.VIEWER) for noun in nouns]
    for router in (deciding.changing, suggestions.changing, *more):
        if not says_who(router.dependencies):
            raise ValueError("a router does not say which role it needs")
        app.router.routes.append(included(router))
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
