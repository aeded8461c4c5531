"""The API with the pages around it, wired to a running hub."""

from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from services import migrations
from services.admin import audit
from services.cli.early import Early
from services.cli.entering import access_of, behind_proxy
from services.cli.installation import now
from services.query.app import create_app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter, FastAPI

    from services.cli.processes import Hub
    from services.query.access import Access


def begun(hub: "Hub") -> ASGIApp:
    """The site as it begins: with look-ups; set-up and pages are loaded later, see Early."""
    access = access_of(hub.installation, hub.entrance)
    lookups = _api(hub, access, (), whole=False)
    hub.reads = lookups.state.reads
    site = Early(lookups, lambda: _whole(hub, access, lookups))
    hub.tasks.append(site.run())
    return behind_proxy(hub.installation, site)


def _api(hub: "Hub", access: "Access", more: "Sequence[APIRouter]", *, whole: bool) -> "FastAPI":
    return create_app(
        hub.lookups, now, access=access, checks=hub.checks(), metrics=hub.watch.metrics.registry,
        schema_version=migrations.head(), closing=hub.closing, writer=hub.engine, changed=hub.wake_publisher,
        more=more, whole=whole, noting=lambda caller, where: audit.noting(caller, now, where),
    )  # fmt: skip


def _whole(hub: "Hub", access: "Access", lookups: "FastAPI") -> ASGIApp:
    """Everything; what look-ups hold, such as who read what, is held once."""
    from services.admin.routers import ROUTERS
    from services.cli.equipping import equipment
    from services.web.site import create_site

    api = _api(hub, access, ROUTERS, whole=True)
    api.state = lookups.state
    api.state.equipment = equipment(
        hub.installation, hub.engine, hub.lookups, roles=hub.roles, hooks_here=hub.hooks_here
    )
    api.state.entrance = hub.entrance
    return create_site(api, access, now)
