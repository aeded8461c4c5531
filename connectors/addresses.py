"""Which addresses may be reached: the guard against a tool's address that leads into the hub's own house.

What is judged is the address a connection is about to be opened to, never the text of a URL: `2130706433`, `0x7f.1` and
a host name that changes its answer all end at an address, and every address a name resolves to must pass.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from connectors.contract import Misconfigured, RetryLater

Address = IPv4Address | IPv6Address
AddressRange = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""From a host name and a port to the addresses as text. Blocks. Raises OSError where there are none."""

_NEVER: tuple[AddressRange, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host"
        "169.254.0.0/16",  # link-local; cloud metadata services answer at 169.254.169.254
        "192.0.0.192/32",  # metadata, Oracle Cloud
        "100.100.100.200/32",  # metadata, Alibaba Cloud
        "168.63.129.16/32",  # host agent, Azure
        "224.0.0.0/4",  # multicast
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",  # link-local
        "fd00:ec2::254/128",  # metadata, AWS
        "fd20:ce::254/128",  # metadata, Google Cloud
        "fd00:c1::a9fe:a9fe/128",  # metadata, Oracle Cloud
        "ff00::/8",  # multicast
    )
)
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # the only block from which global unicast addresses are given out (RFC 4291)
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215


@dataclass(frozen=True, slots=True)
class Policy:
    """What an installation lets its connections reach, besides public addresses.

    Link-local, multicast and metadata addresses are refused whatever is allowed here.
    """

    allow_loopback: bool = False
    """Tools on this machine (a sandbox, a proxy); the only place where plain HTTP is spoken."""
    allowed: tuple[AddressRange, ...] = ()
    """Private ranges in which the company's own tools live."""


def objection(address: Address, policy: Policy) -> str | None:
    """Why this address may not be reached, in a few words; None when it may."""
    address = _unmapped(address)
    inside = _carried(address)
    if any(face in never for face in (address, *inside) for never in _NEVER if face.version == never.version):
        return "is link-local, multicast or a metadata service"
    if address.is_loopback:
        return None if policy.allow_loopback else "is this machine itself"
    if any(face.is_loopback for face in inside):
        return "leads back to this machine"
    if any(address in allowed for allowed in policy.allowed if address.version == allowed.version):
        return None
    if inside:
        return "is a translated address, whose end cannot be judged"
    return None if _public(address) else "is private or reserved"


def literal(host: str) -> Address | None:
    """The address that a host is, in whatever spelling the operating system understands (`2130706433`, `0x7f.1`,
    `127.0.0.1.`); None for a name."""
    bare = host.strip("[]").rstrip(".")
    try:
        return ip_address(bare)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(bare)) if bare and bare.isascii() else None
    except OSError:
        return None


def never_reached(host: str) -> bool:
    """Whether this is an address that nothing may reach: link-local, multicast, a metadata service. Of a name that is
    only known when it is looked up."""
    address = literal(host)
    everything = Policy(allow_loopback=True, allowed=(IPv4Network("0.0.0.0/0"), IPv6Network("::/0")))
    return address is not None and objection(address, everything) is not None


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the operating system's resolver gives them. Blocks. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(
    host: str, port: int, policy: Policy, resolver: Resolver = resolve, *, loopback_only: bool = False
) -> tuple[str, ...]:
    """The addresses of a host, each of them allowed; connect to one of these and to nothing else.

    loopback_only is for connections that are not encrypted. Blocks while it resolves. Raises RetryLater when the name
    has no address now, Misconfigured when one of its addresses may not be reached.
    """
    itself = literal(host)
    try:
        addresses = [itself] if itself else [ip_address(text) for text in resolver(host, port)]
    except (OSError, UnicodeError):
        addresses = []
    if not addresses:
        raise RetryLater(f"The name {host} has no address now (check its spelling, and this machine's DNS)")
    for address in addresses:
        _refuse(host, _unmapped(address), policy, loopback_only)
    return tuple(str(address) for address in addresses)


def _refuse(host: str, address: Address, policy: Policy, loopback_only: bool) -> None:
    if loopback_only and not address.is_loopback:
        raise Misconfigured(
            f"{host} would be spoken to without encryption", "Use https (TLS); plain connections are for this machine"
        )
    why = objection(address, policy)
    if why is None:
        return
    if address.is_loopback:
        mend = "Set THROUGHLINE_ALLOW_LOOPBACK_TOOLS=true if the tool runs on this machine"
    elif "private" in why or "translated" in why:
        mend = "Add its range to THROUGHLINE_ALLOWED_NETWORKS if this is a tool of yours"
    else:
        mend = "Give the tool's own address; this one is never reached"
    what = f"{host} {why}" if host == str(address) else f"{host} leads to {address}, which {why}"
    raise Misconfigured(what, mend)


def _unmapped(address: Address) -> Address:
    """::ffff:127.0.0.1 opens the same connection as 127.0.0.1."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped if mapped is not None else address


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses a gateway would read out of an IPv6 address (NAT64, 6to4, Teredo, IPv4-compatible)."""
    if not isinstance(address, IPv6Address):
        return ()
    last = IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NAT64):
        return (last,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    compatible = int(address) >> 32 == 0 and int(address) > 1
    return (last,) if compatible else ()


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return address.is_global and not address.is_reserved
