"""Why two things belong together, or why they do not."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web.api import Failed, api_of
from services.web.called import Called, called
from services.web.rendering import render


async def why(request: Request) -> Response:
    """The chain between them; of two that are apart the nearest there is."""
    start, to = (request.query_params.get(name, "").strip() for name in ("from", "with"))
    shown: dict[str, Any] = {"start": start, "to": to, "told": None, "names": Called(), "refused": None}
    if not (start and to):
        return await render(request, "why.html", **shown)
    api = api_of(request)
    try:
        told = await api.get("/v1/why", **{"from": start, "with": to})
    except Failed as error:
        if error.status not in (404, 422):
            raise
        return await render(request, "why.html", status=error.status, **{**shown, "refused": error})
    links = [*told["chain"], *told["nearest"], *told["against"]]
    ends = [end for link in links for end in (link["left"], link["right"]) if end]
    names = await called(api, [told["left"], told["right"], *ends])
    return await render(request, "why.html", **{**shown, "told": told, "names": names})


routes = [Route("/why", why)]
