"""The first two steps of any check: where an address leads, and whether what answers there proves its name."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from connectors.contract import HubError, Step
from connectors.transport import Network, failure

_PORTS = {"https": 443, "http": 80}
_SECONDS = 10.0


async def reached(
    network: Network, host: str, port: int, ca_file: str | None, *, plain: bool, greets: bool = False
) -> AsyncIterator[Step]:
    """Connect, and look at the certificate. Ends at the first step that fails; never raises HubError.

    plain: nothing is encrypted there. greets: it is, but not from the first byte on (STARTTLS).
    """
    try:
        opened, where = await asyncio.to_thread(_connected, network, host, port, plain=plain)
    except HubError as error:
        yield Step("address", ok=False, says=str(error))
        return
    yield Step("address", ok=True, says=f"{host} answers at {where}")
    if plain or greets:
        opened.close()
        return
    try:
        says = await asyncio.to_thread(_trusted, opened, host, network.tls(ca_file))
    except HubError as error:
        yield Step("certificate", ok=False, says=str(error))
        return
    yield Step("certificate", ok=True, says=says)


def place_of(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether it is spoken to without encryption. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443), parts.scheme == "http"


def _connected(network: Network, host: str, port: int, *, plain: bool) -> tuple[socket.socket, str]:
    opened = network.connect(host, port, _SECONDS, plain=plain)
    return opened, str(opened.getpeername()[0])


def _trusted(opened: socket.socket, host: str, context: ssl.SSLContext) -> str:
    """Blocks. Raises HubError."""
    try:
        with opened, context.wrap_socket(opened, server_hostname=host) as wrapped:
            told: Any = wrapped.getpeercert()
    except OSError as error:  # ssl.SSLError is one
        raise failure(error, host) from None
    issuer = {name: value for pairs in told.get("issuer", ()) for name, value in pairs}
    by = issuer.get("organizationName") or issuer.get("commonName") or "an authority without a name"
    return f"Trusted: issued by {by}, good until {told.get('notAfter', 'an unknown time')}"
