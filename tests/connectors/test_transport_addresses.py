"""No spelling, wrapping or change of an address leads a connection where it must not go."""

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jira import JIRA

from connectors.addresses import Policy, Resolver, checked_addresses, objection, resolve
from connectors.contract import Misconfigured, RetryLater
from connectors.outcomes import outcome
from connectors.transport import Limiter, Network
from tests.connectors.small_server import Script, serving

CLOSED = Policy()
WIDE = Policy(
    allow_loopback=True,
    allowed=tuple(ip_network(text) for text in ("10.0.0.0/8", "0.0.0.0/0", "::/0")),
)
METADATA = ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
INSIDE = ("127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0", *METADATA)


def disguises(address: IPv4Address) -> list[IPv4Address | IPv6Address]:
    """Every form in which an IPv4 address travels as an IPv6 one."""
    number = int(address)
    return [
        address,
        ip_address(f"::ffff:{address}"),
        ip_address(f"64:ff9b::{address}"),
        ip_address(f"64:ff9b:1::{address}"),
        ip_address((0x2002 << 112) | (number << 80) | 1),
        ip_address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF)),
        *([ip_address(number)] if number > 1 else []),
    ]


def spellings(address: IPv4Address) -> list[str]:
    """Ways to write an IPv4 address that the system's resolver understands."""
    number, (first, *rest) = int(address), address.packed
    return [
        str(address),
        str(number),
        hex(number),
        f"{first:#x}.{number & 0xFFFFFF}",
        f"0{first:o}." + ".".join(map(str, rest)),
    ]


