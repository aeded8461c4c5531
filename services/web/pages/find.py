"""The first page: one box that takes anything, and what it finds."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Api, Failed, api_of
from services.web.rendering import render

LONGEST = 200
"""Characters of words that are looked for; a reference may be longer."""


async def first(request: Request) -> Response:
    """The box, and what there is to know."""
    api = api_of(request)
    newest = await api.get("/v1/requests", limit=10)
    return await render(request, "first.html", requests=newest["items"], freshness=await freshness(api))


async def find(request: Request) -> Response:
    """What was found; one request is opened at once."""
    asked = request.query_params.get("q", "").strip()
    if not asked:
        return RedirectResponse("/", 303)
    api = api_of(request)
    found = await by_reference(api, asked)
    if found["outcome"] == "in a request" and len(found["requests"]) == 1:
        return RedirectResponse(f"/requests/{found['requests'][0]['id']}", 303)
    worded = [] if found["requests"] else await by_words(api, asked)
    return await render(
        request, "found.html", asked=asked, found=found, worded=worded, freshness=await freshness(api)
    )  # fmt: skip


async def by_reference(api: Api, asked: str) -> dict[str, Any]:
    """What a reference leads to, with the requests it names."""
    told = await api.get("/v1/lookup", reference=asked[:1000])
    item: dict[str, Any] = told["items"][0]
    return {**item, "requests": [told["requests"][one] for one in item["requests"] if one in told["requests"]]}


async def by_words(api: Api, asked: str) -> list[Any]:
    """Requests that hold all of these words."""
    try:
        told = await api.get("/v1/requests", text=asked[:LONGEST], limit=20)
    except Failed as error:
        if error.status == 422:  # nothing in it is a word
            return []
        raise
    return list(told["items"])


async def freshness(api: Api) -> list[Any]:
    """Up to when each connection is true."""
    told = await api.get("/v1/freshness")
    return list(told["items"])


routes = [Route("/", first), Route("/find", find)]
