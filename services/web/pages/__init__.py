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
    export,
    find,
    letters,
    mapping,
    request,
    requests,
    rules,
    suggestions,
    why,
)


def routes() -> list[BaseRoute]:
    """All pages."""
    modules = (
        about, find, accounts, adding, audience, connection, connections, deciding, letters, mapping, rules, requests,
        request, export, entering, suggestions, why,
    )  # fmt: skip
    return [route for module in modules for route in module.routes]


__all__ = ["routes"]
