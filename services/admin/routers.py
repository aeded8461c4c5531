"""Every router of this room, as create_app takes them by `more`."""

from services.admin import (
    about,
    account_routes,
    audience,
    audit_routes,
    connections,
    connectors,
    credential_routes,
    hooks,
    letters,
    mapping,
    progress,
    removing,
    rules,
    sign_in_routes,
    trying,
    watching,
)

ROUTERS = (
    about.router, connectors.router, trying.router, connections.router, connections.adding, connections.changing,
    removing.router, removing.changing, hooks.router, hooks.trying,
    watching.everybody, watching.router, watching.changing, audience.router, audience.changing,
    letters.router, letters.changing,
    rules.router, rules.changing, progress.router, mapping.router, mapping.changing,
    sign_in_routes.router, sign_in_routes.changing, sign_in_routes.myself, account_routes.router,
    account_routes.adding, account_routes.own, account_routes.changing, credential_routes.router,
    credential_routes.changing, audit_routes.router,
)  # fmt: skip
