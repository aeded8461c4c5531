"""Every router of this room, as create_app takes them by `more`."""

from services.admin import audience, connectors, trying

ROUTERS = (connectors.router, trying.router, audience.router, audience.changing)
