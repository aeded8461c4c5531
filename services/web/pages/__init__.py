"""The pages, one module each. A page asks the API, and shows what it answers."""

from starlette.routing import BaseRoute

from services.web.pages import (
    about,
    accounts,
    adding,
    audience,
    connection,
    connections,
    deciding,
    entering,
    find,
    letters,
    mapping,
    request,
    rules,
    suggestions,
    why,
)


def routes() -> list[BaseRoute]:
    """All pages."""
    modules = (
        about, find, accounts, adding, audience, connection, connections, deciding, letters, mapping, rules,
        request, entering, suggestions, why,
    )  # fmt: skip
    return [route for module in modules for route in module.routes]


__all__ = ["routes"]
