"""The pages, one module each. A page asks the API, and shows what it answers."""

from starlette.routing import BaseRoute

from services.web.pages import accounts, adding, audience, deciding, entering, find, request, suggestions, why


def routes() -> list[BaseRoute]:
    """All pages."""
    modules = (find, accounts, adding, audience, deciding, request, entering, suggestions, why)
    return [route for module in modules for route in module.routes]


__all__ = ["routes"]
