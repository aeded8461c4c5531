"""Sign-in by two real identity providers of different makers: who comes in, and what of a provider is not believed."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from connectors.addresses import Policy
from schemas.access import Role
from services.admin.identities import Welcome
from services.admin.oidc import Provider, ProviderSettings
from services.admin.signing_in import Manner
from services.security import KeyRing, new_key
from tests.parts.presence import PartMissing, free_port, listening, missing, wait_until
from tests.parts.provider import IdentityProvider
from tests.security.relay import Relay, relaying
from tests.services.admin.entrance import BASE, Clock, Door, door

START, BACK = "/v1/sign-in/oidc", "/v1/sign-in/oidc/callback"
PATIENCE = 60.0
"""Seconds for a provider to answer us, on a machine that does much else."""
WELCOME = Welcome(frozenset({"Staff"}), frozenset({"acme.example"}), {"Hub admins": Role.ADMIN})


class Maker(Protocol):
    """A provider of some maker."""

    port: int
    path: str
    """Of its issuer."""

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def form(self, sub: str, claims: dict[str, Any]) -> dict[str, str]:
        """What somebody sends to sign in there, of whom this is claimed."""


class OfPython:
    """The one of the Python package: no path, a new key without an id at each start."""

    path = ""

    def __init__(self, *more: str) -> None:
        self.port = free_port()
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(self.port), *self._more]
        process = self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: listening(self.port), 90, lambda: process.poll() is None, lambda: "it did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def form(self, sub: str, claims: dict[str, Any]) -> dict[str, str]:
        httpx2.put(f"http://127.0.0.1:{self.port}/users/{sub}", json=claims, timeout=PATIENCE).raise_for_status()
        return {"sub": sub}


class OfJava(IdentityProvider):
    """The one of the Java package: an issuer by path, keys that are called as their issuer."""

    path = "/acme"

    def start(self, seconds: float = 90) -> None:
        """With another key for our issuer than the last time."""
        asked = ["/acme/jwks"] if self._process is None else ["/others/jwks", "/acme/jwks"]
        super().start(seconds)
        for path in asked:
            httpx2.get(f"{self.address}{path}", timeout=PATIENCE).raise_for_status()

    def form(self, sub: str, claims: dict[str, Any]) -> dict[str, str]:
        return {"username": sub, "claims": json.dumps(claims)}


@dataclass
class Elsewhere:
    """Where people sign in: a real provider behind a relay."""

    maker: Maker
    relay: Relay

    @property
    def issuer(self) -> str:
        return self.relay.address + self.maker.path

    async def agreed(self, address: str, who: str, site: str = BASE, **claims: Any) -> str:
        """The path that a browser is sent back to, once somebody signed in there."""
        async with httpx2.AsyncClient(timeout=PATIENCE) as http:
            answer = await http.post(address, data=self.maker.form(who, claims))
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == site + BACK
        return f"{back.path}?{back.query}"

    def door(self, url: str, welcome: Welcome = WELCOME, *, issuer: str | None = None, clock: Any = None) -> Any:
        """A hub that knows it as `issuer`."""
        told = ProviderSettings(issuer or self.issuer, "hub", SecretStr("client-CANARY"), "Acme sign-on")
        provider = Provider(told, BASE, KeyRing([new_key()]), clock or Clock())
        return door(url, Manner(site_url=BASE, welcome=welcome), provider)


def of_java(folder: Any) -> OfJava:
    try:
        return OfJava(folder)
    except PartMissing as part:
        missing(str(part))


@pytest.fixture(scope="module", params=["python", "java"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    maker = OfPython() if request.param == "python" else of_java(tmp_path_factory.mktemp("provider"))
    maker.start()
    with relaying(maker.port) as relay:
        yield Elsewhere(maker, relay)
    maker.kill()


@pytest.fixture
def there(running: Elsewhere) -> Iterator[Elsewhere]:
    yield running
    running.relay.honest()


@pytest.fixture
async def hub(sqlite_url: str, there: Elsewhere) -> AsyncIterator[Door]:
    async with there.door(sqlite_url) as made:
        yield made


async def begun(http: httpx2.AsyncClient) -> str:
    answer = await http.get(START)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def come(http: httpx2.AsyncClient, there: Elsewhere, who: str, **claims: Any) -> httpx2.Response:
    return await http.get(await there.agreed(await begun(http), who, **claims))


async def stays_out(http: httpx2.AsyncClient, answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:throughline:problem:sign-in-elsewhere")
    assert (await http.get("/v1/me")).status_code == 401


def with_query(address: str, **told: str) -> str:
    """The address with other values in its query."""
    for name, value in told.items():
        address, number = re.subn(rf"([?&]{name}=)[^&]*", rf"\g<1>{value}", address)
        assert number == 1, name
    return address


async def test_who_signs_in_there_comes_in(hub: Door, there: Elsewhere) -> None:
    async with hub.browser() as http:
        address = await begun(http)
        asked = parse_qs(urlsplit(address).query)
        assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["openid email profile"])
        path = await there.agreed(address, "ben", name="Ben Meyer", email="Ben@Acme.example", email_verified=True)
        assert (await http.get(path)).status_code == 303
        me = (await http.get("/v1/me")).json()
        assert (me["name"], me["role"], me["email"]) == ("Ben Meyer", "viewer", "ben@acme.example")
        assert (await come(http, there, "ben", name="B. Meyer")).status_code == 303, "the same, by issuer and subject"
        assert (await http.get("/v1/me")).json()["account"] == me["account"]


async def test_nobody_unknown_comes_in_but_of_chosen_groups_and_domains(hub: Door, there: Elsewhere) -> None:
    wanted: list[tuple[dict[str, Any], str | None]] = [
        ({"groups": ["Others"]}, None),
        ({"email": "ben@acme.example", "email_verified": False}, None),
        ({"email": "ben@acme.example"}, None),
        ({"email": "ben@other.example", "email_verified": True}, None),
        ({"groups": ["Staff"]}, "viewer"),
        ({"groups": ["Hub admins"]}, "admin"),
    ]
    for claims, role in wanted:
        async with hub.browser() as http:
            answer = await come(http, there, f"eve-{role}", **claims)
            assert answer.status_code == (303 if role else 403), (claims, answer.text)
            assert (await http.get("/v1/me")).json().get("role") == role


async def test_by_default_nobody_unknown_comes_in(sqlite_url: str, there: Elsewhere) -> None:
    everything = {"email": "ben@acme.example", "email_verified": True, "groups": ["Staff", "Hub admins"]}
    async with there.door(sqlite_url, Welcome()) as hub, hub.browser() as http:
        answer = await come(http, there, "ben", **everything)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:throughline:problem:no-account")


async def test_many_come_at_once(hub: Door, there: Elsewhere) -> None:
    """None ends another's talk with the provider."""

    async def one(who: str) -> int:
        async with hub.browser() as http:
            return (await come(http, there, who, name=who, groups=["Staff"])).status_code

    assert await asyncio.gather(*(one(f"person-{number}") for number in range(6))) == [303] * 6


