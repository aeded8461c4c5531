"""All connections: what each does, up to when it is true, and what to mend, that which asks for somebody first."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.access import Caller, Role
from services.web.api import api_of
from services.web.pulse import pulse
from services.web.rendering import Pages, render

_ORDER = ("needs attention", "waiting", "reading", "paused", "stopped")


async def every(request: Request) -> Response:
    """The list; without any it leads to adding one."""
    api = api_of(request)
    told = await api.get("/v1/watching")
    items = sorted(told["items"], key=_place)
    caller: Caller = request.scope["state"]["caller"]
    removals = await api.get("/v1/removals") if caller.role.covers(Role.ADMIN) else {"items": []}
    pages: Pages = request.app.state.pages
    return await render(
        request, "connections.html", items=items, removals=removals["items"], gone=request.query_params.get("removed"),
        left="left" in request.query_params,
        pulses={one["id"]: pulse(one["hours"], pages.now()) for one in items}, progress=await api.get("/v1/progress"),
    )  # fmt: skip


def _place(one: Mapping[str, Any]) -> tuple[int, bool, str]:
    return _ORDER.index(one["state"]), not one["warnings"], str(one["title"]).lower()


routes = [Route("/connections", every)]
