"""Asking Jira: the `jira` library signs in and types the errors, our transport guards, limits and judges.

The library is synchronous and its session is not documented to be thread-safe: a small pool of threads of its own, one
client in each. Its retries are off (they repeat POST, and wait in the thread), and it asks for no server information.
"""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jira import JIRA, JIRAError
from requests import Response

from connectors.contract import Misconfigured, RetryLater
from connectors.jira.options import JiraOptions, PersonalAccessToken
from connectors.threads import Threads
from connectors.transport import Network, NotFound, Refused, dated, outcome

THREADS = 4
NO_CONTENT = 204
_STUMBLES = (JIRAError, TypeError, AttributeError, ValueError, RecursionError)
"""What the library raises at an error: its own, or what happens to it over a body that is not as it expects
(`"errors": null`, a list, a number)."""


class Session:
    """Signed requests to one Jira. Makes none before it is asked."""

    def __init__(self, options: JiraOptions, network: Network) -> None:
        self._options, self._network = options, network
        self._pool = Threads(THREADS, "jira")
        self._own = threading.local()
        self._clients: list[JIRA] = []
        self._lock = threading.Lock()
        self.answered_at: datetime | None = None
        """Jira's own time of its newest answer (whole seconds)."""

    async def get(self, path: str, **params: Any) -> Any:
        """GET below /rest/api/<version>/. Raises RetryLater, Misconfigured, NotFound, Refused."""
        return await self._in_thread("GET", path, params, None)

    async def needed(self, path: str) -> Any:
        """GET of what every Jira has. Raises RetryLater, Misconfigured."""
        try:
            return await self.get(path)
        except (NotFound, Refused):
            raise Misconfigured(
                f"There is no Jira at this address, or none of this edition ({path} is missing)",
                "Give the address as it stands in the browser up to the path before /browse, and look at the edition",
                "base_url",
            ) from None

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST of a question (search, bulk fetch): nothing in Jira changes by it. Raises as `get` does."""
        return await self._in_thread("POST", path, None, body)

    async def beside(self, path: str, **params: Any) -> Any:
        """GET of a whole path, beside the API that is read: the site's webhooks. Raises as `get` does."""
        return await self._in_thread("GET", path, params, None)

    async def write(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """A change at a whole path: of the site's webhooks only, when an admin asks. What is answered is not looked
        at. Raises as `get` does."""
        await self._pool.run(self._write, method, path, body)

    async def close(self) -> None:
        """End threads and connections. Requests under way end by their time-out."""
        self._pool.close()
        for client in self._clients:
            client.close()  # type: ignore[no-untyped-call]

    async def _in_thread(self, method: str, path: str, params: Any, body: Any) -> Any:
        return await self._pool.run(self._ask, method, path, params, body)

    def _ask(self, method: str, path: str, params: Any, body: Any) -> Any:
        response = self._answer(method, path, params, body)
        return outcome(response.status_code, response.headers, response.content, datetime.now(UTC))

    def _write(self, method: str, path: str, body: Any) -> None:
        response = self._answer(method, path, None, body)
        # Jira answers some of these with nothing, or with what is no JSON.
        content = b"" if response.ok else response.content
        outcome(NO_CONTENT if response.ok else response.status_code, response.headers, content, datetime.now(UTC))

    def _answer(self, method: str, path: str, params: Any, body: Any) -> Response:
        client = self._client()
        session = client._session  # noqa: SLF001 - it has no public verbs
        url = self._options.api_url + path if path.startswith("/") else client._get_url(path)  # noqa: SLF001
        self._own.answer = None
        try:
            session.request(method, url, params=params, json=body)
        except _STUMBLES:
            if self._own.answer is None:
                raise RetryLater("Jira gave no answer that could be read") from None
        response: Response = self._own.answer
        self._own.answer = None  # it may be large
        self.answered_at = dated(response.headers)
        signed_in(response.headers)
        return response

    def _heard(self, response: Response, *_: Any, **__: Any) -> None:
        self._own.answer = response

    def _client(self) -> JIRA:
        client: JIRA | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self._new_client()
            with self._lock:
                self._clients.append(client)
        return client

    def _new_client(self) -> JIRA:
        options, auth = self._options, self._options.auth
        version = "2" if options.edition == "datacenter" else "3"
        token = auth.token.get_secret_value()
        signing: dict[str, Any] = (
            {"token_auth": token} if isinstance(auth, PersonalAccessToken) else {"basic_auth": (auth.email, token)}
        )
        client = JIRA(
            server=options.api_url,
            options={"rest_api_version": version, "check_update": False},
            get_server_info=False,
            max_retries=0,
            timeout=None,  # the guarded adapter has its own
            **signing,
        )
        self._network.guard(client._session, options.ca_file)  # noqa: SLF001 - the library hands its session out nowhere
        # Whatever the library makes of an answer: what it means is ours to judge.
        client._session.hooks["response"].append(self._heard)  # noqa: SLF001 - see above
        return client


def signed_in(headers: Mapping[str, str]) -> None:
    """Raise Misconfigured where Jira answered as to a stranger: with an expired token it may say 200 and show nothing.

    Headers of Atlassian's login layer (Seraph): X-Seraph-LoginReason, and on Data Center X-AUSERNAME.
    """
    reason = headers.get("X-Seraph-LoginReason", "")
    stranger = headers.get("X-AUSERNAME", "").lower() == "anonymous"
    if stranger or "AUTHENTICATED_FAILED" in reason or "AUTHENTICATION_DENIED" in reason:
        raise Misconfigured(
            "Jira no longer knows this token and answers as to a stranger",
            "Make a new token for the same account and enter it",
            "auth.token",
        )
