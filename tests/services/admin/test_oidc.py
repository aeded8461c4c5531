"""Sign-in by an identity provider that really runs: who comes in, as what; and callbacks that cannot be believed."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from schemas.access import Role
from services.admin.identities import Welcome, address
from services.admin.oidc import Provider, ProviderSettings
from services.admin.returning import local
from services.admin.signing_in import Manner
from services.security import KeyRing, new_key
from tests.parts.presence import free_port, listening, wait_until
from tests.services.admin.entrance import BASE, PASSWORD, Clock, Door, door

WELCOME = Welcome(frozenset({"Staff"}), frozenset({"acme.example"}), {"Hub admins": Role.ADMIN, "IT": Role.EDITOR})
START, BACK = "/v1/sign-in/oidc", "/v1/sign-in/oidc/callback"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that runs beside us; `user` says who is known there."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: listening(port), 60, lambda: process.poll() is None, lambda: "the provider did not start")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


@pytest.fixture
async def hub(database_url: str, issuer: str) -> AsyncIterator[Door]:
    async with open_door(database_url, issuer, WELCOME) as made:
        yield made


def provider(issuer: str, client: str = "hub", keys: KeyRing | None = None, clock: Any = None) -> Provider:
    told = ProviderSettings(issuer, client, SecretStr("client-CANARY"), "Acme sign-on")
    return Provider(told, BASE, keys or KeyRing([new_key()]), clock or Clock())


def open_door(url: str, issuer: str, welcome: Welcome, **more: Any) -> Any:
    return door(url, Manner(site_url=BASE, welcome=welcome), provider(issuer, **more))


def user(issuer: str, sub: str, **claims: Any) -> None:
    httpx2.put(f"{issuer}/users/{sub}", json=claims, timeout=30).raise_for_status()


async def agreed(address: str, sub: str) -> str:
    """The path that the provider sends a browser back to, after somebody signed in there."""
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(address, data={"sub": sub})
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BASE + BACK
    return f"{back.path}?{back.query}"


async def begun(http: httpx2.AsyncClient, there: str = "/") -> str:
    """Where the provider is to be asked."""
    answer = await http.get(START, params={"next": there})
    assert answer.status_code == 303, answer.text
    assert re.search(r"; Max-Age=600; Path=/v1/sign-in; HttpOnly; SameSite=Lax$", answer.headers["Set-Cookie"])
    return answer.headers["location"]


async def come(http: httpx2.AsyncClient, sub: str, there: str = "/") -> httpx2.Response:
    return await http.get(await agreed(await begun(http, there), sub))


async def test_somebody_of_a_chosen_domain_becomes_a_viewer(hub: Door, issuer: str) -> None:
    user(issuer, "ben", name="Ben Meyer", email="Ben@Acme.example", email_verified=True)
    async with hub.browser() as http:
        ways = (await http.get("/v1/sign-in")).json()
        assert (ways["elsewhere"], ways["start"]) == ("Acme sign-on", START)
        address = await begun(http, "/requests?stage=build")
        asked = parse_qs(urlsplit(address).query)
        assert (asked["code_challenge_method"], asked["redirect_uri"]) == (["S256"], [BASE + BACK])
        assert "CANARY" not in address
        answer = await http.get(await agreed(address, "ben"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/requests?stage=build")
        me = (await http.get("/v1/me")).json()
        assert (me["name"], me["role"], me["email"], me["how"]) == (
            "Ben Meyer",
            "viewer",
            "ben@acme.example",
            "session",
        )
        again = await come(http, "ben")
        assert again.status_code == 303
        assert (await http.get("/v1/me")).json()["account"] == me["account"]
    assert [one["action"] for one in await hub.entries("account")] == ["account.added"]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"groups": ["Staff"]}, 303),
        ({"groups": "Staff"}, 303),
        ({"groups": ["staff"]}, 403),
        ({"groups": 7}, 403),
        ({}, 403),
        ({"email": "eve@acme.example", "email_verified": False}, 403),
        ({"email": "eve@acme.example"}, 403),
        ({"email": "eve@acme.example.evil.example", "email_verified": True}, 403),
        ({"email": "eve@sub.acme.example", "email_verified": True}, 403),
    ],
)
async def test_who_comes_in_unknown(sqlite_url: str, issuer: str, claims: dict[str, Any], status: int) -> None:
    user(issuer, "eve", name="Eve", **claims)
    async with open_door(sqlite_url, issuer, WELCOME) as hub, hub.browser() as http:
        answer = await come(http, "eve")
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["type"] == "urn:throughline:problem:no-account"
            assert (await http.get("/v1/me")).status_code == 401
            assert (await come(http, "eve")).status_code == 403
            (entry,) = await hub.entries()  # once a minute, at most
            assert (entry["action"], entry["who"], entry["where"]) == ("sign-in.refused", "nobody", "192.0.2.7")
            assert entry["after"] == {"issuer": issuer, "subject": "eve", "why": "no-account"}


async def test_by_default_nobody_unknown_comes_in(sqlite_url: str, issuer: str) -> None:
    user(issuer, "ben", name="Ben", email="ben@acme.example", email_verified=True, groups=["Hub admins", "Staff"])
    async with open_door(sqlite_url, issuer, Welcome()) as hub, hub.browser() as http:
        assert (await come(http, "ben")).status_code == 403
        page = await http.get(await agreed(await begun(http), "ben"), headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in?problem=no-account")


async def test_groups_give_roles_and_take_them(hub: Door, issuer: str) -> None:
    await hub.account()
    async with hub.browser() as http:
        for groups, role in (["IT"], "editor"), (["IT", "Hub admins"], "admin"), (["Staff"], "viewer"), ([], "viewer"):
            user(issuer, "ben", name="Ben", groups=groups)
            assert (await come(http, "ben")).status_code == 303
            me = (await http.get("/v1/me")).json()
            assert (me["role"], me["groups"]) == (role, sorted(groups))


async def test_an_account_that_waits_is_theirs_who_verified_its_address(hub: Door, issuer: str) -> None:
    ben = await hub.account("Ben", Role.EDITOR, password=None, email="ben@other.example")
    await hub.account("Cleo", Role.ADMIN, email="cleo@other.example")
    user(issuer, "b1", name="B. Meyer", email="ben@other.example", email_verified=False)
    user(issuer, "b2", name="B. Meyer", email="ben@other.example", email_verified=True, groups=["IT"])
    user(issuer, "b3", name="B. Meyer", email="ben@other.example", email_verified=True)
    user(issuer, "c", name="Cleo", email="cleo@other.example", email_verified=True)
    async with hub.browser() as http:
        assert (await come(http, "b1")).status_code == 403
        assert (await come(http, "b2")).status_code == 303
        assert (await http.get("/v1/me")).json()["account"] == ben.id
        assert (await come(http, "b3")).status_code == 403, "it is another's now"
        taken = await come(http, "c")
        assert (taken.status_code, taken.json()["type"]) == (403, "urn:throughline:problem:has-password")


async def test_nobody_comes_in_under_anothers_name_or_address(hub: Door, issuer: str) -> None:
    await hub.account("Anna", email="anna@acme.example")
    user(issuer, "eve", name="ANNA", groups=["Staff"])
    async with hub.browser() as http:
        await come(http, "eve")
        me = (await http.get("/v1/me")).json()
    assert (me["name"], me["role"], me["email"]) == ("ANNA (2)", "viewer", None)
    user(issuer, "mallory", name="\u0410nna", groups=["Staff"])  # a Cyrillic letter
    user(issuer, "nobody", name="\u200b", groups=["Staff"])
    async with hub.browser() as http:
        for sub, name in (("mallory", "\u0410nna (3)"), ("nobody", "somebody")):
            await come(http, sub)
            assert (await http.get("/v1/me")).json()["name"] == name


async def test_who_is_disabled_stays_out(hub: Door, issuer: str) -> None:
    await hub.account()
    user(issuer, "ben", name="Ben", groups=["Staff"])
    async with hub.browser() as http, hub.browser() as annas:
        await come(http, "ben")
        mine = (await http.get("/v1/me")).json()["account"]
        await hub.signed_in(annas)
        await annas.patch(f"/v1/accounts/{mine}", json={"disabled": True}, headers={"If-Match": "*"})
        assert (await http.get("/v1/me")).status_code == 401
        assert (await come(http, "ben")).status_code == 403


async def refused(http: httpx2.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:throughline:problem:sign-in-elsewhere"), (
        answer.text
    )
    assert (await http.get("/v1/me")).status_code == 401


async def test_a_callback_that_nobody_waits_for(hub: Door, issuer: str) -> None:
    user(issuer, "ben", name="Ben", groups=["Staff"])
    async with hub.browser() as http, hub.browser() as victim:
        path = await agreed(await begun(http), "ben")
        await refused(victim, path)  # somebody else's sign-in, forced upon them
        await begun(victim)
        await refused(victim, path)
        await refused(http, re.sub(r"state=[^&]+", "state=x", path))
    async with hub.browser() as http:
        await refused(http, f"{BACK}?error=access_denied&error_description=CANARY")
        await refused(http, BACK)
        await begun(http)
        await refused(http, f"{BACK}?code=x&state=y")


async def test_a_callback_counts_once(hub: Door, issuer: str) -> None:
    user(issuer, "ben", name="Ben", groups=["Staff"])
    async with hub.browser() as http:
        path = await agreed(await begun(http), "ben")
        kept = {"Cookie": f"throughline-sign-in={http.cookies['throughline-sign-in']}"}
        assert (await http.get(path)).status_code == 303
        http.cookies.clear()
        await refused(http, path)
        assert (await http.get(path, headers=kept)).status_code == 401, "replayed with its cookie: the code is used up"


async def test_a_sign_in_that_takes_too_long_begins_again(sqlite_url: str, issuer: str) -> None:
    clock = Clock()
    user(issuer, "ben", name="Ben", groups=["Staff"])
    async with open_door(sqlite_url, issuer, WELCOME, clock=clock) as hub, hub.browser() as http:
        path = await agreed(await begun(http), "ben")
        clock.now += timedelta(minutes=10)
        await refused(http, path)


async def test_another_issuer_than_was_set_is_refused(sqlite_url: str, issuer: str) -> None:
    """Also where it is the same but for its spelling."""
    async with open_door(sqlite_url, issuer + "/", WELCOME) as hub, hub.browser() as http:
        answer = await http.get(START)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:throughline:problem:provider-away")


async def test_who_comes_back_from_another_issuer_is_refused(sqlite_url: str, issuer: str) -> None:
    """As the provider itself says where it answers (RFC 9207)."""
    async with open_door(sqlite_url, issuer, WELCOME) as hub, hub.browser() as http:
        user(issuer, "ben", name="Ben", groups=["Staff"])
        path = await agreed(await begun(http), "ben")
        assert (await http.get(f"{path}&iss=https://evil.example")).status_code == 403


async def test_without_a_provider_there_is_no_way(sqlite_url: str) -> None:
    async with door(sqlite_url) as hub, hub.browser() as http:
        for path in (START, BACK):
            assert (await http.get(path)).status_code == 404


async def test_nothing_secret_is_kept(hub: Door, issuer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    user(issuer, "ben", name="Ben", groups=["Staff"])
    async with hub.browser() as http:
        path = await agreed(await begun(http), "ben")
        cookies = [http.cookies["throughline-sign-in"]]
        await http.get(path)
        cookies.append(http.cookies["throughline"])
    code = parse_qs(urlsplit(path).query)["code"][0]
    # Without what this test's own browser logs.
    lines = [one.getMessage() for one in caplog.records]
    said = "\n".join(line for line in lines if BASE not in line and "/authorize?" not in line)
    assert "/oauth2/token" in said
    for secret in ("CANARY", PASSWORD, code, *cookies):
        assert secret not in await hub.kept()
        assert secret not in said


def test_an_address_that_only_looks_like_anothers_does_not_count() -> None:
    assert address("Mike@Acme.example") == "mike@acme.example"
    assert address("mi\u212ae@acme.example") is None, "the Kelvin sign is a k in lower case"


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:x", "", "a", "/a\nb"]
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    assert local(path) == "/"
