"""The pages, one module each. A page asks the API, and shows what it answers."""

from starlette.routing import BaseRoute

from services.web.pages import (
    accounts,
    adding,
    audience,
    connection,
    connections,
    deciding,
    entering,
    find,
    letters,
    request,
    suggestions,
    why,
)


def routes() -> list[BaseRoute]:
    """All pages."""
    modules = (
        find, accounts, adding, audience, connection, connections, deciding, letters, request, entering,
        suggestions, why,
    )  # fmt: skip
    return [route for module in modules for route in module.routes]


__all__ = ["routes"]