async def test_what_was_asked_for_is_what_comes_back(hub: Door, there: Elsewhere) -> None:
    """Another state, another nonce, another client: each alone keeps out."""
    async with hub.browser() as http:
        path = await there.agreed(await begun(http), "ben", groups=["Staff"])
        await stays_out(http, await http.get(with_query(path, state="another")))
        address = with_query(await begun(http), nonce="another-nonce-0123")
        await stays_out(http, await http.get(await there.agreed(address, "ben", groups=["Staff"])))
        path = await there.agreed(await begun(http), "ben", groups=["Staff"])
        assert hub.parts.provider is not None
        hub.parts.provider.settings = replace(hub.parts.provider.settings, client_id="somebody-else")
        await stays_out(http, await http.get(path))


async def test_a_token_of_another_issuer_or_hand_is_refused(hub: Door, there: Elsewhere) -> None:
    async with hub.browser() as http:
        for lie in ("bare", "unsigned"):
            setattr(there.relay, lie, True)
            await stays_out(http, await come(http, there, "ben", groups=["Staff"]))
            there.relay.honest()
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303


async def test_a_discovery_document_that_lies_about_its_issuer(hub: Door, there: Elsewhere) -> None:
    async with hub.browser() as http:
        there.relay.lies = {"issuer": "https://login.evil.example"}
        answer = await http.get(START)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:throughline:problem:provider-away")
        there.relay.honest()
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303, "once it is itself again"


INSIDE = ("http://169.254.169.254/latest", "https://10.0.0.1/token", "http://2852039166/x", "file:///etc/passwd")
"""A metadata service, a private address, a metadata service by its number, no web address at all."""


async def test_the_clients_secret_goes_nowhere_else(hub: Door, there: Elsewhere) -> None:
    """Wherever the discovery document sends it."""
    async with hub.browser() as http:
        for inside in INSIDE:
            for endpoint in ("token_endpoint", "jwks_uri"):
                there.relay.lies = {endpoint: inside}
                await stays_out(http, await come(http, there, "ben", groups=["Staff"]))
        there.relay.honest()
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303


async def test_redirects_of_the_provider_are_not_followed(hub: Door, there: Elsewhere) -> None:
    async with hub.browser() as http:
        path = await there.agreed(await begun(http), "ben", groups=["Staff"])
        there.relay.moved = f"{there.relay.address}/trap"
        await stays_out(http, await http.get(path))
        assert "/trap" not in there.relay.seen


async def test_a_provider_that_is_away_and_comes_back(hub: Door, there: Elsewhere) -> None:
    await hub.account()
    async with hub.browser() as http:
        there.relay.silent = True
        answer = await http.get(START)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:throughline:problem:provider-away")
        assert (await hub.signed_in(http)).status_code == 200, "passwords go on"
        there.relay.honest()
        path = await there.agreed(await begun(http), "ben", groups=["Staff"])
        there.relay.silent = True
        assert (await http.get(path)).status_code == 401
        there.relay.honest()
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303


