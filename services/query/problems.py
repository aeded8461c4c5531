"""Errors as RFC 9457 problem details: what is wrong, with which field, and what to do. Never what was sent."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.query.answers import RequestId
from services.query.gone import FORM
from services.query.refused import Refused

MEDIA_TYPE = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one field of the request, and how to mend it."""

    field: str = Field(examples=["query.limit"])
    problem: str = Field(examples=["is too large"])
    mend: str = Field(examples=["give at most 100"])


class Problem(BaseModel):
    """An error by RFC 9457."""

    type: str = Field(examples=["urn:throughline:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No request has this id."])
    mend: str = Field(description="What to do", examples=["Look for any reference under /v1/lookup?reference="])
    errors: list[FieldError] | None = None
    decision: int | None = Field(default=None, description="The decision that stands in the way, or that undid it")
    versions: dict[str, str] | None = Field(
        default=None, description="ETags of the requests concerned as they are now, by id"
    )
    candidates: list[str] | None = Field(default=None, description="Ids of what the reference may mean")
    error_id: str | None = Field(default=None, description="Names this error in the log")
    freshness: list[dict[str, Any]] | None = Field(default=None, description="What is read, and up to when")
    gone: dict[str, Any] | None = Field(
        default=None, description="What became of an id of which nothing is left, as in a look-up"
    )
    request: str | None = Field(default=None, description="The id to keep in place of the one that was asked for")
    artifact: dict[str, Any] | None = Field(default=None, description="What owns the id and is in no request")
    latest: int | None = Field(default=None, description="The newest change number")
    steps: list[dict[str, Any]] | None = Field(default=None, description="The steps of the test that failed")
    anyway: bool | None = Field(default=None, description="Whether `anyway` would add the connection all the same")


_TITLES = {
    308: "Moved",
    400: "Bad request",
    401: "Not signed in",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Another form is needed",
    421: "Misdirected request",
    422: "Not understood",
    428: "Condition needed",
    429: "Too often",
    500: "Internal error",
    503: "Not available",
}

_SENT_WITH = {
    308: ("Location", "Where it is now"),
    401: ("WWW-Authenticate", "By what one may be known"),
    429: ("Retry-After", "Seconds to wait"),
    503: ("Retry-After", "Seconds to wait, where waiting helps"),
}
"""Header of an answer with this status, and what it says."""

_ROUTER = {
    400: ("unreadable", "The body cannot be read.", "Send one JSON object; see /openapi.json for its form."),
    404: ("no-such-path", "There is nothing under this path.", "See /openapi.json for what there is."),
    405: ("method-not-allowed", "This path cannot be used with this method.", "Use a method named in Allow."),
}

_MENDS = {
    "missing": ("is missing", "give it"),
    "string_unicode": ("holds half a sign", "send whole Unicode text"),
    "not_storable": (
        "holds a text or a number that cannot be stored",
        "send whole Unicode text, and numbers of at most 64 bits",
    ),
    "json_invalid": ("is no JSON", "send one JSON object"),
    "model_attributes_type": ("is no JSON object", "send one JSON object"),
    "union_tag_invalid": ("is none of the known kinds", "give one of {expected_tags}"),
    "union_tag_not_found": ("is missing", "say what is decided, such as link"),
    "one_of": ("names both artifacts and a request, or neither", "give one of the two"),
    "int_type": ("is no whole number", "give a whole number"),
    "string_type": ("is no text", "give a text"),
    "list_type": ("is no list", "give a list"),
    "int_parsing": ("is no whole number", "give a whole number"),
    "bool_parsing": ("is neither true nor false", "give true or false"),
    "less_than_equal": ("is too large", "give at most {le}"),
    "greater_than_equal": ("is too small", "give at least {ge}"),
    "literal_error": ("is none of the known values", "give one of {expected}"),
    "enum": ("is none of the known values", "give one of {expected}"),
    "string_too_long": ("is too long", "give at most {max_length} characters"),
    "string_too_short": ("is too short", "give at least {min_length} characters"),
    "string_pattern_mismatch": ("does not have the right form", "see its pattern in /openapi.json"),
    "too_long": ("is given too often", "give at most {max_length}"),
    "too_short": ("is given too seldom", "give at least {min_length}"),
    "extra_forbidden": ("has a parameter that is not known", "see /openapi.json for the known ones"),
    "timezone_aware": ("has no time zone", "give an instant such as 2026-03-03T09:00:00Z"),
}
"""Pydantic's kind of error: what is wrong, what to do. Its context holds our own limits, never the input."""

