"""What this hub is, what it reads and keeps, and where to read on."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.web.api import api_of
from services.web.rendering import render


async def shown(request: Request) -> Response:
    """About this hub."""
    api = api_of(request)
    told = await api.get("/v1/about")
    watched = await api.get("/v1/watching")
    return await render(request, "about.html", about=told, connections=watched["items"])


routes = [Route("/about", shown)]
