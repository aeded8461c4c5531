"""A relay in front of a real identity provider: what passes is the provider's own, but for what a test says."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_DISCOVERY = "/.well-known/openid-configuration"


class Relay(ThreadingHTTPServer):
    """Listens on this machine. The provider takes the relay's address for its own."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        """port: of the provider."""
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind = port
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.seen: list[str] = []
        self.honest()

    def honest(self) -> None:
        """As if it were not there."""
        self.lies: dict[str, Any] = {}
        """What the discovery document says instead."""
        self.bare = False
        """Whether tokens are asked for under the provider's own address, so that they are of another issuer."""
        self.unsigned = False
        """Whether the signature of ID tokens is another's."""
        self.moved: str | None = None
        """Where every request is redirected to."""
        self.silent = False
        """Whether connections end without an answer."""

    def handle_error(self, *_: Any) -> None:
        """Whoever leaves is no fault."""


class _Passing(BaseHTTPRequestHandler):
    server: Relay

    def do_GET(self) -> None:
        relay = self.server
        relay.seen.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if relay.silent:
            return
        if relay.moved is not None:
            self._answer(302, [("Location", relay.moved)], b"")
            return
        bare = relay.bare and self.command == "POST" and self.path.endswith("/token")
        host = f"127.0.0.1:{relay.behind}" if bare else self.headers["Host"]
        sent = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        behind = http.client.HTTPConnection("127.0.0.1", relay.behind, timeout=30)
        behind.request(self.command, self.path, body, sent | {"Host": host, "Accept-Encoding": "identity"})
        answer = behind.getresponse()
        told = answer.read()
        behind.close()
        kept = ("content-type", "location", "set-cookie")
        self._answer(answer.status, [one for one in answer.getheaders() if one[0].lower() in kept], self._other(told))

    do_POST = do_GET  # noqa: N815

    def _other(self, told: bytes) -> bytes:
        relay = self.server
        if self.path.endswith(_DISCOVERY) and relay.lies:
            return json.dumps(json.loads(told) | relay.lies).encode()
        if relay.unsigned and self.path.endswith("/token"):
            held = json.loads(told)
            head, _, signature = held["id_token"].rpartition(".")
            held["id_token"] = f"{head}.{signature[::-1]}"
            return json.dumps(held).encode()
        return told

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    """A relay that runs."""
    relay = Relay(port)
    Thread(target=relay.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
