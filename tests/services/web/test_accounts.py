"""Pages of accounts: a link that was used says so at once, and passwords are taken away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import SecretStr

from schemas.access import Role
from services.admin.oidc import Provider, ProviderSettings
from services.admin.signing_in import Manner
from services.security import KeyRing, new_key
from services.web.site import LARGEST, create_site
from tests.services.admin.entrance import BASE, HERE, PASSWORD, Clock, Door, door

ISSUER = "https://login.acme.example"


@pytest.fixture
async def hub(sqlite_url: str) -> AsyncIterator[Door]:
    async with door(sqlite_url) as made:
        yield made


@asynccontextmanager
async def pages(hub: Door) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser on the site."""
    transport = httpx2.ASGITransport(create_site(hub.app, hub.access, hub.clock), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=HERE) as http:
        yield http


async def signed_in(http: httpx2.AsyncClient, name: str = "Anna") -> None:
    assert (await http.post("/sign-in", data={"name": name, "password": PASSWORD})).status_code == 303


async def test_a_set_up_link_that_was_used_says_so_before_anything_is_typed(hub: Door) -> None:
    key = await hub.link()
    async with pages(hub) as http:
        fresh = await http.get(f"/set-up?key={key}")
        assert fresh.status_code == 200
        assert 'name="password"' in fresh.text
        made = await http.post("/set-up", data={"key": str(key), "name": "Anna", "password": PASSWORD})
        assert made.status_code == 303
    async with pages(hub) as http:
        used = await http.get(f"/set-up?key={key}")
    assert used.status_code == 410
    assert "This link was used" in used.text
    assert 'name="password"' not in used.text
    assert str(key) not in used.text


async def test_a_password_is_taken_away_and_that_is_noted(hub: Door) -> None:
    await hub.account()
    ben = await hub.account("Ben", Role.VIEWER, email="ben@acme.example")
    async with pages(hub) as http, pages(hub) as bens:
        await signed_in(http)
        await signed_in(bens, "Ben")
        page = (await http.get(f"/accounts/{ben.id}")).text
        assert "no identity provider is set here" in page
        done = await http.post(f"/accounts/{ben.id}/password", data={"version": ben.etag})
        assert (done.status_code, done.headers["location"]) == (303, f"/accounts/{ben.id}?saved=1")
        assert (await bens.get("/v1/me")).status_code == 401, "their sessions end"
        assert (await bens.post("/sign-in", data={"name": "Ben", "password": PASSWORD})).status_code == 401
        assert "Take the password away" not in (await http.get(f"/accounts/{ben.id}")).text
        stale = await http.post(f"/accounts/{ben.id}/password", data={"version": ben.etag})
        assert stale.status_code == 412
    (noted,) = await hub.entries("account.changed")
    assert (noted["who"], noted["on"]) == ("Anna", f"account {ben.id}")
    assert (noted["before"], noted["after"]) == ({"password": "(secret)"}, {"password": None})


async def test_the_last_admin_who_would_not_come_in_any_more_keeps_it(sqlite_url: str) -> None:
    """One whom an identity provider names comes in without it, as long as that one is set."""
    told = ProviderSettings(ISSUER, "hub", SecretStr("x"), "Acme sign-on")
    provider = Provider(told, BASE, KeyRing([new_key()]), Clock())
    async with door(sqlite_url, Manner(site_url=BASE), provider) as hub:
        last = await hub.account(issuer="https://former.example", subject="anna")
        async with pages(hub) as http:
            await signed_in(http)
            given = {"version": last.etag, "old_password": PASSWORD}
            assert "Your password" in (await http.get(f"/accounts/{last.id}")).text
            for wrong in ({"version": last.etag}, given | {"old_password": "another"}):
                assert (await http.post(f"/accounts/{last.id}/password", data=wrong)).status_code == 422
            refused = await http.post(f"/accounts/{last.id}/password", data=given)
            assert refused.status_code == 409
            assert "This is the last admin." in refused.text
            cleo = await hub.account("Cleo", issuer=ISSUER, subject="cleo")
            assert "Cleo signs in with Acme sign-on only" in " ".join(
                (await http.get(f"/accounts/{cleo.id}")).text.split()
            )
            taken = await http.post(f"/accounts/{cleo.id}/password", data={"version": cleo.etag})
            assert taken.status_code == 303
            assert (await http.post(f"/accounts/{last.id}/password", data=given)).status_code == 303, "Cleo comes in"


async def test_a_form_without_end_is_not_taken_in(hub: Door) -> None:
    sent, field = 0, b"a=" + b"x" * 99_997 + b"&"

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 10 * LARGEST:
            sent += len(field)
            yield field

    async with pages(hub) as http:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await http.post("/sign-in", content=endless(), headers=form)
    assert answer.status_code == 413
    assert "Send less at a time" in answer.text
    assert sent <= LARGEST + len(field)


async def test_only_admins_take_passwords_away(hub: Door) -> None:
    anna = await hub.account()
    await hub.account("Vera", Role.EDITOR)
    async with pages(hub) as http:
        await signed_in(http, "Vera")
        assert (await http.post(f"/accounts/{anna.id}/password", data={"version": "*"})).status_code == 403
    assert await hub.entries("account.changed") == []
