"""Coming in and going: sign-in by password or elsewhere, the first account, sign-out, and who one is."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from schemas.access import Role
from services.admin import accounts, entering, identities, sessions, shapes
from services.admin.entering import Entry
from services.admin.entrance import Asking, Entered, Entrance
from services.admin.returning import CALLBACK, local
from services.admin.shapes import Email, Me, Name, Strict, Typed
from services.admin.signing_in import session_cookie, session_header
from services.query.access import anybody, needs
from services.query.changing import Adding
from services.query.problems import documented
from services.query.refused import Refused
from services.query.serving import answer

if TYPE_CHECKING:
    from services.admin.oidc import Provider

router = APIRouter(tags=["sign-in"], dependencies=[anybody()], responses=documented(401, 403, 422, 503))
changing = APIRouter(
    tags=["sign-in"], dependencies=[anybody()], route_class=Adding,
    responses=documented(400, 401, 403, 413, 415, 422, 429, 503),
)  # fmt: skip
myself = APIRouter(tags=["sign-in"], dependencies=[needs(Role.VIEWER)], responses=documented(401, 403, 422, 503))

_COOKIE: Any = {"headers": {"Set-Cookie": {"description": "The session, for browsers", "schema": {"type": "string"}}}}


class Ways(BaseModel):
    """How one signs in here."""

    open: bool = Field(description="The hub is open to its own machine: nobody signs in")
    password: bool
    elsewhere: str | None = Field(description="Title of the identity provider that signs people in, if there is one",
                                  examples=["Acme single sign-on"])  # fmt: skip
    start: str | None = Field(description="Where a browser begins that; takes `next`", examples=["/v1/sign-in/oidc"])
    set_up: bool = Field(description="There is no admin yet: the first one is made by the link the hub told")
    secure: bool = Field(description="Whether the session is kept from plain HTTP")


class SignIn(Strict):
    """What somebody types."""

    name: str = Field(min_length=1, max_length=254, description="Name or e-mail address", examples=["Anna Berg"])
    password: Typed = Field(examples=["correct horse battery staple"])


class SetUp(Strict):
    """The first account, an admin's."""

    key: Typed = Field(description="From the link that the hub told at its start", examples=["p3Gv…"])
    name: Name = Field(examples=["Anna Berg"])
    email: Email | None = Field(default=None, examples=["anna@acme.example"])
    password: shapes.Password = Field(examples=["correct horse battery staple"])


@router.get("/sign-in", response_model=Ways, summary="How one signs in here")
async def ways(parts: Entered) -> Response:
    """Told to everybody."""
    async with parts.database.reading() as connection:
        first = await accounts.no_admin_yet(connection)
    title = parts.provider.settings.title if parts.provider else None
    return answer(
        {
            "open": parts.access is None, "password": True, "elsewhere": title,
            "start": "/v1/sign-in/oidc" if title else None, "set_up": first and parts.access is not None,
            "secure": parts.manner.secure,
        }
    )  # fmt: skip


@changing.post("/sign-in", response_model=Me, summary="Sign in by password", responses={200: _COOKIE})
async def sign_in(given: Annotated[SignIn, Body()], parts: Entered, asked: Request) -> Response:
    """Sets the cookie of a new session. Whatever is wrong is told in the same words; failures make the next wait."""
    return await _entered(parts, await entering.by_password(parts, asked, given.name, given.password))


@changing.post("/set-up", response_model=Me, summary="Make the first account", responses={200: _COOKIE})
async def set_up(given: Annotated[SetUp, Body()], parts: Entered, asked: Request) -> Response:
    """Once, by the link that the hub told at its start; signs in."""
    entry = await entering.set_up(parts, asked, given.key, given.name, given.email, given.password)
    return await _entered(parts, entry)


@router.post("/sign-out", status_code=204, summary="Sign out", responses={204: _COOKIE})
async def sign_out(parts: Entered, asked: Request) -> Response:
    """Ends this session, and takes its cookie away. Does nothing where nobody is signed in."""
    await entering.leave(parts, asked)
    return Response(status_code=204, headers={"Set-Cookie": session_header(parts.manner, None)})


