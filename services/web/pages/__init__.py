"""The pages, one module each. A page asks the API, and shows what it answers."""

from starlette.routing import BaseRoute

from services.web.pages import audience, deciding, find, suggestions, why


def routes() -> list[BaseRoute]:
    """All pages."""
    modules = (find, audience, deciding, suggestions, why)
    return [route for module in modules for route in module.routes]


__all__ = ["routes"]
