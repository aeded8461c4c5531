"""Who may read what a connection brought: shown and said."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.web.api import Failed, api_of
from services.web.rendering import render


async def shown(request: Request) -> Response:
    """As it is."""
    name = request.path_params["id"]
    told = await api_of(request).ask("GET", f"/v1/connections/{name}/audience")
    return await _page(request, told.body, told.headers["etag"], None, saved="saved" in request.query_params)


async def said(request: Request) -> Response:
    """Let another one hold, unless somebody else changed it meanwhile."""
    name = request.path_params["id"]
    form = await request.form()
    wanted = {
        "kind": str(form.get("kind", "")),
        "people": _parts(str(form.get("people", ""))),
        "groups": [one.strip() for one in str(form.get("groups", "")).splitlines() if one.strip()],
    }
    try:
        await api_of(request).ask(
            "PUT", f"/v1/connections/{name}/audience", wanted, headers={"If-Match": str(form.get("version", "*"))}
        )
    except Failed as error:
        if error.status not in (412, 422):
            raise
        # What was typed stays; what holds now is what it is made on the next time.
        now = await api_of(request).ask("GET", f"/v1/connections/{name}/audience")
        return await _page(request, wanted, now.headers["etag"], error, held=now.body)
    return RedirectResponse(f"/connections/{name}/audience?saved=1", 303)


def _parts(text: str) -> list[str]:
    return [part for part in re.split(r"[\s,;]+", text) if part]


async def _page(
    request: Request, audience: Any, version: str, refused: Failed | None, *, held: Any = None, saved: bool = False
) -> Response:
    return await render(
        request, "audience.html", status=refused.status if refused else 200, name=request.path_params["id"],
        audience=audience, version=version, refused=refused, held=held, saved=saved,
    )  # fmt: skip


routes = [
    Route("/connections/{id}/audience", shown),
    Route("/connections/{id}/audience", said, methods=["POST"]),
]
