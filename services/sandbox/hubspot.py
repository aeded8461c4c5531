"""A small HubSpot on loopback: the read API, dated and v3/v4, as strict, late and limited as the real one.

    account = Account(clock)
    async with HubSpotServer(account) as server:
        ...  # server.url, server.token

An unknown parameter, property or body field is an error; every request that would write is refused and remembered.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.hubspot_account import Account
from services.sandbox.hubspot_answers import Answers, Missing
from services.sandbox.hubspot_limits import Limits
from services.sandbox.hubspot_search import Invalid
from services.sandbox.hubspot_vocabulary import KINDS, SCOPES

FAULTS = ("5xx", "time-out", "html", "cut", "401", "429", "empty 200", "empty object")
"""Faults that can be switched on for every request; a missing scope is made by taking it from `scopes`."""
ODDITIES = ("total", "partial", "repeat")
"""Odd but seen: a total of -2147483648, a batch of which HubSpot could not read a part, a page that leads to itself."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, for checking both against the vendor's documents."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    answer: Any


@dataclass
class HubSpotServer:
    """The server; an async context manager."""

    account: Account
    token: str = "pat-na1-sandbox-0000"  # noqa: S105 - the sandbox's own, worth nothing
    port: int = 0
    """0: any free one."""
    limits: Limits = field(default_factory=Limits)
    scopes: set[str] = field(default_factory=lambda: set(SCOPES.values()))
    faults: set[str] = field(default_factory=set)
    hang: float = 120.0
    """Seconds that a request hangs under the fault "time-out"."""
    writes: list[str] = field(default_factory=list)
    """Each request that would have changed something."""
    spoil: Callable[[Any], Any] | None = None
    """Makes of each answer what is sent instead."""
    exchanges: list[Exchange] | None = None
    """Requests and answers, where somebody wants them kept."""

    async def __aenter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self.port))
        # Inherited by what it accepts: head and body are two writes, and the second would wait 40 ms for an ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(self.app(), log_level="critical", date_header=False, lifespan="off", ws="none")
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listening]))
        await self._server.listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        """The server as an ASGI application."""
        everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return Starlette(routes=[Route("/{path:path}", self._answered, methods=everything)])

    async def _answered(self, request: Request) -> Response:
        raw = await request.body()
        status, answer = self._odd(*self._judged(request, raw))
        if self.exchanges is not None:
            kept = json.loads(raw) if raw else None
            query = dict(request.query_params)
            self.exchanges.append(Exchange(request.method, request.url.path, query, kept, status, answer))
        headers = {"Date": format_datetime(self.account.clock(), usegmt=True)}
        if self.limits.on and not request.url.path.endswith("/search"):
            headers |= self.limits.headers()
        return await self._faulty(status, answer, headers)

    def _odd(self, status: int, answer: Any) -> tuple[int, Any]:
        if "total" in self.faults and "total" in answer:
            answer = answer | {"total": -(2**31)}
        if "repeat" in self.faults and "paging" in answer:
            answer = answer | {"paging": {"next": {"after": "1"}}}
        if "repeat" in self.faults and "startedAt" in answer:
            onward = {"paging": {"next": {"after": "1"}}}
            answer = answer | {"results": [one | onward if "to" in one else one for one in answer["results"]]}
        if "partial" in self.faults and "startedAt" in answer:
            wrong = {"status": "error", "category": "INTERNAL_ERROR", "message": "", "errors": [], "links": {}}
            return 207, answer | {"numErrors": 1, "errors": [wrong | {"context": {}}]}
        return status, answer if self.spoil is None else self.spoil(answer)

    async def _faulty(self, status: int, answer: Any, headers: dict[str, str]) -> Response:
        if "time-out" in self.faults:
            await asyncio.sleep(self.hang)
        if "5xx" in self.faults:
            return JSONResponse(_error("Service unavailable", "UNAVAILABLE"), 503, headers)
        if "html" in self.faults:
            return Response("<!DOCTYPE html><html><body>Maintenance</body></html>", 200, headers, "text/html")
        if "empty 200" in self.faults:
            return Response(b"", 200, headers, "application/json")
        if "empty object" in self.faults:
            return JSONResponse({}, 200, headers)
        if "cut" in self.faults:
            whole = json.dumps(answer).encode()
            return Response(whole[: len(whole) // 2], status, headers, "application/json")
        return JSONResponse(answer, status, headers)

    def _judged(self, request: Request, raw: bytes) -> tuple[int, Any]:
        refusal = self._refused(request)
        if refusal:
            return refusal
        try:
            body = json.loads(raw) if raw else None
            if body is not None and not isinstance(body, dict):
                raise Invalid("The body must be an object")
            return self._routed(request, body)
        except Invalid as error:
            return 400, _error(str(error), "VALIDATION_ERROR")
        except Missing:
            return 404, _error("resource not found", "OBJECT_NOT_FOUND")
        except ValueError:
            return 400, _error("Invalid input JSON", "VALIDATION_ERROR")

    def _refused(self, request: Request) -> tuple[int, Any] | None:
        if request.headers.get("authorization") != f"Bearer {self.token}" or "401" in self.faults:
            return 401, _error("Authentication credentials not found", "INVALID_AUTHENTICATION")
        path = request.url.path
        policy = self.limits.refusal(search=path.endswith("/search"))
        if "429" in self.faults or policy:
            said = _error("You have reached your limit.", "RATE_LIMITS")
            return 429, said | {"errorType": "RATE_LIMIT", "policyName": policy or "TEN_SECONDLY_ROLLING"}
        return None

    def _routed(self, request: Request, body: dict[str, Any] | None) -> tuple[int, Any]:
        answers = Answers(self.account)
        api, version, rest = _split(request.url.path)
        query = dict(request.query_params)
        if request.method == "GET":
            return self._got(answers, api, rest, query, version)
        match request.method, api, rest:
            case "POST", "crm/objects", [plural, "search"]:
                return self._scoped(_kind(plural)) or (200, answers.searched(_kind(plural), body or {}, version))
            case "POST", "crm/objects", [plural, "batch", "read"]:
                return self._scoped(_kind(plural)) or answers.read(_kind(plural), body or {}, query, version)
            case "POST", "crm/associations", [one, other, "batch", "read"]:
                refused = self._scoped(_kind(one)) or self._scoped(_kind(other))
                return refused or answers.associations(_kind(one), _kind(other), body or {})
        self.writes.append(f"{request.method} {request.url.path}")
        return 405, _error("The sandbox is only read: this request would write", "METHOD_NOT_ALLOWED")

    def _got(self, answers: Answers, api: str, rest: list[str], query: dict[str, str], version: str) -> tuple[int, Any]:
        match api, rest:
            case "account-info", ["details"]:
                return 200, answers.account_details(query)
            case "crm/owners", []:
                return self._scoped("owner") or (200, answers.owners(query))
            case "crm/pipelines", [plural]:
                return self._scoped(_kind(plural)) or (200, answers.pipelines(_kind(plural), query))
            case "crm/properties", [plural]:
                return self._scoped(_kind(plural)) or (200, answers.properties(_kind(plural), query))
            case "crm/objects", [plural]:
                return self._scoped(_kind(plural)) or (200, answers.listed(_kind(plural), query, version))
            case "crm/objects", [plural, record_id]:
                return self._scoped(_kind(plural)) or (200, answers.one(_kind(plural), record_id, query, version))
        raise Missing

    def _scoped(self, kind: str) -> tuple[int, Any] | None:
        if SCOPES[kind] in self.scopes:
            return None
        said = "This app hasn't been granted all required scopes to make this call."
        context = {"requiredGranularScopes": [SCOPES[kind]]}
        return 403, _error(said, "MISSING_SCOPES") | {"errors": [{"message": said, "context": context}]}


class _Server(uvicorn.Server):
    """A server inside somebody else's process: it leaves signals alone, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _kind(plural: str) -> str:
    if plural not in KINDS:
        raise Missing
    return KINDS[plural]


def _split(path: str) -> tuple[str, str, list[str]]:
    """API, version and the rest of /crm/objects/2026-09/deals as well as of /crm/v3/objects/deals."""
    parts = [part for part in path.split("/") if part]
    for place, part in enumerate(parts):
        if part in ("2026-09", "2026-03"):
            return "/".join(parts[:place]), part, parts[place + 1 :]
        if part in ("v3", "v4") and place == 1:
            resource = parts[place + 1] if parts[0] == "crm" and len(parts) > place + 1 else ""
            if resource and (part == "v4") != (resource == "associations"):
                raise Missing
            return f"{parts[0]}/{resource}".rstrip("/"), part, parts[place + 1 + bool(resource) :]
    raise Missing


def _error(message: str, category: str) -> dict[str, Any]:
    correlation = "aeb5f871-7f07-4993-9211-075dc63e7cbf"
    return {"status": "error", "message": message, "correlationId": correlation, "category": category}