any_inside = st.one_of(
    st.sampled_from([ip_address(text) for text in INSIDE]),
    *[
        st.integers(int(net[0]), int(net[-1])).map(IPv4Address)
        for net in map(ip_network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"))
    ],
    *[st.integers(int(net[0]), int(net[-1])).map(IPv4Address) for net in map(ip_network, ("224.0.0.0/3", "0.0.0.0/8"))],
)
any_metadata = st.one_of(
    st.sampled_from([ip_address(text) for text in METADATA]),
    *[
        st.integers(int(net[0]), int(net[-1])).map(IPv4Address)
        for net in map(ip_network, ("169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/8"))
    ],
)


@settings(deadline=None)  # a shared machine may pause anywhere
@given(any_inside)
def test_nothing_inside_is_reached_in_any_disguise(address: IPv4Address) -> None:
    for form in disguises(address):
        assert objection(form, CLOSED) is not None, form


@settings(deadline=None)  # a shared machine may pause anywhere
@given(any_metadata)
def test_metadata_is_refused_whatever_is_allowed(address: IPv4Address) -> None:
    for form in disguises(address):
        if form.packed[:15] != bytes(15):  # "::" and "::1" themselves are loopback and unspecified
            assert objection(form, WIDE) is not None, form


@settings(deadline=None)  # a shared machine may pause anywhere
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
@example(ip_address("8.8.8.8"))
@example(ip_address("64:ff9b::8.8.8.8"))
@example(ip_address("ff0e::1"))
@example(ip_address("::ffff:1.0.0.0"))
def test_what_passes_is_public_unicast(address: IPv4Address | IPv6Address) -> None:
    if objection(address, CLOSED) is not None:
        return
    address = (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address
    assert address.is_global
    assert not address.is_multicast
    assert not address.is_loopback
    assert not address.is_link_local
    assert address.version == 4 or address in ip_network("2000::/3")


def test_public_and_allowed_addresses_pass() -> None:
    private = Policy(allowed=(ip_network("10.20.0.0/16"), ip_network("fd12::/16")))
    assert objection(ip_address("93.184.216.34"), CLOSED) is None
    assert objection(ip_address("2606:2800:220:1::1"), CLOSED) is None
    assert objection(ip_address("10.20.3.4"), private) is None
    assert objection(ip_address("::ffff:10.20.3.4"), private) is None
    assert objection(ip_address("fd12::5"), private) is None
    assert objection(ip_address("10.21.0.1"), private) == "is private or reserved"
    assert objection(ip_address("127.0.0.1"), Policy(allow_loopback=True)) is None
    assert objection(ip_address("64:ff9b::127.0.0.1"), Policy(allow_loopback=True)) == "leads back to this machine"


@pytest.mark.parametrize(
    "host", [s for text in ("127.0.0.1", "169.254.169.254", "10.0.0.7") for s in spellings(IPv4Address(text))]
)
def test_odd_spellings_are_judged_by_where_they_lead(host: str) -> None:
    with pytest.raises(Misconfigured):
        checked_addresses(host, 443, CLOSED, resolve)


@pytest.mark.parametrize("host", ["0x7f.1", "127.1", "localhost", "::1", "::ffff:127.0.0.1", "0", "fe80::1"])
def test_short_spellings_too(host: str) -> None:
    with pytest.raises(Misconfigured):
        checked_addresses(host, 443, CLOSED, resolve)


@pytest.mark.parametrize("host", ["127.0.0.1.", "2130706433.", "169.254.169.254.", "10.0.0.1."])
def test_a_dot_at_the_end_hides_nothing(host: str) -> None:
    """An address is judged as what it is, though no name server knows it so; a name is judged by what it leads to."""
    asked: list[str] = []

    def nobody(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    with pytest.raises(Misconfigured):
        checked_addresses(host, 443, CLOSED, nobody)
    assert asked == []
    with pytest.raises(Misconfigured):
        checked_addresses("tool.example.", 443, CLOSED, nobody)
    assert asked == ["tool.example."]


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(Misconfigured, match=r"tool\.example leads to 10\.0\.0\.1"):
        checked_addresses("tool.example", 443, CLOSED, lambda host, port: ["93.184.216.34", "10.0.0.1"])


def test_a_name_without_address_is_waited_for() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    resolvers: tuple[Resolver, ...] = (nobody, lambda host, port: [])
    for resolver in resolvers:
        with pytest.raises(RetryLater, match=r"tool\.example"):
            checked_addresses("tool.example", 443, CLOSED, resolver)


def test_without_encryption_only_this_machine() -> None:
    open_policy = Policy(allow_loopback=True)
    assert checked_addresses("a", 80, open_policy, lambda h, p: ["127.0.0.1"], loopback_only=True) == ("127.0.0.1",)
    with pytest.raises(Misconfigured, match="without encryption"):
        checked_addresses("a", 80, open_policy, lambda h, p: ["93.184.216.34"], loopback_only=True)


class Rebinding:
    """A name server that tells a reachable address first (where nobody is) and this machine's ever after."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return ["192.0.2.1"] if self.asked == 1 else ["127.0.0.1"]


async def test_rebinding_does_not_reach_this_machine() -> None:
    policy = Policy(allowed=(ip_network("192.0.2.0/24"),))
    with serving(Script()) as script:
        network = Network(policy, Limiter(requests=1e6), resolver=Rebinding())
        async with network.client(f"https://tool.example:{script.port}", timeout=0.3) as client:
            with pytest.raises(RetryLater):  # the checked address is tried, no other
                await client.request("GET", "/")
            with pytest.raises(Misconfigured, match="this machine itself"):
                await client.request("GET", "/")
        session = requests.Session()
        Network(policy, Limiter(requests=1e6), resolver=Rebinding()).guard(session, timeout=0.3)
        with session, pytest.raises(RetryLater):
            await asyncio.to_thread(session.get, f"https://tool.example:{script.port}/")
        assert script.seen == []


async def test_a_connection_goes_to_the_checked_address_under_the_names_own_host() -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with serving(Script()) as script:
        network = Network(Policy(allow_loopback=True), Limiter(requests=1e6), resolver=resolver)
        async with network.client(f"http://tool.example:{script.port}") as client:
            await client.request("GET", "/a")
        session = requests.Session()
        network.guard(session)
        with session:
            await asyncio.to_thread(session.get, f"http://tool.example:{script.port}/b")
        assert asked == ["tool.example", "tool.example"]
        assert [headers["host"] for _, _, headers in script.seen] == [f"tool.example:{script.port}"] * 2


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest?secret=1", "http://2130706433/", "//10.0.0.1/x"])
async def test_redirects_are_not_followed(target: str) -> None:
    with serving(Script(status=302, headers={"location": target})) as script:
        network = Network(Policy(allow_loopback=True), Limiter(requests=1e6))
        host = target.split("/")[2]
        base = f"http://127.0.0.1:{script.port}"
        async with network.client(base) as client:
            with pytest.raises(Misconfigured, match=f"redirect to {host} ") as told:
                await client.request("GET", "/")
        assert "secret" not in str(told.value)
        session = requests.Session()
        network.guard(session)
        with session, pytest.raises(Misconfigured, match=f"redirect to {host} "):
            await asyncio.to_thread(session.get, base)
        assert len(script.seen) == 2


def test_the_jira_library_is_guarded() -> None:
    def library(server: str, policy: Policy) -> JIRA:
        jira = JIRA(server, token_auth="x", get_server_info=False, max_retries=0)
        Network(policy, Limiter(requests=1e6)).guard(jira._session)
        return jira

    with serving(Script(body=b'{"version": "10.0.0"}')) as script:
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"):
            with pytest.raises(Misconfigured):
                library(f"https://{host}:{script.port}", CLOSED).server_info()
            with pytest.raises(Misconfigured):
                library(f"http://{host}:{script.port}", CLOSED).server_info()
        assert script.seen == []
        answer = library(f"http://127.0.0.1:{script.port}", Policy(allow_loopback=True)).server_info()
        assert answer == {"version": "10.0.0"}


def test_plain_sockets_are_guarded() -> None:
    with serving(Script()) as script:
        with pytest.raises(Misconfigured, match="this machine itself"):
            Network(CLOSED, Limiter()).connect("localhost", script.port)
        network = Network(Policy(allow_loopback=True), Limiter())
        with network.connect("127.0.0.1", script.port, 5, plain=True) as opened:
            assert opened.getpeername() == ("127.0.0.1", script.port)
            assert opened.gettimeout() == 5
    with pytest.raises(RetryLater, match=r"No connection to 127\.0\.0\.1"):
        network.connect("127.0.0.1", script.port, 5)


def test_a_redirect_is_told_with_no_more_than_a_host_can_have() -> None:
    with pytest.raises(Misconfigured) as caught:
        outcome(302, {"location": f"https://{'a' * 60_000}/x"}, b"")
    assert len(caught.value.problem) < 400
