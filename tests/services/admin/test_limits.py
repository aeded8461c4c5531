"""What no account may be or have: without a way in, another's twin, or sessions and tokens without end."""

from collections.abc import AsyncIterator

import pytest

from pipelines.store.engine import writing
from schemas.access import Role
from services.admin import sessions, tokens
from services.admin.accounts import By
from tests.services.admin.entrance import PASSWORD, Door, door

ANY = {"If-Match": "*"}


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Door]:
    async with door(database_url) as made:
        await made.account()
        yield made


async def test_the_last_admin_keeps_their_password(hub: Door) -> None:
    async with hub.browser() as http:
        mine = (await hub.signed_in(http)).json()["account"]
        bare = {"password": None, "old_password": PASSWORD}
        refused = await http.patch(f"/v1/accounts/{mine}", json=bare, headers=ANY)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:throughline:problem:last-admin")
        await hub.account("Cleo")
        assert (await http.patch(f"/v1/accounts/{mine}", json=bare, headers=ANY)).status_code == 200


LOOK_ALIKES = [
    "\u0410nna", "\u0391nna", "An\u200bna", "Anna\u202e", "\ufeffAnna", "An\u00adna", "Anna\ufe0f", "\uff21nna",
    " anna\u00a0",
]  # fmt: skip
"""With a Cyrillic or Greek letter, with what nobody sees, in another width."""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_two_accounts_look_the_same(hub: Door) -> None:
    async with hub.browser() as http:
        await hub.signed_in(http)
        ben = (await http.post("/v1/accounts", json={"name": "Ben", "role": "viewer"})).json()
        for name in LOOK_ALIKES:
            made = await http.post("/v1/accounts", json={"name": name, "role": "viewer"})
            assert (made.status_code, made.json()["type"]) == (409, "urn:throughline:problem:taken"), ascii(name)
            renamed = await http.patch(f"/v1/accounts/{ben['id']}", json={"name": name}, headers=ANY)
            assert renamed.status_code == 409, ascii(name)
        unseen = await http.post("/v1/accounts", json={"name": "\u200b\u200d", "role": "viewer"})
        assert (unseen.status_code, unseen.json()["errors"][0]["field"]) == (422, "body.name")
        # Whoever is called so in another alphabet, or differs in what can be seen, is somebody else.
        for name in ("\u0410\u043d\u043d\u0430", "Ann\u00e0", "Hanna", "Anne"):
            assert (await http.post("/v1/accounts", json={"name": name, "role": "viewer"})).status_code == 201
        for name in ("BEN", "be\u200bn"):
            same = await http.patch(f"/v1/accounts/{ben['id']}", json={"name": name}, headers=ANY)
            assert same.status_code == 200, "one's own name in another spelling"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_address_is_ascii(hub: Door) -> None:
    """In lower case the Kelvin sign is a k, and the address somebody else's."""
    async with hub.browser() as http:
        await hub.signed_in(http)
        for address in ("mi\u212ae@acme.example", "mike@ac\u212a.example"):
            body = {"name": "Mike", "role": "viewer", "email": address}
            made = await http.post("/v1/accounts", json=body)
            assert (made.status_code, made.json()["errors"][0]["field"]) == (422, "body.email")


async def test_an_account_has_so_many_sessions_and_tokens_at_most(hub: Door) -> None:
    anna = await hub.account("Ada", Role.VIEWER)
    async with hub.browser() as http:
        first = (await hub.signed_in(http, "Ada")).json()["session"]["id"]
        hub.clock.on(minutes=1)
        async with writing(hub.engine) as connection:
            for _ in range(sessions.MOST):
                await sessions.begin(connection, anna, sessions.Lasting(), hub.clock(), None, None)
            lasting = [one.id for one in await sessions.every(connection, hub.clock(), anna.id)]
        assert len(lasting) == sessions.MOST
        assert first not in lasting
        assert (await http.get("/v1/me")).status_code == 401, "the one that was used longest ago has ended"
        await hub.signed_in(http, "Ada")
        async with writing(hub.engine) as connection:
            for number in range(tokens.MOST):
                by = By(None, hub.clock())
                await tokens.add(connection, by, f"x {number}", Role.VIEWER, anna.id, None)
        more = await http.post("/v1/tokens", json={"title": "x", "role": "viewer"})
        assert (more.status_code, more.json()["type"]) == (409, "urn:throughline:problem:too-many-tokens")
