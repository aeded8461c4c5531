"""Who one is; and for admins who may come in: accounts, sessions, tokens, the audit."""

from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from schemas.access import Role
from services.web.api import Failed, api_of
from services.web.rendering import render

ROLES = (Role.VIEWER, Role.EDITOR, Role.ADMIN)
_REFUSED = (400, 403, 404, 409, 412, 422, 429)


def _browser(request: Request) -> dict[str, str]:
    return {"cookie": request.headers["cookie"]} if "cookie" in request.headers else {}


async def me(request: Request) -> Response:
    """Who one is, where one is signed in, and one's tokens."""
    return await _me(request, None)


async def _me(request: Request, refused: Failed | None, *, made: Any = None) -> Response:
    api = api_of(request)
    told = await api.ask("GET", "/v1/me", headers=_browser(request))
    sessions = await api.get("/v1/sessions")
    tokens = await api.get("/v1/tokens")
    return await render(
        request, "me.html", status=refused.status if refused else 200, me=told.body, sessions=sessions["items"],
        tokens=tokens["items"], refused=refused, made=made, saved="saved" in request.query_params,
        roles=[role for role in Role if told.body["role"] and Role(told.body["role"]).covers(role)],
    )  # fmt: skip


async def password(request: Request) -> Response:
    """Another password for oneself."""
    form = await request.form()
    given = {"password": str(form.get("password", "")), "old_password": str(form.get("old_password", ""))}
    account = str(form.get("account", ""))
    try:
        await api_of(request).ask("PATCH", f"/v1/accounts/{account}", given, headers=_browser(request))
    except Failed as error:
        if error.status not in _REFUSED:
            raise
        return await _me(request, error)
    return RedirectResponse("/me?saved=1", 303)


async def add_token(request: Request) -> Response:
    """A token, which is shown this once."""
    form = await request.form()
    days = str(form.get("days", "")).strip()
    wish: dict[str, Any] = {
        "title": str(form.get("title", "")), "role": str(form.get("role", "")), "own": form.get("own") != "false",
        "days": int(days) if days.isdecimal() else None,
    }  # fmt: skip
    try:
        made = await api_of(request).post("/v1/tokens", wish)
    except Failed as error:
        if error.status not in _REFUSED:
            raise
        return await _me(request, error)
    return await _me(request, None, made=made)


async def end(request: Request) -> Response:
    """End a session, or revoke a token."""
    kind, name = request.path_params["kind"], request.path_params["id"]
    form = await request.form()
    try:
        await api_of(request).ask("DELETE", f"/v1/{kind}/{name}")
    except Failed as error:
        if error.status != 404:  # it is over already
            raise
    return RedirectResponse("/accounts" if form.get("back") == "/accounts" else "/me", 303)


async def listed(request: Request) -> Response:
    """Everybody."""
    return await _accounts(request, None, {})


async def _accounts(request: Request, refused: Failed | None, given: Any) -> Response:
    api = api_of(request)
    accounts = await api.get("/v1/accounts")
    sessions = await api.get("/v1/sessions", everybody=True)
    tokens = await api.get("/v1/tokens", everybody=True)
    return await render(
        request, "accounts.html", status=refused.status if refused else 200, accounts=accounts["items"],
        sessions=sessions["items"], tokens=tokens["items"], refused=refused, given=given, roles=ROLES,
    )  # fmt: skip


async def add(request: Request) -> Response:
    """Let somebody in."""
    form = await request.form()
    given = _given(form, ("name", "role", "email", "password"))
    try:
        made = await api_of(request).post("/v1/accounts", given)
    except Failed as error:
        if error.status not in _REFUSED:
            raise
        given.pop("password", None)
        return await _accounts(request, error, given)
    return RedirectResponse(f"/accounts/{made['id']}", 303)


def _given(form: FormData, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: text for name in names if (text := str(form.get(name, "")).strip())}


async def one(request: Request) -> Response:
    """One account."""
    return await _account(request, None)


async def _account(request: Request, refused: Failed | None) -> Response:
    api = api_of(request)
    told = await api.get(f"/v1/accounts/{request.path_params['id']}")
    ways = await api.get("/v1/sign-in")
    status = refused.status if refused else 200
    saved = "saved" in request.query_params
    return await render(
        request, "account.html", status=status, account=told, refused=refused, roles=ROLES, saved=saved,
        elsewhere=ways["elsewhere"], mine=told["id"] == request.scope["state"]["caller"].account,
    )  # fmt: skip


async def change(request: Request) -> Response:
    """Change it, as it was shown."""
    form = await request.form()
    to: dict[str, Any] = _given(form, ("name", "role", "password"))
    to |= {"email": str(form.get("email", "")).strip() or None, "disabled": form.get("disabled") == "true"}
    return await _changed(request, form, to)


async def without_password(request: Request) -> Response:
    """Take its password away: they sign in elsewhere only. For one's own, the password is asked for."""
    form = await request.form()
    own = {"old_password": str(form["old_password"])} if "old_password" in form else {}
    return await _changed(request, form, {"password": None} | own)


async def _changed(request: Request, form: FormData, to: dict[str, Any]) -> Response:
    name = request.path_params["id"]
    headers = {"If-Match": str(form.get("version", "*")), **_browser(request)}
    try:
        await api_of(request).ask("PATCH", f"/v1/accounts/{name}", to, headers=headers)
    except Failed as error:
        if error.status not in _REFUSED:
            raise
        return await _account(request, error)
    return RedirectResponse(f"/accounts/{name}?saved=1", 303)


_SOUGHT = ("who", "action", "on", "q")


async def audit(request: Request) -> Response:
    """Who did what."""
    query = {name: request.query_params.get(name, "").strip() for name in (*_SOUGHT, "cursor")}
    told = await api_of(request).get("/v1/audit", **query)
    sought = {name: value for name, value in query.items() if value and name != "cursor"}
    return await render(
        request, "audit.html", items=told["items"], next=told["next"], query=query, sought=urlencode(sought)
    )  # fmt: skip


routes = [
    Route("/me", me),
    Route("/me/password", password, methods=["POST"]),
    Route("/me/tokens", add_token, methods=["POST"]),
    Route("/end/{kind:str}/{id}", end, methods=["POST"]),
    Route("/accounts", listed),
    Route("/accounts", add, methods=["POST"]),
    Route("/accounts/{id}", one),
    Route("/accounts/{id}", change, methods=["POST"]),
    Route("/accounts/{id}/password", without_password, methods=["POST"]),
    Route("/audit", audit),
]
