"""Which connectors there are: the built-in ones, and those that other packages install as entry points."""

from importlib.metadata import entry_points

from connectors import hubspot, jira, mailbox
from connectors.contract import Connector
from schemas.errors import Misconfigured

GROUP = "throughline.connectors"
"""The entry point group; each entry point names a module with an object `connector`, or the object itself."""


def catalogue() -> dict[str, Connector]:
    """Connector by name. Raises Misconfigured where an installed one takes a name that is taken."""
    found: dict[str, Connector] = {one.name: one for one in (hubspot.connector, jira.connector, mailbox.connector)}
    for entry in entry_points(group=GROUP):
        loaded = entry.load()
        one: Connector = getattr(loaded, "connector", loaded)
        if one.name in found:
            raise Misconfigured(f"Two connectors are called {one.name}", f"Uninstall the package of {entry.value}")
        found[one.name] = one
    return dict(sorted(found.items()))
