"""A small Jira on loopback: the read API of Cloud v3 or Data Center v2, strict, late and limited like the real one.

    with FakeJira(now=clock) as fake:
        anna = fake.state.add_user("Anna Kern", "anna@acme.example")
        fake.state.add_project("PAY", "Payments")
        fake.hands.create("PAY", "Refunds take too long", at=clock(), by=anna)
        ...  # fake.url; fake.email and fake.token (Cloud), fake.token (Data Center)

Every request that would change something is refused and kept in `writes`; only webhooks may be entered, where the
account is an administrator: `registry` has them. Faults are switched on by name.
"""

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from services.sandbox.jira_answers import Answers, Bad
from services.sandbox.jira_company import Hands
from services.sandbox.jira_registry import NEWER, OLDER, Registry
from services.sandbox.jira_shapes import Edition
from services.sandbox.jira_state import JiraState

FAULTS = frozenset(
    {
        "500",
        "502",
        "503",
        "429",
        "slow",
        "html",
        "cut",
        "empty",
        "401",
        "403",
        "410",
        "anonymous",
        "repeat-token",
        "circling-tokens",
        "no-bulk",
        "no-webhooks",
    }
)
"""What can be switched on with `fault`."""
_QUESTIONS = frozenset({"search/jql", "search/approximate-count", "changelog/bulkfetch"})
_READER = "Hub Reader"


