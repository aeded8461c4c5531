"""A stored secret is never sent to another address, or for another user, without being typed again.

Which options say that is derived from the connectors' own options: a new one fails here until somebody says what it is.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.catalogue import catalogue
from services.admin.given import FOR_WHOM, KIND, SENT, at, put, secret_names
from services.feed.objections import groups, tag_of
from tests.services.admin.conftest import SQLITE, Office, office

__all__ = ["office"]

STAYS = {
    "hubspot": {
        "api_version", "app_url", "token_kind", "portal", "objects", "opening_pipelines", "properties", "due_property",
        "unit_property", "read_notes", "read_emails", "keep", "share", "overlap_minutes", "page_size",
    },
    "jira": {
        "edition", "auth.expires", "projects", "extra_jql", "opener_types", "share", "overlap_minutes", "page_size",
        "read_restricted", "keep", "remote_links", "gone_limit", "ca_file",
    },
    "mailbox": {
        "ca_file", "auth.expires", "folders", "leave_out_folders", "leave_out_senders", "leave_out_subjects", "own",
        "keep", "read_restricted", "since",
    },
}  # fmt: skip
"""Options that change neither where a secret is sent nor for whom. `app_url` is where people's links lead; `ca_file`
names a file that only whoever runs the hub puts there."""

JIRA = {"base_url": "https://jira.acme.example", "cloud_id": "1-2"}
HOST = {"host": "imap.acme.example"}
OAUTH = {
    "kind": "oauth_client",
    "user": "it@acme.example",
    "provider": "microsoft",
    "client_id": "app-1",
    "tenant": "acme.example",
}

FORMS: list[tuple[str, dict[str, Any]]] = [
    ("jira", JIRA | {"auth": {"kind": "api_token", "email": "hub@acme.example", "token": "CANARY"}}),
    ("jira", JIRA | {"auth": {"kind": "scoped_token", "email": "hub@acme.example", "token": "CANARY"}}),
    ("jira", JIRA | {"edition": "datacenter", "auth": {"kind": "personal_access_token", "token": "CANARY"}}),
    ("hubspot", {"token": "CANARY"}),
    ("mailbox", HOST | {"auth": {"kind": "password", "user": "it@acme.example", "password": "CANARY"}}),
    ("mailbox", HOST | {"auth": {"kind": "xoauth2", "user": "it@acme.example", "token": "CANARY"}}),
    ("mailbox", HOST | {"auth": OAUTH | {"client_secret": "CANARY", "refresh_token": "CANARY"}}),
]  # fmt: skip
"""One of each way to sign in."""

OTHER: dict[str, list[Any]] = {
    "base_url": ["https://other.acme.example", "https://jira.acme.example:8443", "https://jira.acme.example./",
                 "https://jira.acme.example/below"],
    "host": ["imap.acme.example.", "other.acme.example", "127.0.0.1"],
    "port": [9930],
    "security": ["starttls"],
    "cloud_id": ["3-4"],
    "auth.gateway": ["https://gateway.evil.example"],
    "auth.provider": ["google"],
    "auth.tenant": ["evil.example"],
    "auth.token_url": ["https://evil.example/token", "https://login.microsoftonline.com.evil.example/token"],
    "auth.user": ["ceo@acme.example"],
    "auth.email": ["ceo@acme.example"],
    "auth.client_id": ["app-2"],
}  # fmt: skip
"""What each could be changed to."""


def names_of(model: type[BaseModel], kind: str | None = None, prefix: str = "") -> Iterator[str]:
    """Dotted names of all options; kind: with this way to sign in only."""
    for name in model.model_fields:
        inner = groups(model, name)
        for one in inner:
            if kind is None or len(inner) == 1 or tag_of(one) == kind:
                yield from names_of(one, kind, f"{prefix}{name}.")
        if not inner:
            yield prefix + name


@pytest.mark.parametrize("connector", sorted(catalogue()))
def test_somebody_said_of_every_option_whether_a_secret_follows_it(connector: str) -> None:
    model = catalogue()[connector].Options
    options = set(names_of(model)) - set(secret_names(model)) - {KIND}
    assert options - set(SENT) - STAYS[connector] == set(), "say whether it tells where a secret is sent"
    assert STAYS[connector] - options == set(), "is no option any more"
    assert STAYS[connector] & set(SENT) == set()


def test_every_way_to_sign_in_is_tried() -> None:
    models = {name: kind.Options for name, kind in catalogue().items() if "auth" in kind.Options.model_fields}
    told = {(name, tag_of(one)) for name, model in models.items() for one in groups(model, "auth")}
    assert told == {(name, options["auth"]["kind"]) for name, options in FORMS if "auth" in options}
    assert set(OTHER) == set(SENT)


@SQLITE
@pytest.mark.parametrize(("connector", "options"), FORMS, ids=lambda one: one if isinstance(one, str) else "")
async def test_what_says_where_to_or_for_whom_asks_for_the_secret_again(
    office: Office, connector: str, options: dict[str, Any]
) -> None:
    body = {"connector": connector, "name": "tool", "options": options, "unchecked": True}
    await office.ask("POST", "/v1/connections", body, 201)
    model = catalogue()[connector].Options
    kept = await office.ask("PUT", "/v1/connections/tool", {"options": without(model, options)}, If_Match="*")
    mine = set(names_of(model, options.get("auth", {}).get("kind")))
    tried = [(name, other) for name in SENT if name in mine for other in OTHER[name]]
    assert tried
    for name, other in tried:
        moved = without(model, options)
        put(moved, name, other)
        if name == "auth.provider":
            put(moved, "auth.tenant", None)
        await refused(office, connector, moved, name)
    after = await office.ask("GET", "/v1/connections/tool")
    assert (after["options"], after["etag"]) == (kept["options"], kept["etag"]), "nothing was changed"


async def refused(office: Office, connector: str, moved: dict[str, Any], name: str) -> None:
    what = "user" if name in FOR_WHOM else "address"
    told = await office.ask("PUT", "/v1/connections/tool", {"options": moved, "unchecked": True}, 422, If_Match="*")
    assert {one["problem"] for one in told["errors"]} == {f"is needed for the new {what}"}, (name, told)
    tried = {"connector": connector, "connection": "tool", "options": moved}
    for path in ("test", "preview", "estimate"):
        again = await office.ask("POST", f"/v1/connections/{path}", tried, 422)
        assert again["errors"] == told["errors"], "before anything is asked of the tool"


def without(model: type[BaseModel], options: dict[str, Any]) -> dict[str, Any]:
    """As a form sends them back: secrets are left empty."""
    bare: dict[str, Any] = {name: dict(one) if isinstance(one, dict) else one for name, one in options.items()}
    for name in secret_names(model):
        if at(bare, name) is not None:
            put(bare, name, None)
    return bare
