"""A site that has just begun: look-ups are answered at once, whatever else is asked for waits until it is loaded."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.applications import Starlette
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

LATEST = 5.0
"""Seconds after which the rest is loaded, whether anybody asked for it or not."""


class Early:
    """ASGI: an application that is there already, and the whole one, which takes its place once it is made.

    A request that the first has no route for waits for the whole: nothing is answered with a 404 because it is late.
    """

    def __init__(self, first: Starlette, whole: Callable[[], ASGIApp]) -> None:
        """first: answers what it has a route for as the whole would. whole: makes that one; called once, in a thread,
        because what it needs takes long to load."""
        self._first = first
        self._make = whole
        self._whole: ASGIApp | None = None
        self._making: asyncio.Future[ASGIApp] | None = None
        self._wanted = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises what making the whole raises."""
        app = self._whole or (self._first if self._routed(scope) else await self._made())
        await app(scope, receive, send)

    async def run(self, latest: float = LATEST) -> None:
        """Have the whole made once it is asked for, or after so many seconds. Raises what making it raises."""
        with suppress(TimeoutError):
            async with asyncio.timeout(latest):
                await self._wanted.wait()
        await self._made()

    def _routed(self, scope: Scope) -> bool:
        asked = dict(scope)  # which matching writes in
        if asked.get("method") == "HEAD":
            asked["method"] = "GET"  # as which it is answered
        return any(route.matches(asked)[0] is Match.FULL for route in self._first.routes)

    async def _made(self) -> ASGIApp:
        if self._making is None:
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make))
            self._wanted.set()
        self._whole = await asyncio.shield(self._making)  # who goes away ends it for nobody else
        return self._whole
