"""The API as pages ask it: inside this process, in the name of whoever reads the page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.access import Caller

_INSIDE = "http://127.0.0.1"

Query = Mapping[str, str | int | float | bool | Sequence[str]]


@dataclass(slots=True)
class Failed(Exception):
    """The API refused; `problem` is its problem document (RFC 9457)."""

    status: int
    problem: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """Decoded JSON; None for an empty body."""


class Api:
    """The API application, asked in one caller's name. Nothing leaves the process, and no credential is needed."""

    def __init__(self, app: ASGIApp, caller: Caller | None, client: tuple[str, int] | None = None) -> None:
        """caller: None where nobody is signed in. client: the reader's address, for throttling and the audit."""
        self._app = app
        self._caller = caller
        self._client = client

    async def get(self, path: str, **query: Any) -> Any:
        """The JSON of a resource. Parameters that are None or empty are left out. Raises Failed."""
        return (await self.ask("GET", path, query=query)).body

    async def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON that a change answers, made on whatever the versions are. Raises Failed."""
        return (await self.ask("POST", path, body, query=query)).body

    async def ask(
        self, method: str, path: str, body: Any = None, *, query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Any call. headers: such as If-Match, which is `*` for a change that does not say. Raises Failed."""
        wanted = {name: _written(value) for name, value in (query or {}).items() if value not in (None, "", [], ())}
        sent = ({} if method == "GET" else {"If-Match": "*"}) | dict(headers or {})
        async with self._client_of() as client:
            if method == "GET":
                answer = await client.request(method, path, params=wanted, headers=sent)
            else:
                answer = await client.request(method, path, params=wanted, headers=sent, json=body or {})
        told = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text or None
        if answer.status_code >= 300:
            raise Failed(answer.status_code, told if isinstance(told, dict) else {"detail": "The API gave no reason."})
        return Answer(answer.status_code, answer.headers, told)

    @asynccontextmanager
    async def _client_of(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(self._as_caller, client=self._client or ("127.0.0.1", 0))
        async with httpx2.AsyncClient(transport=transport, base_url=_INSIDE) as client:
            yield client

    async def _as_caller(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"caller": self._caller}}, receive, send)


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def api_of(request: Request) -> Api:
    """The API in the name of whoever sent this request."""
    api: ASGIApp = request.app.state.api
    client = request.scope.get("client")
    return Api(api, request.scope["state"].get("caller"), tuple(client) if client else None)
