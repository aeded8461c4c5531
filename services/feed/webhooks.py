"""The webhook listener: verify over the raw bytes, write to the inbox, answer. It serves nothing else.

A delivery is answered within two seconds whatever the broker does: 204 once it is stored (or known), 401 where nothing
proves its sender, 413 for a body that no tool sends, 503 while the database is away (the tool then repeats it).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.contract import BadRecord, Connector, Delivery, Misconfigured, Unverified
from pipelines.store.engine import AWAY, reading, writing
from services.feed import beside, connections, inbox
from services.security import KeyRing

logger = logging.getLogger("throughline.webhooks")

LARGEST = 5_000_000
"""Bytes of a body."""
PATIENCE = 1.8
"""Seconds for the database."""


class NoSuchConnection(Unverified):
    """Nothing is known by the name in the address."""


class Refusals:
    """Refused deliveries in the log: of each connection one line a minute, with how many there were since the last."""

    def __init__(self, now: Callable[[], datetime], every: timedelta = timedelta(minutes=1)) -> None:
        self._now, self._every = now, every
        self._told: dict[str | None, datetime] = {}
        self._since: Counter[str | None] = Counter()

    def tell(self, connection: str | None, kind: str) -> None:
        """One more. connection None: none that is known."""
        self._since[connection] += 1
        last = self._told.get(connection)
        if last is not None and self._now() - last < self._every:
            return
        self._told[connection] = self._now()
        told = {"connection": connection or "unknown", "kind": kind, "deliveries": self._since.pop(connection)}
        logger.warning("webhook.refused", extra=told)


class Webhooks:
    """Answers deliveries of all connections under `/hooks/<connection>`."""

    def __init__(
        self,
        engine: AsyncEngine,
        catalogue: dict[str, Connector],
        keys: KeyRing,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self.engine = engine
        self.catalogue = catalogue
        self.keys = keys
        self.public_url = public_url.rstrip("/")
        self.now = now
        self._left: set[asyncio.Task[Response]] = set()
        self._refusals = Refusals(now)

    def app(self) -> Starlette:
        """The listener."""
        routes = [
            Route("/hooks/{connection}", self.receive, methods=["POST"]),
            Route("/hooks/{connection}/{secret}", self.receive, methods=["POST"]),
        ]
        made = Starlette(routes=routes, exception_handlers={HTTPException: _elsewhere})
        made.router.redirect_slashes = False
        return made

    async def receive(self, request: Request) -> Response:
        """One delivery."""
        try:
            body = await _body(request)
        except ClientDisconnect:
            return _problem(400, "the sender left before it had sent all")  # which nobody reads
        if body is None:
            return _problem(413, "the body is larger than any tool sends")
        query = f"?{request.url.query}" if request.url.query else ""
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery("POST", f"{self.public_url}{request.url.path}{query}", headers, body)
        storing = asyncio.create_task(self._store(request.path_params["connection"], delivery))
        try:
            return await asyncio.wait_for(asyncio.shield(storing), PATIENCE)
        except (Unverified, Misconfigured) as error:
            unknown = isinstance(error, NoSuchConnection)  # its name is what the sender made up: not told
            self._refusals.tell(None if unknown else request.path_params["connection"], type(error).__name__)
            return _problem(401, "nothing proves who sent this; look at the secret, the address and the clock")
        except AWAY:
            self._leave(storing)
            return _problem(503, "it cannot be stored now; send it again", {"Retry-After": "30"})

    def _leave(self, storing: "asyncio.Task[Response]") -> None:
        """Let it end by itself, which can take long: what it stores yet is known when the sender repeats it."""
        if storing.cancel():
            self._left.add(storing)
            storing.add_done_callback(self._left.discard)

    async def _store(self, name: str, delivery: Delivery) -> Response:
        async with reading(self.engine) as connection:
            stored = await connections.get(connection, name)
        if stored is None or stored.connector not in self.catalogue:
            raise NoSuchConnection("no such connection")
        connector = self.catalogue[stored.connector]
        options = connections.parse_options(connector.Options, connections.with_secrets(stored, self.keys))
        try:
            pushed = connector.verify(name, options, delivery, self.now())
            named = pushed.delivery
        except BadRecord:
            named = ""  # its sender is proved; reading it again will set it aside with the reason
        async with writing(self.engine) as connection:
            if await inbox.put(connection, name, delivery, named, self.now()):
                await connections.change(connection, name, wanted=True)
                await beside.received(connection, name, self.now())
        return Response(status_code=204)


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return bytes(body)


async def _elsewhere(_: Request, error: Exception) -> Response:
    """Any other path or method."""
    assert isinstance(error, HTTPException)
    return _problem(error.status_code, "webhooks come by POST to /hooks/NAME; nothing else is here", error.headers)


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    content = {"type": "about:blank", "status": status, "detail": detail}
    return JSONResponse(content, status, headers, media_type="application/problem+json")
