"""What opens a request and which links join, for one connection: tried before it holds, and taken back."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web import forms
from services.web.api import Failed, api_of
from services.web.pages import mapping
from services.web.pages.mapping import REFUSED
from services.web.rendering import render

DOES: Mapping[str, str] = {
    "joins": "joins: both belong to one request",
    "depends on": "depends on: one request waits for the other",
    "mentions": "mentions: it is shown, and joins nothing",
}
"""What a link may do."""


async def shown(request: Request) -> Response:
    """As they are."""
    return await _page(request, request.path_params["id"])


async def sent(request: Request) -> Response:
    """Look at what they would do, or let them hold."""
    form = await request.form()
    name = request.path_params["id"]
    own = await _own(request, name)
    wanted = {"connection": name, "openers": _openers(form), "link_kinds": _links(form, own["chosen"])}
    preview = form.get("do") != "apply"
    try:
        answer = await api_of(request).ask(
            "POST", "/v1/rules", wanted, query={"preview": preview},
            headers={"If-Match": f'"{form.get("version", "")}"'},
        )  # fmt: skip
    except Failed as error:
        if error.status not in REFUSED:
            raise
        return await _page(request, name, wanted, refused=error)
    if preview:
        return await _page(request, name, wanted, result=answer.body)
    return RedirectResponse(f"/connections/{name}/rules?held={answer.body['number'] or 0}", 303)


def _openers(form: FormData) -> list[str] | None:
    if form.get("opening") != "chosen":
        return None
    listed = [{"name": "openers", "path": ["openers"], "kind": "list"}]
    more: list[str] = forms.options_of(listed, form)["openers"]
    return list(dict.fromkeys([*(str(one) for one in form.getlist("type")), *more]))


def _links(form: FormData, chosen: Mapping[str, Any]) -> dict[str, str] | None:
    """What is chosen with these changes; a relation of which nothing is said stays as it is."""
    links = dict(chosen.get("link_kinds") or {})
    for key in form:
        number = key.removeprefix("does.")
        if number == key:
            continue
        relation, does = str(form.get(f"relation.{number}", "")), str(form.get(key, ""))
        if does:
            links[relation] = does
        else:
            links.pop(relation, None)
    return links or None


async def _own(request: Request, name: str) -> Mapping[str, Any]:
    """What is chosen for the connection, and what holds without a choice. Raises HTTPException(404)."""
    told = await api_of(request).get("/v1/rules")
    for one in told["connections"]:
        if one["connection"] == name:
            own: Mapping[str, Any] = one
            return own
    raise HTTPException(404)


async def _page(
    request: Request, name: str, wanted: Any = None, *, result: Any = None, undoing: int | None = None,
    refused: Failed | None = None,
) -> Response:  # fmt: skip
    api = api_of(request)
    own = await _own(request, name)
    chosen = wanted or own["chosen"]
    links = (await api.get(f"/v1/connections/{name}/link-kinds"))["items"]
    types = _types(await api.get(f"/v1/connections/{name}/stage-map"))
    openers = chosen.get("openers")
    changes = await api.get("/v1/rules/changes", connection=name, limit=5)
    return await render(
        request, "rules.html", status=refused.status if refused else 200, name=name, own=own, types=types,
        openers=openers, more=[one for one in openers or () if one not in types], links=links, does=DOES,
        said=chosen.get("link_kinds") or {}, result=result, undoing=undoing, refused=refused,
        changes=changes["items"], held=request.query_params.get("held"),
        progress=(await api.get("/v1/progress"))["recompute"],
    )  # fmt: skip


def _types(told: Mapping[str, Any]) -> dict[str, int]:
    """The tool's real types, with how many things each has."""
    found: dict[str, int] = {}
    for one in told["statuses"]:
        if one["type"]:
            found[one["type"]] = found.get(one["type"], 0) + one["artifacts"]
    return dict(sorted(found.items(), key=lambda one: -one[1]))


async def undo(request: Request) -> Response:
    """Look at what it would do to take the last change back, or take it back; made on what was shown."""
    form = await request.form()
    back = "stage-map" if form.get("back") == "stage-map" else "rules"
    name, number = str(form.get("connection", "")), request.path_params["number"]
    preview = form.get("do") != "apply"
    try:
        answer = await api_of(request).ask(
            "POST", f"/v1/rules/changes/{number}/undo", {}, query={"preview": preview},
            headers={"If-Match": f'"{form.get("version", "")}"'},
        )  # fmt: skip
    except Failed as error:
        if error.status not in REFUSED:
            raise
        return await _back(request, name, back, refused=error)
    if preview:
        return await _back(request, name, back, result=answer.body, undoing=number)
    return RedirectResponse(f"/connections/{name}/{back}?held={answer.body['number'] or 0}", 303)


async def _back(request: Request, name: str, back: str, **shown: Any) -> Response:
    """The page from which a change is taken back."""
    if back == "stage-map":
        return await mapping.page(request, name, {}, **shown)
    return await _page(request, name, **shown)


routes = [
    Route("/connections/{id}/rules", shown),
    Route("/connections/{id}/rules", sent, methods=["POST"]),
    Route("/rules/changes/{number:int}/undo", undo, methods=["POST"]),
]
