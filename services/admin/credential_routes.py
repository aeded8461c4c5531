"""Sessions and API tokens: one's own, and for admins everybody's."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from schemas.access import Caller, Role
from services.admin import sessions, shapes, tokens
from services.admin.audit import note
from services.admin.entrance import Asking, Entered
from services.admin.shapes import Name, NewToken, Sessions, Strict, TokensAnswer
from services.admin.writing import written
from services.query.access import below, needs
from services.query.changing import Adding
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

router = APIRouter(tags=["accounts"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 422, 503))
changing = APIRouter(
    tags=["accounts"], dependencies=[needs(Role.VIEWER)], route_class=Adding,
    responses=documented(400, 401, 403, 404, 409, 413, 415, 422, 503),
)  # fmt: skip

Everybodys = Annotated[bool, Query(description="Everybody's, for admins; else one's own")]
Id = Annotated[str, Path(min_length=1, max_length=40, description="Its id", examples=["S-mzxw6ytboi"])]


class TokenWish(Strict):
    """A token that is to be made."""

    title: Name = Field(description="What it is for", examples=["Prometheus"])
    role: Role = Field(description="watcher reads /metrics only", examples=["watcher"])
    days: int | None = Field(
        default=90, strict=True, ge=1, le=3650, description="How long it lasts; null: until it is revoked"
    )
    own: bool = Field(
        default=True,
        strict=True,
        description="Whether it is yours, and ends with your account; false, for admins: of a program",
    )


_EXAMPLES: Any = {
    "watcher": {"value": {"title": "Prometheus", "role": "watcher", "days": None, "own": False}},
    "reader": {"value": {"title": "Nightly report", "role": "viewer", "days": 365}},
}


@router.get("/sessions", response_model=Sessions, summary="Who is signed in, and where")
async def session_list(caller: Asking, parts: Entered, everybody: Everybodys = False) -> Response:
    """Sessions that live, the last used first."""
    whose = _whose(caller, everybody=everybody)
    async with parts.database.reading() as connection:
        found = await sessions.every(connection, parts.now(), whose)
    return answer({"items": [shapes.session_told(one) for one in found]})


@changing.delete("/sessions/{id}", status_code=204, summary="End a session")
async def end_session(id: Id, caller: Asking, parts: Entered, asked: Request) -> Response:  # noqa: A002 - in the path
    """Its browser is signed out at once."""
    by = parts.by(caller, asked)
    async with written(parts.engine) as connection:
        found = await sessions.get(connection, id)
        if found is None or not _may(caller, found.account):
            raise _unknown("session", "/v1/sessions")
        await sessions.end(connection, id)
        on, before = f"account {found.account}", {"session": id}
        await note(connection, caller, "session.revoked", on, before, None, by.now, by.where)
    parts.forget()
    return Response(status_code=204)


@router.get("/tokens", response_model=TokensAnswer, summary="API tokens")
async def token_list(caller: Asking, parts: Entered, everybody: Everybodys = False) -> Response:
    """Without what opens anything: that was shown once."""
    whose = _whose(caller, everybody=everybody)
    async with parts.database.reading() as connection:
        found = await tokens.every(connection, whose)
    return answer({"items": [shapes.token_told(one) for one in found]})


@changing.post("/tokens", status_code=201, response_model=NewToken, summary="Make an API token")
async def add_token(
    given: Annotated[TokenWish, Body(openapi_examples=_EXAMPLES)], caller: Asking, parts: Entered, asked: Request
) -> Response:
    """Its text is shown this once. It may do at most what its role may, and never more than its owner."""
    if caller.how == "token":
        # A stolen token must not outlive its end by making others.
        raise Refused(403, "signed-in-only", "A token makes no tokens.", "Sign in, and make it there.")
    if not caller.role.covers(given.role) or (not given.own and caller.role is not Role.ADMIN):
        raise below(given.role if not caller.role.covers(given.role) else Role.ADMIN)
    lasts = timedelta(days=given.days) if given.days else None
    async with written(parts.engine) as connection:
        whose = caller.account if given.own else None
        made, text = await tokens.add(connection, parts.by(caller, asked), given.title, given.role, whose, lasts)
    return answer(shapes.token_told(made) | {"token": text}, 201)


@changing.delete("/tokens/{id}", status_code=204, summary="Revoke an API token")
async def revoke_token(id: Id, caller: Asking, parts: Entered, asked: Request) -> Response:  # noqa: A002 - in the path
    """It opens nothing any more."""
    async with written(parts.engine) as connection:
        found = await tokens.get(connection, id)
        if found is None or not _may(caller, found.account):
            raise _unknown("token", "/v1/tokens")
        await tokens.revoke(connection, parts.by(caller, asked), found)
    parts.forget()
    return Response(status_code=204)


def _whose(caller: Caller, *, everybody: bool) -> str | None:
    if caller.role is Role.ADMIN and (everybody or caller.account is None):
        return None
    if everybody:
        raise below(Role.ADMIN)
    return caller.account or ""


def _may(caller: Caller, account: str | None) -> bool:
    return caller.role is Role.ADMIN or (account is not None and account == caller.account)


def _unknown(what: str, where: str) -> Refused:
    return Refused(404, f"unknown-{what}", f"No {what} of yours has this id.", f"List them under {where}.")