_FORMS = {"query.in_stage_longer_than": "give days such as 10, or a duration such as P14D or PT36H"}
"""What to do where a field does not have its right form, in words."""

_INSTANT = ("is no instant", "give an instant such as 2026-03-03T09:00:00Z")


def problem(status: int, kind: str, detail: str, mend: str, *, headers: Mapping[str, str] | None = None,
            **more: Any) -> Response:  # fmt: skip
    """A problem document as a response."""
    body = {
        "type": f"urn:throughline:problem:{kind}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "mend": mend,
        **more,
    }
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store",
                                                                               **(headers or {})})  # fmt: skip


def wrong(field: str, what: str, mend: str) -> Refused:
    """A 422 for one field."""
    return Refused(422, "invalid", f"{field} {what}.", f"{field}: {mend}.", errors=[_error(field, what, mend)])


def install(app: FastAPI) -> None:
    """Answer every error of a route or of the router with a problem document."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses of these statuses as problem documents."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _TITLES[status], "content": content}
        | (header(*_SENT_WITH[status]) if status in _SENT_WITH else {})
        for status in statuses
    }


def header(name: str, says: str) -> dict[str, Any]:
    """An OpenAPI response's header, and what it says."""
    return {"headers": {name: {"description": says, "schema": {"type": "string"}}}}


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.kind, error.detail, error.mend, headers=error.headers, **error.more)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.app.openapi_schema is None:
        await asyncio.to_thread(request.app.openapi)  # takes half a second, in which others are answered
    names = _names(request.app.openapi())
    errors = [_told(one, names) for one in error.errors()]
    first = errors[0]
    return problem(422, "invalid", f"{first['field']} {first['problem']}.", f"{first['field']}: {first['mend']}.",
                   errors=errors)  # fmt: skip


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind, detail, mend = _ROUTER.get(error.status_code, ("refused", "The request was refused.", "See /openapi.json."))
    return problem(error.status_code, kind, detail, mend, headers={**(error.headers or {}), **_allowed(request, error)})


def _allowed(request: Request, error: HTTPException) -> dict[str, str]:
    """All methods of a path that has several, the router names only those of the first; and HEAD beside GET."""
    if error.status_code != 405:
        return {}
    known = _operations(request) or (error.headers or {}).get("Allow", "").split(", ")
    methods = {method.upper() for method in known}
    return {"Allow": ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))}


def _operations(request: Request) -> Iterable[str]:
    """The methods of every path of the document that this one may be."""
    path = request.url.path
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    return paths.get(path) or {
        method: None
        for template, operations in paths.items()
        if "{" in template and re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
        for method in operations
    }


def _names(document: Mapping[str, Any]) -> frozenset[str]:
    """All names that the document has for what may be sent."""
    models = document.get("components", {}).get("schemas", {}).values()
    operations = [one for every in document["paths"].values() for one in every.values()]
    parameters = {told["name"] for one in operations for told in one.get("parameters", ())}
    return frozenset(parameters.union(*(model.get("properties", ()) for model in models)))


def _told(error: Mapping[str, Any], names: frozenset[str]) -> dict[str, str]:
    kind = str(error["type"])
    if kind in ("too_short", "too_long") and isinstance(error.get("input"), str):
        kind = f"string_{kind}"  # of a secret, which says so like a list
    default = _INSTANT if kind.startswith("datetime") else ("is not valid", "see /openapi.json for its form")
    what, mend = _MENDS.get(kind, default)
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == RequestId:
        mend = f"{FORM[0].lower()}{FORM[1:]}; any other name of it is for /v1/lookup?reference="
    if kind == "string_too_short" and error["ctx"]["min_length"] == 1:
        mend = "give at least 1 character"
    place = _place(error["loc"], names)
    if kind == "string_pattern_mismatch":
        mend = _FORMS.get(place, mend)
    return _error(place, what, mend.format_map(error.get("ctx") or {}))


def _place(location: Sequence[Any], names: frozenset[str]) -> str:
    """Where it stands, as far as the document has a name for it: what is called by the caller is input, too."""
    where, *parts = (part for part in location if not isinstance(part, int))
    return ".".join([str(where), *takewhile(names.__contains__, parts)])


def _error(field: str, what: str, mend: str) -> dict[str, str]:
    return {"field": field, "problem": what, "mend": mend}
