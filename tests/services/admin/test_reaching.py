"""Whatever address an admin gives, only what the policy allows is reached: odd spellings, redirects, names that lie."""

import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Thread
from typing import Any

import pytest

from connectors.addresses import Policy
from services.sandbox.hubspot import HubSpotServer
from tests.services.admin.conftest import SQLITE, Office
from tests.services.admin.tools import hubspot_server, sales

pytestmark = SQLITE

INSIDE = (
    "https://127.0.0.1:{port}", "https://localhost:{port}", "https://2130706433:{port}", "https://0x7f.1:{port}",
    "https://0177.0.0.1:{port}", "https://[::1]:{port}", "https://[::ffff:127.0.0.1]:{port}", "https://0.0.0.0:{port}",
    "https://169.254.169.254", "https://[fd00:ec2::254]", "https://[64:ff9b::a9fe:a9fe]", "https://10.0.0.1",
    "https://192.168.1.1", "http://8.8.8.8", "https://127.0.0.1.:{port}",
    "https://017700000001:{port}", "https://[::ffff:7f00:1]:{port}", "https://jira.example@127.0.0.1:{port}",
)  # fmt: skip
"""This machine, metadata services, private ranges, and a public address without encryption; with a dot at the end, by
their numbers, wrapped, behind a user name that looks like a host."""

METADATA = (
    "https://169.254.169.254", "https://169.254.169.254.", "https://2852039166", "https://0xa9fea9fe",
    "https://0251.0376.0251.0376", "https://[::ffff:169.254.169.254]", "https://[fd00:ec2::254]",
    "https://100.100.100.200", "http://169.254.169.254",
)  # fmt: skip


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """Listens on this machine; nothing may ever connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    async with hubspot_server() as server:
        yield server


def guarded(office: Office, **more: Any) -> None:
    office.app.state.equipment = replace(office.equipment, **more)


def forms(address: str) -> Iterator[dict[str, Any]]:
    auth = {"kind": "api_token", "email": "hub@acme.example", "token": "CANARY"}
    yield {"connector": "jira", "name": "j", "options": {"base_url": address, "auth": auth}}
    yield {"connector": "hubspot", "name": "h", "options": {"base_url": address, "token": "CANARY"}}
    host, _, port = address.partition("://")[2].rpartition(":")
    if host and port.isdecimal():
        auth = {"kind": "password", "user": "x", "password": "CANARY"}
        yield {"connector": "mailbox", "name": "m", "options": {"host": host.strip("[]"), "port": port, "auth": auth}}


@pytest.mark.parametrize("address", INSIDE)
async def test_addresses_that_lead_inside_are_refused(office: Office, trap: socket.socket, address: str) -> None:
    guarded(office, policy=Policy())
    for body in forms(address.format(port=trap.getsockname()[1])):
        tested = await office.http.post("/v1/connections/test", json=body)
        # What is no address at all has no steps.
        assert tested.status_code == 422 or [one["ok"] for one in tested.json()["steps"]] == [False], body
        for path in ("/v1/connections/preview", "/v1/connections/estimate", "/v1/connections"):
            answer = await office.http.post(path, json=body)
            refused = answer.status_code in (422, 503) or answer.json() == {"things": None}
            assert refused, (path, answer.text)
            assert "CANARY" not in answer.text


@pytest.mark.parametrize("address", METADATA)
async def test_metadata_services_are_reached_by_nobody(office: Office, address: str) -> None:
    """Whatever the settings allow."""
    guarded(office, policy=Policy(allow_loopback=True, allowed=(ip_network("0.0.0.0/0"), ip_network("::/0"))))
    for body in forms(address):
        answer = await office.http.post("/v1/connections/test", json=body)
        if answer.status_code == 422:  # no address at all, as one in octal numbers
            continue
        (step,) = answer.json()["steps"]
        assert not step["ok"]
        assert any(word in step["says"] for word in ("metadata", "without encryption")), step


class _Redirects(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data", "http://[::ffff:169.254.169.254]/", "{trap}"]
)
async def test_a_redirect_is_not_followed(office: Office, trap: socket.socket, target: str) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Redirects)
    server.target = target.format(trap=f"http://127.0.0.1:{trap.getsockname()[1]}/x")  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        for connector in ("jira", "hubspot"):
            (body,) = (one for one in forms(f"http://127.0.0.1:{server.server_port}") if one["connector"] == connector)
            told = await office.ask("POST", "/v1/connections/test", body)
            assert "redirect" in told["steps"][-1]["says"]
            assert not told["ok"]
    finally:
        server.shutdown()
        server.server_close()


async def test_a_name_that_changes_its_answer_is_looked_at_each_time(office: Office, hubspot: HubSpotServer) -> None:
    answers = ["127.0.0.1"]

    def lying(host: str, port: int) -> list[str]:
        del host, port
        return [answers.pop(0) if answers else "169.254.169.254"]

    guarded(office, resolver=lying)
    body = sales(hubspot, base_url=hubspot.url.replace("127.0.0.1", "tool.example"))
    told = await office.ask("POST", "/v1/connections/test", body)
    assert [one["ok"] for one in told["steps"]] == [True, False]
    assert "tool.example" in told["steps"][-1]["says"]
    hubspot.exchanges = []
    for path in ("/v1/connections/preview", "/v1/connections"):
        await office.ask("POST", path, body, 422)
    assert hubspot.exchanges == []
