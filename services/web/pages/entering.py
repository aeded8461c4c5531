"""Coming in and going: the sign-in, the first account, the sign-out."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Answer, Failed, api_of
from services.web.rendering import render

_AGAIN = "Signing in there did not go through. Begin again."
ELSEWHERE: Mapping[str, str] = {
    "no-account": "You are signed in there, but have no account here. Ask an admin to add one with your address.",
    "has-password": "Your account here has a password. Sign in by it; or ask an admin to take it away.",
    "disabled": "Your account here is disabled. Ask an admin.",
    "provider-away": "There, nobody answers as they must. Try again in a minute, or tell an admin.",
}
"""By kind of problem that the way back from an identity provider may end in."""


def local(there: str) -> str:
    """A path of this site; the first page for anything else."""
    inside = there.startswith("/") and not there.startswith(("//", "/\\")) and there.isprintable()
    return there if inside else "/"


async def sign_in(request: Request) -> Response:
    """Name and password, or a link to where people sign in."""
    return await _page(request, local(request.query_params.get("next", "/")), None)


async def signed_in(request: Request) -> Response:
    """Go on to where they wanted to go."""
    form = await request.form()
    there = local(str(form.get("next", "/")))
    given = {"name": str(form.get("name", "")).strip(), "password": str(form.get("password", ""))}
    try:
        entered = await api_of(request).ask("POST", "/v1/sign-in", given, headers=_browser(request))
    except Failed as error:
        if error.status not in (401, 422, 429):
            raise
        return await _page(request, there, error, name=given["name"])
    return _with_cookie(RedirectResponse(there, 303), entered)


async def _page(request: Request, there: str, refused: Failed | None, *, name: str = "") -> Response:
    ways = await api_of(request).get("/v1/sign-in")
    problem = request.query_params.get("problem", "")
    told = ELSEWHERE.get(problem, _AGAIN) if problem else None
    return await render(
        request, "sign_in.html", status=refused.status if refused else 200, ways=ways, next=there, refused=refused,
        name=name, told=told,
    )  # fmt: skip


async def set_up(request: Request) -> Response:
    """The first account, by the link that the hub told; once there is an admin, links are over, and it says so."""
    ways = await api_of(request).get("/v1/sign-in")
    key = request.query_params.get("key", "")
    return await render(
        request, "set_up.html", status=200 if ways["set_up"] else 410, key=key, over=not ways["set_up"], refused=None,
        given={},
    )  # fmt: skip


async def made(request: Request) -> Response:
    """Signed in as the first admin."""
    form = await request.form()
    given: dict[str, Any] = {name: str(form.get(name, "")) for name in ("key", "name", "email", "password")}
    given["email"] = given["email"].strip() or None
    try:
        entered = await api_of(request).ask("POST", "/v1/set-up", given, headers=_browser(request))
    except Failed as error:
        if error.status not in (403, 409, 422, 429):
            raise
        shown = {name: given[name] or "" for name in ("name", "email")}
        return await render(
            request, "set_up.html", status=error.status, key=given["key"], over=False, refused=error, given=shown
        )  # fmt: skip
    return _with_cookie(RedirectResponse("/connections", 303), entered)


async def sign_out(request: Request) -> Response:
    """End this session."""
    left = await api_of(request).ask("POST", "/v1/sign-out", headers=_browser(request))
    return _with_cookie(RedirectResponse("/sign-in", 303), left)


def _browser(request: Request) -> dict[str, str]:
    """What the API is to know of the browser: the session it has, and what it calls itself."""
    return {name: request.headers[name] for name in ("cookie", "user-agent") if name in request.headers}


def _with_cookie(response: Response, answer: Answer) -> Response:
    cookie = answer.headers.get("set-cookie")
    if cookie:
        response.headers["set-cookie"] = cookie
    return response


routes = [
    Route("/sign-in", sign_in),
    Route("/sign-in", signed_in, methods=["POST"]),
    Route("/set-up", set_up),
    Route("/set-up", made, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
]