async def test_over_https_a_sign_in_that_is_under_way_is_the_hosts_own(sqlite_url: str, there: Elsewhere) -> None:
    """No neighbour under the same domain puts a cookie of theirs in its place, and plain HTTP does not get it."""
    site = "https://hub.example"
    told = ProviderSettings(there.issuer, "hub", SecretStr("client-CANARY"), "Acme sign-on")
    provider = Provider(told, site, KeyRing([new_key()]), Clock())
    manner = Manner(site_url=site, welcome=WELCOME)
    async with door(sqlite_url, manner, provider) as hub, hub.browser(base=site) as http:
        answer = await http.get(START)
        kept = answer.headers["Set-Cookie"]
        shape = r"__Host-throughline-sign-in=[^;]{40,}; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax"
        assert re.fullmatch(shape, kept)
        path = await there.agreed(answer.headers["location"], "ben", site, groups=["Staff"])
        lesser = {"Cookie": kept.partition(";")[0].removeprefix("__Host-")}
        async with hub.browser(base=site) as other:
            await stays_out(other, await other.get(path, headers=lesser))
        back = await http.get(path)
        assert back.status_code == 303
        gone, session = sorted(back.headers.get_list("Set-Cookie"), key=len)
        assert re.fullmatch(r"__Host-throughline-sign-in=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax", gone)
        assert re.fullmatch(r"__Host-throughline=[\w-]{43}; .*; Path=/; HttpOnly; SameSite=Lax; Secure", session)
        assert (await http.get("/v1/me")).status_code == 200


async def test_what_it_says_of_itself_is_asked_anew_each_hour(sqlite_url: str, there: Elsewhere) -> None:
    clock = Clock()
    async with there.door(sqlite_url, clock=clock) as hub, hub.browser() as http:
        await begun(http)
        there.relay.lies = {"authorization_endpoint": "https://login.acme.example/moved"}
        assert "/moved" not in await begun(http)
        clock.now += timedelta(hours=1)
        assert (await begun(http)).startswith("https://login.acme.example/moved?")


JAVA = pytest.mark.parametrize("running", ["java"], indirect=True)


CLAIMS: list[dict[str, Any]] = [
    {"aud": "somebody-else"}, {"aud": "somebody-else", "azp": "hub"}, {"aud": ["somebody-else"]}, {"aud": ""},
    {"iss": "https://login.evil.example"}, {"iss": ""}, {"exp": 1}, {"nonce": "another"}, {"nonce": ""}, {"sub": ""},
]  # fmt: skip


@JAVA
async def test_a_token_that_claims_something_else_is_refused(hub: Door, there: Elsewhere) -> None:
    async with hub.browser() as http:
        for claims in CLAIMS:
            there.relay.seen.clear()
            await stays_out(http, await come(http, there, "ben", groups=["Staff"], **claims))
            assert f"{there.maker.path}/jwks" in there.relay.seen, "it was looked at"
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303


@JAVA
async def test_whoever_did_not_ask_gets_no_token(hub: Door, there: Elsewhere) -> None:
    """The provider asks for the proof whose hash it was told (PKCE)."""
    async with hub.browser() as http:
        address = with_query(await begun(http), code_challenge="x" * 43)
        await stays_out(http, await http.get(await there.agreed(address, "ben", groups=["Staff"])))


async def test_other_keys_cost_one_sign_in_at_most(hub: Door, there: Elsewhere) -> None:
    """Also where the new key is called as the old one was, or is not called at all. Last here: it starts anew."""
    async with hub.browser() as http:
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303
        there.maker.kill()
        there.maker.start()
        first = await come(http, there, "ben", groups=["Staff"])
        assert first.status_code in (303, 401)
        assert (await come(http, there, "ben", groups=["Staff"])).status_code == 303


async def test_a_token_that_is_over_is_refused(sqlite_url: str) -> None:
    maker = OfPython("--token-max-age", "-3600")
    maker.start()
    try:
        with relaying(maker.port) as relay:
            there = Elsewhere(maker, relay)
            async with there.door(sqlite_url) as hub, hub.browser() as http:
                await stays_out(http, await come(http, there, "ben", groups=["Staff"]))
    finally:
        maker.kill()


async def test_an_issuer_is_never_a_metadata_service(sqlite_url: str) -> None:
    """Not by a name that leads to one either, whatever is allowed to connections."""
    told = ProviderSettings("https://login.acme.example", "hub", SecretStr("client-CANARY"))
    asked: list[str] = []

    def lying(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["169.254.169.254"]

    provider = Provider(told, BASE, KeyRing([new_key()]), Clock(), Policy(allow_loopback=True), lying)
    async with door(sqlite_url, Manner(site_url=BASE), provider) as hub, hub.browser() as http:
        assert (await http.get(START)).status_code == 503
    assert asked == ["login.acme.example"]
