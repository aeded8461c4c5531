"""Addresses that whoever runs the hub gives: never a metadata service, never with a password, followed nowhere else."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from connectors.addresses import literal, never_reached
from schemas.errors import Misconfigured
from services.admin.hooking import reachable
from services.admin.setting_up import Wanted
from services.settings import PREFIX, read_settings
from services.telemetry import Tracing
from tests.services.admin.conftest import SQLITE, Office, office

__all__ = ["office"]

MORE = {"OIDC_CLIENT_ID": "hub", "OIDC_CLIENT_SECRET": "x"}
VARIABLES = ("SITE_URL", "PUBLIC_URL", "OTLP_ENDPOINT", "OIDC_ISSUER")
NEVER = (
    "https://169.254.169.254", "https://169.254.169.254./x", "https://2852039166", "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376", "https://[::ffff:169.254.169.254]", "https://[fd00:ec2::254]:4318",
    "https://[fe80::1]", "https://user@hub.example", "https://user:CANARY@hub.example",
)  # fmt: skip


def settings(variable: str, address: str) -> Any:
    told = {"SITE_URL": "https://hub.acme.example", **MORE} if variable == "OIDC_ISSUER" else {}
    return read_settings({PREFIX + name: value for name, value in {**told, variable: address}.items()})


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_setting_names_no_metadata_service_and_no_password(variable: str) -> None:
    for address in NEVER:
        with pytest.raises(Misconfigured, match=f"{PREFIX}{variable}: ") as raised:
            settings(variable, address)
        assert "CANARY" not in str(raised.value)
    for address in ("https://collector.acme.example/x", "https://10.0.0.7:8443", "http://127.0.0.1:4318"):
        assert str(getattr(settings(variable, address), variable.lower())).rstrip("/") == address


def test_an_address_is_known_in_every_spelling() -> None:
    for host in ("127.0.0.1", "127.0.0.1.", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:7f00:1]", "127.1"):
        told = literal(host)
        assert told is not None, host
        assert (getattr(told, "ipv4_mapped", None) or told).is_loopback
        assert not never_reached(host)
    for host in ("hub.example", "localhost", "", "1.2.3.4.5", "0x", "\u0661\u0662\u0667.1"):
        assert literal(host) is None, host


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """Listens on this machine; nothing may ever connect."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


class _Moved(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1  # type: ignore[attr-defined]
        self.send_response(307)
        self.send_header("Location", self.server.target)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def moved(trap: socket.socket) -> Iterator[Any]:
    """A server that sends everybody to the trap."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Moved)
    server.target, server.asked = f"http://127.0.0.1:{trap.getsockname()[1]}/x", 0
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_traces_go_where_they_are_sent_and_nowhere_else(moved: Any) -> None:
    tracing = Tracing(f"http://127.0.0.1:{moved.server_port}", "feed")
    with tracing.span("page.publish"):
        pass
    tracing.close()
    assert moved.asked == 1


@SQLITE
async def test_the_webhooks_own_address_is_followed_nowhere_else(office: Office, moved: Any) -> None:
    parts = replace(office.equipment, hooks_url=f"http://127.0.0.1:{moved.server_port}")
    hubspot = parts.catalogue["hubspot"]
    options = hubspot.Options.model_validate({"token": "x", "client_secret": "CANARY"})
    step = await reachable(parts, Wanted("sales", "Sales", hubspot, options, None))
    assert step is not None
    assert not step.ok
    assert "HTTP 307" in step.says
    assert moved.asked == 1
