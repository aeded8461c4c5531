"""The pages, one module each. A page asks the API, and shows what it answers."""

from starlette.routing import BaseRoute

from services.web.pages import find


def routes() -> list[BaseRoute]:
    """All pages."""
    return [*find.routes]


__all__ = ["routes"]
