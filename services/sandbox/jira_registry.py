"""The admin webhooks of the sandbox's Jira: entered by an administrator through REST, and told what happens.

Two resources, as the editions and versions have them: `/rest/webhooks/1.0/webhook` (Cloud, and Data Center before 10,
which signs nothing) and `/rest/jira-webhook/1.0/webhooks` (Data Center from 10 on, the secret among `configuration`).
Strict: what neither knows is an error, and nobody but an administrator may look or write.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from services.sandbox.jira_answers import Bad
from services.sandbox.jira_jql import Query
from services.sandbox.jira_state import Issue
from services.sandbox.jira_webhooks import Site, Webhooks

OLDER, NEWER = "/rest/webhooks/1.0/webhook", "/rest/jira-webhook/1.0/webhooks"
_EVENTS = frozenset(
    f"{prefix}{thing}_{what}"
    for prefix, thing in (("jira:", "issue"), ("", "comment"), ("", "issuelink"))
    for what in ("created", "updated", "deleted")
) - {"issuelink_updated"}
_SECTION = "issue-related-events-section"
_HERE = {"127.0.0.1", "localhost", "::1"}


@dataclass(slots=True)
class Entered:
    """One webhook as it was entered."""

    number: int
    told: dict[str, Any]
    """Name, url, events, and how it was given the rest."""
    jql: str
    secret: str | None
    enabled: bool
    sending: Webhooks
    counts: dict[str, int] = field(default_factory=lambda: {"successes": 0, "failures": 0, "errors": 0})


class Registry:
    """What one Jira's administrators entered. written: method and path of every change."""

    def __init__(self, site: Site, query: Callable[[str], Query]) -> None:
        self._site, self._query = site, query
        self.entered: dict[int, Entered] = {}
        self.written: list[tuple[str, str]] = []
        self._numbers = 0

    @property
    def place(self) -> str:
        """The path of the resource that this Jira has."""
        return NEWER if self._site.edition == "datacenter" and self._site.version[0] >= 10 else OLDER

    def send(self) -> list[int]:
        """Deliver what waits, in order: the status of each answer; 0 where nobody answers."""
        statuses = []
        for one in list(self.entered.values()):
            for status in one.sending.send():
                statuses.append(status)
                kind = "errors" if status == 0 else "successes" if status < 300 else "failures"
                one.counts[kind] += 1
        return statuses

    def answer(self, method: str, path: str, params: Mapping[str, str], raw: bytes) -> Response:
        """What an administrator is answered. Raises Bad."""
        rest = path.removeprefix(self.place).strip("/")
        if not path.startswith(self.place) or (rest and not rest.isdigit()):
            raise Bad(404, "null for uri")
        if not rest:
            return self._all(params) if method == "GET" else self._add(method, path, raw)
        one = self.entered.get(int(rest))
        if one is None:
            raise Bad(404, "The webhook does not exist.")
        if method == "GET":
            return JSONResponse(self._shown(one))
        return self._change(one, method, path, raw)

    def _all(self, params: Mapping[str, str]) -> Response:
        if unknown := set(params) - ({"statistics", "start", "limit", "event"} if self.place == NEWER else set()):
            raise Bad(400, f"Unrecognized parameter: {min(unknown)}")
        start, most = int(params.get("start", 0)), int(params.get("limit", 25))
        shown = [self._shown(one) for one in self.entered.values()]
        return JSONResponse(shown[start : start + most] if self.place == NEWER else shown)

    def _add(self, method: str, path: str, raw: bytes) -> Response:
        if method != "POST":
            raise Bad(405, "Method not allowed.")
        self._numbers += 1
        one = self._entered(self._numbers, _body(raw), enabled=True)
        self.entered[one.number] = one
        self.written.append((method, path))
        return JSONResponse(self._shown(one), 201)

    def _change(self, one: Entered, method: str, path: str, raw: bytes) -> Response:
        if method == "PUT":
            body = _body(raw)
            enabled = body.pop("enabled", one.enabled) if self.place == OLDER else one.enabled
            anew = self._entered(one.number, body, enabled=enabled, secret=one.secret)
            one.sending.close()
            self.entered[one.number] = anew
            self.written.append((method, path))
            return JSONResponse(self._shown(anew))
        if method != "DELETE":
            raise Bad(405, "Method not allowed.")
        one.sending.close()
        del self.entered[one.number]
        self.written.append((method, path))
        return Response(status_code=204)

    def _entered(self, number: int, body: dict[str, Any], *, enabled: bool, secret: str | None = None) -> Entered:
        """Read as this Jira reads it: a secret that is not given stays as it was. Raises Bad."""
        own = {"active", "configuration"} if self.place == NEWER else {"filters", "excludeBody"}
        own |= {"secret"} if self._site.edition == "cloud" else set()
        if unknown := set(body) - {"name", "url", "events"} - own:
            raise Bad(400, f"Unrecognized field: {min(unknown)}")
        self._known(body)
        if self.place == NEWER:
            more = _texts(body.get("configuration", {}), {"SECRET", "FILTERS", "EXCLUDE_BODY", "DESCRIPTION"})
            jql, thin, given = more.get("FILTERS", ""), more.get("EXCLUDE_BODY") == "true", more.get("SECRET")
            enabled = body.get("active") is not False
        else:
            jql = _texts(body.get("filters", {}), {_SECTION}).get(_SECTION, "")
            thin, given = body.get("excludeBody") is True, body.get("secret")
        events = frozenset(body["events"]) if enabled else frozenset()
        secret = given or secret
        sending = Webhooks(
            self._site, body["url"], secret=secret, loss=0, duplicates=0, disorder=False, events=events,
            fits=self._fits(jql), thin=thin,
        )  # fmt: skip
        return Entered(number, body, jql, secret, enabled, sending)

    def _known(self, body: dict[str, Any]) -> None:
        events, url = body.get("events"), urlsplit(str(body.get("url", "")))
        if not isinstance(body.get("name"), str) or not body["name"].strip():
            raise Bad(400, "name: it is needed.")
        if not isinstance(events, list) or not events or not set(map(str, events)) <= _EVENTS:
            raise Bad(400, "events: one or more that Jira knows are needed.")
        if not url.hostname or (url.scheme != "https" and url.hostname not in _HERE):
            raise Bad(400, "url: only secure addresses (https) are taken.")

    def _fits(self, jql: str) -> Callable[[Issue], bool] | None:
        if not jql:
            return None
        query = self._query(jql)
        return lambda issue: bool(query.select([issue]))

    def _shown(self, one: Entered) -> dict[str, Any]:
        told = {name: value for name, value in one.told.items() if name != "secret"}
        if self.place == NEWER:
            return {"id": one.number, **told, "active": one.enabled, "scopeType": "global",
                    "statistics": {"counts": dict(one.counts)}}  # fmt: skip
        place = f"{self._site.url}{OLDER}/{one.number}"
        more = {"isSigned": one.secret is not None} if self._site.edition == "cloud" else {}
        return {**told, **more, "enabled": one.enabled, "self": place, "lastUpdatedDisplayName": "Hub Reader"}


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise Bad(400, "Invalid request payload.") from None
    if not isinstance(body, dict):
        raise Bad(400, "Invalid request payload.")
    return body


def _texts(value: object, known: set[str]) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) - known or not all(isinstance(one, str) for one in value.values()):
        raise Bad(400, "Unrecognized field or no text among filters or configuration.")
    return value
