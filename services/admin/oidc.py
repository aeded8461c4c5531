"""Sign-in by an identity provider (OpenID Connect, authorization code with PKCE).

https://openid.net/specs/openid-connect-core-1_0.html: people are known by issuer and subject, which never change; an
e-mail address counts only where the provider says that it verified it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import orjson
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from pydantic import SecretStr
from starlette.requests import Request

from connectors.addresses import Policy, Resolver, resolve
from connectors.transport import Guarded
from schemas.canonical import instant, parse_instant
from schemas.errors import HubError, Misconfigured
from services.admin.identities import Identity, address
from services.admin.returning import CALLBACK, local
from services.query.refused import Refused
from services.security import KeyRing

STATE_COOKIE = "throughline-sign-in"

_LASTS = timedelta(minutes=10)
_LEARNED_FOR = timedelta(hours=1)
"""So long what the provider says of itself is believed without asking again."""
_SECONDS = 10.0
_ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_PLACE = ("sign-in", "oidc")
"""What the cookie's seal is bound to; no connection is called so, and none opens it."""
_SIGNED_BY_KEY_PAIR = ("RS", "PS", "ES", "Ed")
_BROKEN = (AuthlibBaseError, JoseError, HubError, httpx2.HTTPError, ValueError, KeyError, RuntimeError, TypeError)
"""What the client raises for an answer that cannot be believed, or for none."""


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Which identity provider, and who we are there."""

    issuer: str
    client_id: str
    client_secret: SecretStr = field(repr=False)
    title: str = "single sign-on"
    """As people know it."""
    groups_claim: str = "groups"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a browser is sent, and the cookie that remembers why."""

    url: str
    cookie: str = field(repr=False)


