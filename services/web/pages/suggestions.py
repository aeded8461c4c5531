"""What may belong together although nothing says so: one after the other, with its reasons."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Failed, api_of
from services.web.rendering import render

_SAID: Mapping[str, str] = {
    "accepted": "They are one request now.",
    "rejected": "This pair is not suggested again.",
    "later": "It comes back in 14 days, or when something new speaks for it.",
}


async def listed(request: Request) -> Response:
    """The worthiest first."""
    return await _page(request, None)


async def answer(request: Request) -> Response:
    """Accept, reject, or not now; made on what was shown."""
    form = await request.form()
    api = api_of(request)
    versions = ", ".join(f'"{one}"' for one in str(form.get("versions", "")).split()) or "*"
    body = {name: str(form.get(name, "")) for name in ("answer", "by", "reason") if form.get(name)}
    try:
        told = await api.ask(
            "POST", f"/v1/suggestions/{request.path_params['id']}/answer", body, headers={"If-Match": versions}
        )
    except Failed as error:
        if error.status not in (404, 409, 412, 422):
            raise
        return await _page(request, error)
    decided = told.body["decided"]
    number = decided["decision"]["number"] if decided else ""
    return RedirectResponse(f"/suggestions?answered={told.body['answer']}&decision={number}", 303)


async def _page(request: Request, refused: Failed | None) -> Response:
    query = request.query_params
    waiting = query.get("waiting") == "true"
    asked = {"request": query.get("request"), "cursor": query.get("cursor"), "waiting": str(waiting).lower()}
    told = await api_of(request).get("/v1/suggestions", **asked, limit=10)
    answered = query.get("answered", "")
    decision = query.get("decision", "")
    return await render(
        request, "suggestions.html", status=refused.status if refused else 200, items=told["items"],
        next=told["next"], behind=told["behind"], measured=told["measured"], refused=refused, said=_SAID.get(answered),
        decision=decision if decision.isdecimal() else None, only=query.get("request"),
        waiting=waiting,
    )  # fmt: skip


routes = [
    Route("/suggestions", listed),
    Route("/suggestions/{id}", answer, methods=["POST"]),
]
