"""A proxy that signs people in and names them in headers: believed only from its own addresses, with its own secret."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.admin.identities import Identity, address
from services.query.refused import Refused

ISSUER = "proxy"
"""Issuer of accounts that a proxy names."""

SECRET_HEADER = "x-throughline-proxy-secret"  # noqa: S105 - a name

Networks = Sequence[IPv4Network | IPv6Network]


class Distrusted(Refused):
    """Somebody names a user as only the proxy may."""

    def __init__(self) -> None:
        super().__init__(
            403, "proxy-header", "A header names a user, and does not come from the trusted proxy.",
            "Remove that header; or look at THROUGHLINE_PROXY_NETWORKS and the proxy's secret.",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proxy:
    """How the proxy names people. Headers are given by lower-case names."""

    networks: Networks
    secret: SecretStr = field(repr=False)
    user: str
    email: str | None = None
    groups: str | None = None

    def named(self, scope: Scope) -> Identity | None:
        """Whom it names; None: no user is named. Raises Distrusted for a name that is not from the proxy."""
        headers = Headers(scope=scope)
        users = headers.getlist(self.user)
        if not users:
            return None
        secrets = headers.getlist(SECRET_HEADER)
        if not within(peer_of(scope), self.networks) or len(users) != 1 or len(secrets) != 1:
            raise Distrusted
        if not hmac.compare_digest(secrets[0].encode(), self.secret.get_secret_value().encode()):
            raise Distrusted
        if not users[0].strip():
            raise Distrusted
        return Identity(
            ISSUER, users[0].strip(), users[0].strip(), address(self._single(headers, self.email)),
            frozenset(part.strip() for part in (self._single(headers, self.groups) or "").split(",") if part.strip()),
        )  # fmt: skip

    def _single(self, headers: Headers, name: str | None) -> str | None:
        found = headers.getlist(name) if name else []
        if len(found) > 1:
            raise Distrusted
        return found[0].strip() or None if found else None


class Forwarded:
    """ASGI: behind a proxy, the client is whom the proxy forwards for; who is really connected stays known as `peer`.

    Nobody else is believed: whoever connects from another address is the client.
    """

    def __init__(self, app: ASGIApp, networks: Networks) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and within(peer_of(scope), self._networks):
            client = self._client(Headers(scope=scope))
            if client is not None:
                scope = {**scope, "peer": scope.get("client"), "client": (client, 0)}
        await self._app(scope, receive, send)

    def _client(self, headers: Headers) -> str | None:
        """The last address of X-Forwarded-For that is no proxy of ours: what stands before it, anybody could write."""
        told = [part.strip() for line in headers.getlist("x-forwarded-for") for part in line.split(",")]
        for one in reversed(told):
            address = _address(one)
            if address is None:
                return None
            if not within(str(address), self._networks):
                return str(address)
        return None


def peer_of(scope: Scope) -> str | None:
    """The address that is really connected."""
    peer = scope.get("peer") or scope.get("client")
    return str(peer[0]) if peer else None


def within(address: str | None, networks: Networks) -> bool:
    """Whether an address is in one of the networks."""
    told = _address(address) if address else None
    return told is not None and any(told in one for one in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        told = ip_address(text)
    except ValueError:
        return None
    return (told.ipv4_mapped or told) if isinstance(told, IPv6Address) else told