async def _entered(parts: Entrance, entry: Entry) -> Response:
    async with parts.database.reading() as connection:
        session = await sessions.get(connection, entry.session.id)
    body = shapes.me(entry.account.caller("session"), entry.account, session)
    return answer(body, headers={"Set-Cookie": session_header(parts.manner, entry.session.secret)})


@myself.get("/me", response_model=Me, summary="Who I am")
async def me(caller: Asking, parts: Entered, asked: Request) -> Response:
    """Who asks, as the hub knows them, and which session this is."""
    account = session = None
    async with parts.database.reading() as connection:
        if caller.account:
            account = await accounts.get(connection, caller.account)
        cookie = session_cookie(asked.headers, parts.manner)
        if cookie and caller.how == "session":
            row = (await connection.execute(sessions.by_secret(cookie, parts.now()))).first()
            session = await sessions.get(connection, row.session) if row else None
    return answer(shapes.me(caller, account, session))


Next = Annotated[str, Query(max_length=2000, description="Path of the page to go to afterwards", examples=["/"])]
_REDIRECT: Any = {"description": "To the identity provider, or back to a page"}


@router.get("/sign-in/oidc", status_code=303, summary="Begin a sign-in elsewhere", responses={
    303: _REDIRECT, **documented(404)})  # fmt: skip
async def begin_elsewhere(parts: Entered, asked: Request, next: Next = "/") -> Response:  # noqa: A002 - in the query
    """A browser goes there by a link, and comes back signed in."""
    if parts.provider is None:
        raise _nowhere()
    try:
        start = await parts.provider.start(asked, next)
    except Refused as error:
        return _shown(asked, error, parts.provider)
    cookie = parts.provider.cookie_header(start.cookie)
    return RedirectResponse(start.url, 303, {"Set-Cookie": cookie, "Cache-Control": "no-store"})


@router.get(CALLBACK.removeprefix("/v1"), status_code=303, summary="Come back signed in", responses={
    303: _REDIRECT, **documented(404)})  # fmt: skip
async def back_from_elsewhere(
    parts: Entered,
    asked: Request,
    code: Annotated[str | None, Query(max_length=4000)] = None,
    state: Annotated[str | None, Query(max_length=1000)] = None,
    iss: Annotated[str | None, Query(max_length=1000)] = None,
    session_state: Annotated[str | None, Query(max_length=1000)] = None,
    scope: Annotated[str | None, Query(max_length=1000)] = None,
    error: Annotated[str | None, Query(max_length=1000)] = None,
    error_description: Annotated[str | None, Query(max_length=4000)] = None,
) -> Response:
    """Where the identity provider sends a browser back to."""
    del code, state, session_state, scope, error, error_description  # read by the client itself
    if parts.provider is None:
        raise _nowhere()
    try:
        # RFC 9207: a provider that names itself must be the one that was asked.
        if iss is not None and iss != parts.provider.settings.issuer:
            raise identities.unknown()
        identity, there = await parts.provider.finish(asked)
        entry = await entering.from_elsewhere(parts, asked, identity)
    except Refused as refused:
        return _shown(asked, refused, parts.provider)
    answer = RedirectResponse(local(there), 303, {"Cache-Control": "no-store"})
    answer.headers.append("Set-Cookie", session_header(parts.manner, entry.session.secret))
    answer.headers.append("Set-Cookie", parts.provider.cookie_header(None))
    return answer


def _shown(asked: Request, error: Refused, provider: "Provider") -> Response:
    """To a browser on the sign-in page, by its kind; to a program as every problem."""
    if "text/html" not in asked.headers.get("accept", ""):
        raise error
    answer = RedirectResponse(f"/sign-in?problem={error.kind}", 303, {"Cache-Control": "no-store"})
    answer.headers.append("Set-Cookie", provider.cookie_header(None))
    return answer


def _nowhere() -> Refused:
    return Refused(
        404, "no-provider", "No identity provider is set.", "Sign in by password, or set THROUGHLINE_OIDC_ISSUER."
    )
