"""Adding a connection: choose a tool, fill in its form, test, preview, save."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Failed, api_of
from services.web.pages import forms
from services.web.pages.forms import Sheet
from services.web.rendering import render


async def choose(request: Request) -> Response:
    """Which tool."""
    kinds = await api_of(request).get("/v1/connectors")
    return await render(request, "connect.html", kinds=kinds["items"])


async def shown(request: Request) -> Response:
    """The form of one kind of tool, empty."""
    kind = await forms.kind_of(request, request.path_params["kind"])
    return await forms.shown(request, Sheet(kind, own={"name": await _free_name(request, kind["name"])}))


async def _free_name(request: Request, wanted: str) -> str:
    told = await api_of(request).get("/v1/connections")
    taken = {one["connection"] for one in told["items"]}
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


async def sent(request: Request) -> Response:
    """Test it, look at what it would bring, or save it."""
    sheet = await forms.sheet_of(request, await forms.kind_of(request, request.path_params["kind"]))
    if sheet.do != "save":
        return await forms.tried(request, sheet)
    try:
        made = await api_of(request).post("/v1/connections", _wish(sheet))
    except Failed as error:
        return await forms.refused(request, sheet, error)
    return RedirectResponse(f"/connections/{made['id']}?added=1", 303)


def _wish(sheet: Sheet) -> dict[str, Any]:
    wish = {
        "connector": sheet.kind["name"], "name": sheet.own["name"], "options": sheet.options, "since": sheet.since,
        "anyway": sheet.anyway, "unchecked": sheet.unchecked,
    }  # fmt: skip
    return wish | ({"title": sheet.own["title"]} if sheet.own.get("title") else {})


routes = [
    Route("/connect", choose),
    Route("/connect/{kind}", shown),
    Route("/connect/{kind}", sent, methods=["POST"]),
]