class Provider:
    """An identity provider."""

    def __init__(
        self, settings: ProviderSettings, site_url: str, keys: KeyRing, now: Callable[[], datetime],
        policy: Policy | None = None, resolver: Resolver = resolve,
    ) -> None:  # fmt: skip
        """site_url: address under which people reach the hub. keys: seal what a browser keeps meanwhile. policy: what
        may be reached of what the provider names besides its own host."""
        self.settings = settings
        self._site = site_url.rstrip("/")
        self._secure = self._site.startswith("https:")
        self._keys = keys
        self._now = now
        self._way = _Way(settings.issuer, policy or Policy(), resolver)
        self._learned_at = now()
        self._client: Any = self._unlearned()

    def _unlearned(self) -> Any:
        """A client that knows nothing of the provider yet."""
        registry: Any = OAuth()
        return registry.register(
            "provider",
            client_id=self.settings.client_id,
            client_secret=self.settings.client_secret.get_secret_value(),
            server_metadata_url=f"{self.settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid email profile", "code_challenge_method": "S256", "timeout": _SECONDS,
                "transport": self._way, "trust_env": False, "follow_redirects": False,
            },
        )  # fmt: skip

    @property
    def cookie(self) -> str:
        """Name of the cookie that remembers a sign-in. As __Host- none of a neighbour's under the same domain is
        taken, who would sign people in as somebody else."""
        return f"__Host-{STATE_COOKIE}" if self._secure else STATE_COOKIE

    def cookie_header(self, kept: str | None) -> str:
        """The Set-Cookie header that gives a browser what it keeps meanwhile; None: that takes it away."""
        lasts = int(_LASTS.total_seconds()) if kept else 0
        where = "Path=/; Secure" if self._secure else "Path=/v1/sign-in"
        return f"{self.cookie}={kept or ''}; Max-Age={lasts}; {where}; HttpOnly; SameSite=Lax"

    async def start(self, asked: Request, there: str) -> Start:
        """Begin a sign-in; there: the path where the browser goes afterwards. Raises Refused where it is away."""
        kept: dict[str, Any] = {}
        asked.scope["session"] = kept
        try:
            client = await self._learned()
            answer = await client.authorize_redirect(asked, self._site + CALLBACK)
        except _BROKEN:
            self._client = self._unlearned()
            raise _away() from None
        return Start(answer.headers["location"], self._sealed(kept, local(there)))

    async def finish(self, asked: Request) -> tuple[Identity, str]:
        """Who came back, and where they go. Raises Refused for whatever cannot be believed."""
        asked.scope["session"], there = self._opened(asked.cookies.get(self.cookie, ""))
        try:
            client = await self._learned()
            token = await client.authorize_access_token(
                asked,
                # Without these a token made for another client passes, if it only names us as authorised party.
                claims_options={
                    "iss": {"values": [self.settings.issuer], "essential": True},
                    "aud": {"values": [self.settings.client_id], "essential": True},
                },
            )
        except _BROKEN:
            # It may have other keys, or other addresses, than it had.
            self._client = self._unlearned()
            raise _again() from None
        claims = token.get("userinfo")
        if not claims or not claims.get("sub"):
            raise _again()
        return self._identity(claims), there

    async def _learned(self) -> Any:
        """A client that knows what the provider can do. Only signatures by a key pair count: who knows our secret must
        not sign for it."""
        if self._now() - self._learned_at >= _LEARNED_FOR:
            self._learned_at, self._client = self._now(), self._unlearned()
        client = self._client
        told = await client.load_server_metadata()
        if told.get("issuer") != self.settings.issuer:
            raise ValueError("another issuer")
        algorithms = told.get("id_token_signing_alg_values_supported") or ["RS256"]
        told["id_token_signing_alg_values_supported"] = [
            one for one in algorithms if one.startswith(_SIGNED_BY_KEY_PAIR)
        ]
        return client

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        verified = str(claims.get("email_verified", "")).lower() == "true"
        email = address(_text(claims.get("email"))) if verified else None
        name = _text(claims.get("name")) or _text(claims.get("preferred_username")) or email or "somebody"
        groups = claims.get(self.settings.groups_claim)
        groups = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        return Identity(
            self.settings.issuer, str(claims["sub"]), name, email, frozenset(one for one in groups if _text(one))
        )  # fmt: skip

    def _sealed(self, session: Mapping[str, Any], there: str) -> str:
        told = {"session": session, "there": there, "until": instant(self._now() + _LASTS)}
        return self._keys.seal(*_PLACE, SecretStr(orjson.dumps(told).decode()))

    def _opened(self, cookie: str) -> tuple[dict[str, Any], str]:
        try:
            told = orjson.loads(self._keys.open(*_PLACE, cookie).get_secret_value())
        except (Misconfigured, ValueError):
            raise _again() from None
        if parse_instant(told["until"]) <= self._now():
            raise _again()
        return cast("dict[str, Any]", told["session"]), str(told["there"])


class _Way(httpx2.AsyncBaseTransport):
    """The way to the provider. Whoever runs the hub names its host, which may be in their own house; what else it names
    itself, such as where the client's secret is sent to, is no more trusted than a tool's address. Metadata services
    are reached by neither."""

    def __init__(self, issuer: str, policy: Policy, resolver: Resolver) -> None:
        self._host = urlsplit(issuer).hostname
        self._own = Guarded(Policy(allow_loopback=True, allowed=_ANYWHERE), resolver)
        self._others = Guarded(policy, resolver)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = self._own if request.url.host == self._host else self._others
        return await way.handle_async_request(request)


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _again() -> Refused:
    return Refused(
        401, "sign-in-elsewhere", "The sign-in elsewhere did not come to an end that can be believed.",
        "Begin again from the sign-in page; one tab at a time.",
    )  # fmt: skip


def _away() -> Refused:
    return Refused(
        503, "provider-away", "The identity provider does not answer as it must.",
        "Try again; an admin looks at THROUGHLINE_OIDC_ISSUER, and whether it can be reached from here.",
        headers={"Retry-After": "30"},
    )  # fmt: skip
