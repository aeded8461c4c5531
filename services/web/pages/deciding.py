"""Correcting what belongs together: what is wanted, what it would change, and done, with a way back."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Api, Failed, api_of
from services.web.called import Called, called
from services.web.pages.entering import local
from services.web.rendering import render

_ONE = ("a", "b", "request", "decision")
_MANY = ("artifacts", "requests", "identities")

TITLES: Mapping[str, str] = {
    "link": "Link two things",
    "unlink": "Part two things",
    "merge": "Make two requests one",
    "split": "Take things out into a request of their own",
    "no request": "This is no request",
    "same person": "Two accounts are one person",
    "other person": "Two accounts are two people",
    "undo": "Take a decision back",
}
"""By kind of decision."""


async def correct(request: Request) -> Response:
    """Everything that can be said about one request."""
    told = await api_of(request).get(f"/v1/requests/{request.path_params['id']}")
    return await render(request, "correct.html", record=told["request"], titles=TITLES)


async def decide(request: Request) -> Response:
    """First what it would change; then, on what was shown, done."""
    form = await request.form()
    api = api_of(request)
    wish = wish_of(form)
    if form.get("step") == "decide":
        try:
            return await _decided(api, form, wish)
        except Failed as error:
            # Somebody was faster, or it contradicts: what it would change now is shown with the reason.
            if error.status not in (409, 412, 422):
                raise
            return await _shown(request, api, form, wish, error)
    return await _shown(request, api, form, wish, None)


def wish_of(form: FormData) -> dict[str, Any]:
    """What the API is asked to decide: only what the kind needs, and only what was given."""
    wish: dict[str, Any] = {"kind": str(form.get("kind", ""))}
    for name in (*_ONE, "reason", "by"):
        if given := str(form.get(name, "")).strip():
            wish[name] = int(given) if name == "decision" and given.isdecimal() else given
    for name in _MANY:
        if given_many := [text for one in form.getlist(name) if (text := str(one).strip())]:
            wish[name] = given_many
    if wish["kind"] == "no request" and "artifacts" in wish:
        wish.pop("request", None)
    return wish


async def _decided(api: Api, form: FormData, wish: Mapping[str, Any]) -> Response:
    versions = ", ".join(f'"{one}"' for one in str(form.get("versions", "")).split()) or "*"
    headers = {"If-Match": versions, "Idempotency-Key": f'"{form.get("key") or secrets.token_urlsafe(12)}"'}
    done = await api.ask("POST", "/v1/decisions", wish, headers=headers)
    return RedirectResponse(f"/decisions/{done.body['decision']['number']}?done=1", 303)


async def _shown(
    request: Request, api: Api, form: FormData, wish: Mapping[str, Any], refused: Failed | None
) -> Response:
    """What it would change, or why it cannot be."""
    back = _back(form)
    shown: Mapping[str, Any] = {
        "wish": wish, "title": TITLES.get(str(wish["kind"]), "Decide"), "back": back, "refused": refused,
        "key": secrets.token_urlsafe(12), "effect": None, "names": Called(), "versions": "",
    }  # fmt: skip
    try:
        effect = await api.post("/v1/decisions", wish, preview=True)
    except Failed as error:
        if error.status not in (409, 422):
            raise
        return await render(request, "decide.html", status=error.status, **{**shown, "refused": error})
    names = await called(api, _named(effect))
    more = {"effect": effect, "names": names, "versions": " ".join(effect["made_on"].values())}
    status = refused.status if refused else 200
    return await render(request, "decide.html", status=status, **{**shown, **more})


def _named(effect: Mapping[str, Any]) -> list[str]:
    """Ids of everything that the effect names."""
    decision = effect["decision"]
    found = [*decision["left"], *decision["right"], *effect["begun"], *effect["ended"], *effect["requests"]]
    for move in effect["moved"]:
        found += [move["from"], move["to"], *move["artifacts"]]
    return [one for one in found if one]


def _back(form: FormData) -> str:
    """Where a page of ours leads back to; nowhere else."""
    return local(str(form.get("back", "")))


async def listed(request: Request) -> Response:
    """What people decided, the newest first."""
    query = {name: request.query_params.get(name) for name in ("request", "artifact", "kind", "by", "holds", "cursor")}
    told = await api_of(request).get("/v1/decisions", **query)
    return await render(
        request, "decisions.html", items=told["items"], next=told["next"], query=query, titles=TITLES
    )  # fmt: skip


async def one(request: Request) -> Response:
    """One decision, what it changed, and the way back."""
    api = api_of(request)
    told = await api.get(f"/v1/decisions/{request.path_params['number']}")
    names = await called(api, _named(told))
    return await render(
        request, "decision.html", told=told, names=names, title=TITLES[told["decision"]["kind"]],
        done="done" in request.query_params, leads=_leads(told),
    )  # fmt: skip


def _leads(told: Mapping[str, Any]) -> Sequence[str]:
    """Requests to look at afterwards."""
    return list(dict.fromkeys([*(move["to"] for move in told["moved"] if move["to"]), *told["requests"]]))[:3]


routes = [
    Route("/requests/{id}/correct", correct),
    Route("/decide", decide, methods=["POST"]),
    Route("/decisions", listed),
    Route("/decisions/{number:int}", one),
]
