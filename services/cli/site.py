"""The API with the pages around it, wired to a running hub."""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from services import migrations
from services.admin import audit
from services.cli.early import Early
from services.cli.entering import access_of, behind_proxy
from services.cli.installation import now
from services.query.first import create_first
from services.query.serving import Handed

if TYPE_CHECKING:
    from fastapi import FastAPI

    from services.cli.processes import Hub
    from services.query.access import Access


def begun(hub: "Hub") -> ASGIApp:
    """The site as it begins: what is asked first is there, all else is loaded later, see Early."""
    access = access_of(hub.installation, hub.entrance)
    first = create_first(hub.lookups, now, **_parts(hub, access))
    hub.reads = first.state.reads
    site = Early(first, lambda: _whole(hub, access, first))
    hub.tasks.append(site.run())
    return behind_proxy(hub.installation, site)


def _parts(hub: "Hub", access: "Access") -> Handed:
    """What both applications are handed."""
    return {
        "access": access, "checks": hub.checks(), "metrics": hub.watch.metrics.registry, "closing": hub.closing,
        "schema_version": migrations.head(), "writer": hub.engine,
        "noting": lambda caller, where: audit.noting(caller, now, where),
    }  # fmt: skip


def _whole(hub: "Hub", access: "Access", first: "FastAPI") -> ASGIApp:
    """Everything; what the first application keeps, such as who read what, is kept once."""
    from services.admin.routers import ROUTERS
    from services.cli.equipping import equipment
    from services.query.app import create_app
    from services.web.site import create_site

    api = create_app(hub.lookups, now, **_parts(hub, access), changed=hub.wake_publisher, more=ROUTERS)
    api.state.serving, api.state.reads = first.state.serving, first.state.reads
    api.state.equipment = equipment(
        hub.installation, hub.engine, hub.lookups, roles=hub.roles, hooks_here=hub.hooks_here
    )
    api.state.entrance = hub.entrance
    return create_site(api, access, now)