class FakeJira:
    """The server, its state, and what it was asked. A context manager; listens on a free port of 127.0.0.1."""

    def __init__(
        self,
        edition: Edition = "cloud",
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lag: timedelta = timedelta(seconds=90),
        zone: str = "America/New_York",
        scoped: bool = False,
        page_cap: int = 100,
        burst: int = 350,
        port: int = 0,
        version: tuple[int, ...] = (10, 3, 2),
        administrator: bool = False,
    ) -> None:
        """version: of a Data Center. administrator: the account may enter webhooks."""
        self.version, self.administrator = version, administrator
        self.edition, self.now, self.scoped = edition, now, scoped
        self.state = JiraState(lag)
        self.hands = Hands(self.state)
        self.email, self.token, self.cloud_id = "reader@acme.example", "fake-token-0123456789abcdef", "c10d-1d"
        self.account = self.state.add_user(_READER, self.email)
        self.state.users[self.account].zone = zone
        self.writes: list[str] = []
        self.requests: list[tuple[str, str, Any]] = []
        """(method, path below the API's version, parameters or body) of every request that was answered."""
        self.faults: set[str] = set()
        self.spoil: Callable[[Any], Any] | None = None
        """Makes of each answer's JSON what is sent instead."""
        self.broken: set[str] = set()
        """Issues, by id, that are damaged: they are listed, but all that is asked of one of them answers 500; or one
        thing of them, as in `10001/remotelink`."""
        self.lock = threading.RLock()
        """Held while a request is answered: hold it to make several changes as one."""
        self._tokens: list[str] = []
        self._page_cap, self._burst, self._spent = page_cap, burst, (0.0, float(burst))
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None

    def __enter__(self) -> Self:
        self.answers = Answers(
            self.state, self.edition, self.url, self.account, self.now, self._page_cap, self.version, self.administrator
        )
        self.registry = Registry(self, self.answers.query)
        app = Starlette(routes=[Route("/{path:path}", self._handle, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])])
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", lifespan="off", ws="none", access_log=False, date_header=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def fault(self, name: str, *, on: bool) -> None:
        """Switch a fault on or off; see FAULTS."""
        if name not in FAULTS:
            raise ValueError(f"{name}: no such fault")
        with self.lock:
            (self.faults.add if on else self.faults.discard)(name)

    async def _handle(self, request: Request) -> Response:
        body = await request.body()
        if "slow" in self.faults:
            await asyncio.sleep(2)
        with self.lock:
            response = self._spoiled(self._answer(request, body))
            response.headers["Date"] = format_datetime(self.now().astimezone(UTC), usegmt=True)
            return response

    def _answer(self, request: Request, raw: bytes) -> Response:
        version = "3" if self.edition == "cloud" else "2"
        base = (f"/ex/jira/{self.cloud_id}" if self.scoped else "") + f"/rest/api/{version}/"
        path = request.url.path
        try:
            if self.scoped and not path.startswith("/ex/jira/"):
                raise Bad(401, "Unauthorized; scope does not match")
            if any(path.endswith(one) or f"{one}/" in path for one in (OLDER, NEWER)):
                return self._webhook(request, raw)
            if not path.startswith(base):
                raise Bad(404, "null for uri")
            resource = path.removeprefix(base)
            self._limited()
            if "no-bulk" in self.faults and resource == "changelog/bulkfetch":
                raise Bad(400, "issueIdsOrKeys: one of them cannot be read.")
            given = self._given(request, resource, raw)
            self.requests.append((request.method, resource, given))
            self._look_for_damage(resource, given)
            return self._signed(request, resource, given)
        except Bad as bad:
            return self._bad(bad)

    def _webhook(self, request: Request, raw: bytes) -> Response:
        if self.scoped or not self._knows(request.headers.get("authorization", "")):
            raise Bad(401, "Unauthorized; scope does not match")
        if "no-webhooks" in self.faults:
            raise Bad(404, "null for uri")
        if not self.administrator:
            if request.method != "GET":
                self.writes.append(f"{request.method} {request.url.path}")
            raise Bad(403, "You are not authorized to perform this action. Administrator privileges are required.")
        return self.registry.answer(request.method, request.url.path, request.query_params, raw)

    def _given(self, request: Request, resource: str, raw: bytes) -> dict[str, Any]:
        if request.method == "GET":
            return dict(request.query_params)
        if request.method != "POST" or resource not in _QUESTIONS or self.edition == "datacenter":
            self.writes.append(f"{request.method} {request.url.path}")
            raise Bad(403, "This sandbox is only to be read.")
        try:
            body = json.loads(raw)
        except ValueError:
            raise Bad(400, "Invalid request payload. Refer to the REST API documentation and try again.") from None
        if not isinstance(body, dict) or request.query_params:
            raise Bad(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        return body

    def _signed(self, request: Request, resource: str, given: dict[str, Any]) -> Response:
        anonymous = "anonymous" in self.faults
        signed = not anonymous and self._knows(request.headers.get("authorization", ""))
        headers = {"X-AUSERNAME": "anonymous"} if anonymous and self.edition == "datacenter" else {}
        if anonymous and self.edition == "cloud":
            headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        if anonymous and ("search" in resource or resource == "changelog/bulkfetch"):
            return JSONResponse({"issues": [], "isLast": True, "total": 0, "issueChangeLogs": []}, headers=headers)
        if not signed and resource != "serverInfo":
            raise Bad(401, "Client must be authenticated to access this resource.")
        return JSONResponse(self._route(resource, given), headers=headers)

    def _knows(self, authorization: str) -> bool:
        if self.edition == "datacenter":
            return authorization == f"Bearer {self.token}"
        pair = base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        return authorization == f"Basic {pair}"

    def _route(self, resource: str, given: dict[str, Any]) -> Any:
        cloud, answers = self.edition == "cloud", self.answers
        fixed: dict[str, Callable[[dict[str, Any]], Any]] = {
            "serverInfo": answers.server_info,
            "myself": answers.myself,
            "mypermissions": answers.my_permissions,
            "field": answers.fields,
            "status": answers.statuses,
            "issuetype": answers.issue_types,
            **(
                {
                    "project/search": answers.projects,
                    "search/jql": answers.enhanced_search,
                    "search/approximate-count": answers.count,
                    "changelog/bulkfetch": answers.changelogs,
                }
                if cloud
                else {"project": answers.projects, "search": answers.offset_search}
            ),
        }
        if resource in fixed:
            return fixed[resource](given)
        if resource == "search":
            raise Bad(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
        match resource.split("/"):
            case ["project", key]:
                return answers.project(key, given)
            case ["issue", key]:
                return answers.issue(key, given)
            case ["issue", key, "changelog"] if cloud:
                return answers.changelog(key, given)
            case ["issue", key, "comment"]:
                return answers.comments(key, given)
            case ["issue", key, "remotelink"]:
                return answers.remote_links(key, given)
        raise Bad(404, "null for uri")

    def _look_for_damage(self, resource: str, given: dict[str, Any]) -> None:
        head, *rest = resource.split("/")
        keys, kind = (rest[:1], "/".join(rest[1:])) if head == "issue" else (given.get("issueIdsOrKeys"), "changelog")
        issues = [self.state.issue(str(key)) for key in keys] if isinstance(keys, list) else []
        if any(issue and self.broken & {issue.id, f"{issue.id}/{kind}"} for issue in issues):
            raise Bad(500, "Internal server error")

    def _limited(self) -> None:
        """A bucket of `burst` requests that fills in ten seconds, and 429 beyond it."""
        before, left = self._spent
        now = time.monotonic()
        left = min(float(self._burst), left + (now - before) * self._burst / 10) if before else left
        self._spent = (now, left - 1 if left >= 1 else left)
        if left < 1:
            raise Bad(429, "Rate limit exceeded.")

    def _bad(self, bad: Bad) -> Response:
        headers = {"Retry-After": "1", "RateLimit-Reason": "jira-burst-based"} if bad.status == 429 else {}
        return JSONResponse(bad.body, bad.status, headers)

    def _spoiled(self, answer: Response) -> Response:
        """The answer, or what the fault that is switched on makes of it."""
        for name in ("500", "502", "503", "401", "403", "410", "429"):
            if name in self.faults:
                headers = {"Retry-After": "1"} if name in ("429", "503") else {}
                return JSONResponse({"errorMessages": ["fault"], "errors": {}}, int(name), headers)
        if "html" in self.faults:
            return HTMLResponse("<!DOCTYPE html><html><title>Log in</title></html>")
        if "empty" in self.faults:
            return Response(b"", 200, media_type="application/json")
        if "cut" in self.faults:
            return _cut(bytes(answer.body))
        odd = {"repeat-token", "circling-tokens"} & self.faults or self.spoil
        return self._odd(answer) if odd and answer.body else answer

    def _odd(self, answer: Response) -> Response:
        """What is JSON all the same, and nothing that Jira says."""
        body = json.loads(bytes(answer.body))
        if "repeat-token" in self.faults and "nextPageToken" in body:
            body["nextPageToken"] = "the-same"
        if "circling-tokens" in self.faults and "nextPageToken" in body:
            self._tokens.append(body["nextPageToken"])
            # The third page leads back to the second, and that to the third again.
            body["nextPageToken"] = self._tokens[(len(self._tokens) + 1) % 2]
        if self.spoil is not None:
            body = self.spoil(body)
        kept = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Response(json.dumps(body), answer.status_code, kept)


def _cut(body: bytes) -> Response:
    """Half of the body under the whole's length: the connection breaks off in the middle."""

    async def half() -> Any:
        yield body[: len(body) // 2]

    return StreamingResponse(half(), headers={"Content-Length": str(len(body))}, media_type="application/json")
