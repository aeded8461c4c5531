"""What browsers are told where people reach the hub by HTTPS: to come back by nothing else.

Only answers that leave under that address say so. Whoever calls the hub by another name, past the proxy that speaks
TLS for it, is told nothing: there nobody could answer by HTTPS (RFC 6797, section 7.2).
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STRICT = b"max-age=31536000"
"""A year, for this host alone: what else its domain holds is not ours to decide."""

_POLICY = b"content-security-policy"
_UPGRADE = b"; upgrade-insecure-requests"


class OverHttps:
    """ASGI: Strict-Transport-Security on every answer, and upgrade-insecure-requests in every policy."""

    def __init__(self, app: ASGIApp, site_url: str) -> None:
        """site_url: the https address under which people reach the hub."""
        self._app = app
        self._host = urlsplit(site_url).netloc.lower().removesuffix(":443")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self._by_https(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(name, _upgraded(name, value)) for name, value in message["headers"]]
                message = {**message, "headers": [*headers, (b"strict-transport-security", STRICT)]}
            await send(message)

        await self._app(scope, receive, told)

    def _by_https(self, headers: Headers) -> bool:
        """Whether this is the address that is HTTPS, and no proxy says that it came otherwise."""
        ours = headers.get("host", "").lower().removesuffix(":443") == self._host
        return ours and headers.get("x-forwarded-proto", "https").lower() != "http"


def _upgraded(name: bytes, value: bytes) -> bytes:
    return value + _UPGRADE if name.lower() == _POLICY else value
