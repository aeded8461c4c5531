"""Whether a tool can reach the hub at its public address, as far as that can be told from here."""

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel

from connectors.addresses import Policy, literal, objection
from connectors.contract import Misconfigured
from services.admin.equipment import Equipment

_MEND = "Set THROUGHLINE_PUBLIC_URL to the https address that passes POST /hooks/ on to the listener, and start anew"
_PORTS = {"https": 443, "http": 80}


async def judged(parts: Equipment, title: str, options: BaseModel) -> str:
    """A warning in a sentence, or "". Raises Misconfigured where it surely cannot."""
    tool = await _addresses(parts, str(getattr(options, "base_url", "")))
    if tool and all(one.is_loopback for one in tool):
        return ""  # both are on this machine
    if not parts.hooks_public:
        raise Misconfigured(f"Nobody said where {title} reaches this hub", _MEND, "public_url")
    url = urlsplit(parts.hooks_url)
    if url.scheme != "https":
        raise Misconfigured(f"{title} is to send what it tells over https, and {parts.hooks_url} is none", _MEND,
                            "public_url")  # fmt: skip
    host = url.hostname or ""
    here = await _addresses(parts, parts.hooks_url)
    inside = [one for one in here if objection(one, Policy()) is not None]
    if any(one.is_loopback or one.is_link_local for one in inside):
        raise Misconfigured(f"{host} leads to this machine itself, where {title} is not", _MEND, "public_url")
    beside = any(objection(one, Policy()) is not None for one in tool)
    if inside and not beside and literal(host):
        raise Misconfigured(f"{host} is a private address, which {title} does not reach", _MEND, "public_url")
    if inside and not beside:
        return f"Seen from here {host} leads to a private address: {title} reaches it only if it leads elsewhere there."
    return "" if here else f"Seen from here {host} has no address: look whether it is spelled right."


async def _addresses(parts: Equipment, url: str) -> list[IPv4Address | IPv6Address]:
    """What its host leads to from here; [] for nothing."""
    told = urlsplit(url)
    try:
        port = told.port or _PORTS.get(told.scheme, 443)
        return [ip_address(one) for one in await asyncio.to_thread(parts.resolver, told.hostname or "", port)]
    except (OSError, ValueError):
        return []
