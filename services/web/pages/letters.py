"""Dead letters: what could not be used, by what cures it; opened, edited, tried, replayed or dropped."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Answer, Failed, api_of
from services.web.called import called
from services.web.rendering import render
from services.web.words import pretty

_TOLD = (403, 409, 412, 413, 422)
_CALLS: Mapping[str, tuple[str, str]] = {
    "try": ("PUT", "/content"),
    "save": ("PUT", "/content"),
    "original": ("DELETE", "/content"),
    "look": ("POST", "/replay"),
    "replay": ("POST", "/replay"),
    "drop": ("POST", "/drop"),
}
"""Buttons, and how the API does what they say."""
_LOOKS = ("try", "look")
"""Buttons that change nothing."""
DONE: Mapping[str, str] = {
    "saved": "The edited form is kept; a replay publishes it in place of the original.",
    "original": "The original is replayed again.",
    "replayed": "It is being published again.",
    "dropped": "It is dropped. It stays in the list of closed ones, with the reason.",
}
"""What was done, as the page says it afterwards."""


async def causes(request: Request) -> Response:
    """All that wait, by cause."""
    connection, every = request.query_params.get("connection", ""), "every" in request.query_params
    told = await api_of(request).get("/v1/dead-letters", connection=connection, every=every)
    return await render(
        request, "letters.html", causes=told["items"], letters=told["letters"], connection=connection, every=every,
        done=_done(request),
    )  # fmt: skip


def _done(request: Request) -> str | None:
    return DONE.get(request.query_params.get("done", ""))


async def cause(request: Request) -> Response:
    """The letters of one cause."""
    return await _cause(request)


async def _cause(request: Request, refused: Failed | None = None, would: Any = None) -> Response:
    query = request.query_params
    path = f"/v1/dead-letters/causes/{request.path_params['id']}"
    try:
        told = await api_of(request).get(path, every="every" in query, cursor=query.get("cursor", ""))
    except Failed as error:
        if error.status != 404 or "every" in query:
            raise
        return RedirectResponse(f"/dead-letters?done={query.get('done', '')}", 303)  # its last letter is gone
    return await render(
        request, "letters_cause.html", status=refused.status if refused else 200, cause=told["cause"],
        letters=told["items"], next=told["next"], refused=refused, would=would, every="every" in query,
        done=_done(request),
    )  # fmt: skip


async def all_of_cause(request: Request) -> Response:
    """Look at what a replay of all would do, replay them, or drop them."""
    form = await request.form()
    do, name = str(form.get("do", "")), request.path_params["id"]
    version = str(form.get("version") or "*")
    act = "drop" if do == "drop" else "replay"
    body = {"reason": str(form.get("reason", ""))} if act == "drop" else {}
    try:
        told = await api_of(request).ask(
            "POST", f"/v1/dead-letters/causes/{name}/{act}", body, query={"preview": do == "look"},
            headers={"If-Match": f'"{version}"'},
        )  # fmt: skip
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _cause(request, error)
    if do == "look":
        return await _cause(request, would=told.body)
    return RedirectResponse(f"/dead-letters/causes/{name}?done={'dropped' if act == 'drop' else 'replayed'}", 303)


async def letter(request: Request) -> Response:
    """One, opened: what it holds, with secrets masked."""
    return await _letter(request)


async def _letter(
    request: Request, refused: Failed | None = None, tried: Any = None, typed: str | None = None, did: str = ""
) -> Response:
    api = api_of(request)
    told = await api.get(f"/v1/dead-letters/{request.path_params['id']}")
    now = told["content"] if told["edited_content"] is None else told["edited_content"]
    names = await called(api, tried["yields"]["meets"] if tried and tried["yields"] else [])
    return await render(
        request, "letter.html", status=refused.status if refused else 200, letter=told, original=_text(told["content"]),
        content=_text(now) if typed is None else typed, refused=refused, tried=tried, names=names, did=did,
        done=_done(request),
    )  # fmt: skip


def _text(content: Any) -> str:
    return content if isinstance(content, str) else pretty(content)


async def act(request: Request) -> Response:
    """Edit it, try it, replay it or drop it."""
    form = await request.form()
    do, name = str(form.get("do", "")), request.path_params["id"]
    typed = str(form["content"]).replace("\r\n", "\n") if "content" in form and do in ("try", "save") else None
    if do not in _CALLS:
        return await _letter(request, Failed(422, {"detail": "Say what is to be done.", "mend": "Press a button."}))
    try:
        told = await _call(request, name, do, {"content": typed, "reason": str(form.get("reason", ""))},
                           str(form.get("version") or "*"))  # fmt: skip
    except Failed as error:
        if error.status not in _TOLD:
            raise
        return await _letter(request, error, typed=typed)
    if do in _LOOKS:
        return await _letter(request, tried=told.body["tried"], typed=typed, did=do)
    done = {"save": "saved", "original": "original", "replay": "replayed", "drop": "dropped"}[do]
    return RedirectResponse(f"/dead-letters/{name}?done={done}", 303)


async def _call(request: Request, name: str, do: str, given: Mapping[str, Any], version: str) -> Answer:
    method, path = _CALLS[do]
    wanted = {"PUT": ("content",), "POST": ("reason",) if do == "drop" else ()}.get(method, ())
    body = {one: given[one] for one in wanted}
    query = {"preview": do in _LOOKS} if method != "DELETE" else {}
    headers = {"If-Match": f'"{version}"'}
    return await api_of(request).ask(method, f"/v1/dead-letters/{name}{path}", body, query=query, headers=headers)


routes = [
    Route("/dead-letters", causes),
    Route("/dead-letters/causes/{id}", cause),
    Route("/dead-letters/causes/{id}", all_of_cause, methods=["POST"]),
    Route("/dead-letters/{id}", letter),
    Route("/dead-letters/{id}", act, methods=["POST"]),
]
