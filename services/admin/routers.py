"""Every router of this room, as create_app takes them by `more`."""

from services.admin import connectors

ROUTERS = (connectors.router,)
