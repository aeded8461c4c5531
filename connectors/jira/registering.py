"""Admin webhooks of Jira, registered by REST where the account is a Jira administrator and an admin of the hub asks.

Two resources do the same, in two forms:

- Cloud, and Data Center before 10: `/rest/webhooks/1.0/webhook` with `name`, `url`, `events`, `filters`, `excludeBody`,
  on Cloud also `secret` (developer.atlassian.com/cloud/jira/platform/webhooks). Data Center before 10 signs nothing:
  there the address ends with a token.
- Data Center from 10 on: `/rest/jira-webhook/1.0/webhooks` with `active` and `configuration`, which holds SECRET,
  FILTERS and EXCLUDE_BODY as texts; a `secret` beside them is ignored (developer.atlassian.com/server/jira/platform/
  webhooks; confluence.atlassian.com/adminjiraserver/managing-webhooks-938846912.html).

A webhook is always written whole: Jira keeps the old secret where none is given.
"""

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from connectors.contract import HubError, Misconfigured
from connectors.jira.options import JiraOptions, ScopedToken
from connectors.jira.session import Session
from connectors.jira.shapes import obj, rows, word
from connectors.registering import Hook, Manner
from connectors.transport import Forbidden, NotFound, Refused

EVENTS = (
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated",
    "comment_deleted", "issuelink_created", "issuelink_deleted",
)  # fmt: skip
WHERE = "Jira, System, WebHooks"
BY_HAND = f"or enter the webhook by hand in {WHERE}"

OLDER, NEWER = "/rest/webhooks/1.0/webhook", "/rest/jira-webhook/1.0/webhooks"
_NEWER_FROM = 10
_SECTION = "issue-related-events-section"
_AT_ONCE = 100
_LAST_NUMBER = re.compile(r"/(\d{1,18})/?$")


class JiraRegistry:
    """The webhooks of one Jira site; see connectors.registering.Registry."""

    def __init__(self, connection: str, options: JiraOptions, session: Session) -> None:
        self._name = f"Throughline ({connection})"
        self._options, self._session = options, session
        self._version: int | None = None

    async def manner(self) -> Manner:
        """How it would be registered. Raises Misconfigured where this account may not, RetryLater."""
        await self._may()
        older = await self._older()
        unsigned = older and self._options.edition == "datacenter"
        proof = "webhook_token" if unsigned else "webhook_secret"
        return Manner(self._name, EVENTS, self._options.scope_jql, proof, unsigned, WHERE)

    async def found(self) -> Sequence[Hook]:
        """All that Jira has. Raises Misconfigured, RetryLater."""
        older = await self._older()
        told = await (self._listed_older() if older else self._listed_newer())
        hooks = [_older(one) if older else _newer(one) for one in told]
        return [self._judged(one) for one in hooks if one.id]

    async def put(self, manner: Manner, url: str, secret: SecretStr, instead: str | None) -> None:
        """Write one whole. Raises Misconfigured, RetryLater."""
        address = manner.address(url, secret)
        older = await self._older()
        body: dict[str, Any] = {"name": manner.name, "url": address, "events": list(manner.events)}
        body |= _as_older(manner, secret) if older else _as_newer(manner, secret)
        place = OLDER if older else NEWER
        if instead is None:
            await self._asked(self._session.write("POST", place, body))
        else:  # it may have been disabled
            body |= {"enabled": True} if older else {}
            await self._asked(self._session.write("PUT", f"{place}/{instead}", body))

    async def drop(self, hook: str) -> None:
        """Remove one. Raises Misconfigured, RetryLater."""
        place = OLDER if await self._older() else NEWER
        await self._asked(self._session.write("DELETE", f"{place}/{hook}"), may_be_gone=True)

    async def _may(self) -> None:
        told = obj(await self._asked(self._session.get("mypermissions", permissions="ADMINISTER")))
        administers = obj(obj(told.get("permissions")).get("ADMINISTER"))
        if administers.get("havePermission") is not True:
            raise no_administrator()

    async def _older(self) -> bool:
        """Whether this Jira has the older resource."""
        if self._options.edition == "cloud":
            return True
        if self._version is None:
            numbers = obj(await self._session.needed("serverInfo")).get("versionNumbers")
            first = numbers[0] if isinstance(numbers, list) and numbers else 0
            self._version = first if isinstance(first, int) else 0
        return self._version < _NEWER_FROM

    async def _listed_older(self) -> list[dict[str, Any]]:
        return list(rows(await self._asked(self._session.beside(OLDER))))

    async def _listed_newer(self) -> list[dict[str, Any]]:
        """Page by page; a Jira that ignores where to start would tell the same again."""
        every: dict[str, dict[str, Any]] = {}
        while True:
            asks = {"statistics": "true", "start": str(len(every)), "limit": str(_AT_ONCE)}
            page = list(rows(await self._asked(self._session.beside(NEWER, **asks))))
            fresh = {str(one.get("id")): one for one in page if str(one.get("id")) not in every}
            every |= fresh
            if len(page) < _AT_ONCE or not fresh:
                return list(every.values())

    async def _asked(self, answer: Awaitable[Any], *, may_be_gone: bool = False) -> Any:
        try:
            return await answer
        except NotFound:
            if may_be_gone:
                return None
            raise self._missing() from None
        except Refused as refusal:
            raise _refused(refusal) from None
        except Misconfigured as error:
            raise self._denied(error) from None

    def _missing(self) -> HubError:
        if isinstance(self._options.auth, ScopedToken):
            return _scoped()
        return Misconfigured(
            "Webhooks are switched off in this Jira, or it has none where its version should",
            f"Have Jira's administrator switch on the system app for webhooks, {BY_HAND}",
        )

    def _denied(self, error: Misconfigured) -> HubError:
        if isinstance(self._options.auth, ScopedToken):
            return _scoped()
        return no_administrator() if isinstance(error, Forbidden) else error

    def _judged(self, told: "_Told") -> Hook:
        fits = (
            told.enabled and not told.thin and set(told.events) == set(EVENTS)
            and told.filter == self._options.scope_jql
        )  # fmt: skip
        says = f"“{told.name}” is {'enabled' if told.enabled else 'disabled'}{told.failed}"
        return Hook(told.id, told.name, told.url, told.enabled, fits, says)


class _Told:
    """A webhook as either resource tells it."""

    def __init__(self, told: Mapping[str, Any], number: str, *, enabled: bool) -> None:
        self.id, self.enabled = number, enabled
        self.name, self.url = word(told.get("name")) or "without a name", word(told.get("url")) or ""
        events = told.get("events")
        self.events = [str(one) for one in events] if isinstance(events, list) else []
        self.filter, self.thin, self.failed = "", False, ""


def _older(one: Mapping[str, Any]) -> _Told:
    place = _LAST_NUMBER.search(word(one.get("self")) or "")
    told = _Told(one, place[1] if place else "", enabled=one.get("enabled") is not False)
    told.filter = word(obj(one.get("filters")).get(_SECTION)) or ""
    told.thin = one.get("excludeBody") is True
    return told


def _newer(one: Mapping[str, Any]) -> _Told:
    number = one.get("id")
    told = _Told(one, str(number) if isinstance(number, int) else "", enabled=one.get("active") is not False)
    more = obj(one.get("configuration"))
    told.filter, told.thin = word(more.get("FILTERS")) or "", word(more.get("EXCLUDE_BODY")) == "true"
    counts = obj(obj(one.get("statistics")).get("counts"))
    failed, arrived = (
        sum(count for name in names if isinstance(count := counts.get(name), int))
        for names in (("errors", "failures"), ("successes",))
    )
    told.failed = f"; lately {failed} of its deliveries failed, {arrived} arrived" if failed else ""
    return told


def _as_older(manner: Manner, secret: SecretStr) -> dict[str, Any]:
    told: dict[str, Any] = {"filters": {_SECTION: manner.filter}, "excludeBody": False}
    return told if manner.ends_address else told | {"secret": secret.get_secret_value()}


def _as_newer(manner: Manner, secret: SecretStr) -> dict[str, Any]:
    more = {"SECRET": secret.get_secret_value(), "FILTERS": manner.filter, "EXCLUDE_BODY": "false"}
    return {"active": True, "configuration": more}


def no_administrator() -> Forbidden:
    """The account may read, and not administer."""
    return Forbidden(
        "This connection's account is no Jira administrator, and Jira takes webhooks from no other",
        f"Give the account the global permission Administer Jira, {BY_HAND}",
    )


def _scoped() -> Forbidden:
    return Forbidden(
        "Atlassian's gateway, which scoped tokens work at, lets them reach no admin webhooks",
        f"Connect with an administrator's API token, {BY_HAND}",
        "auth.kind",
    )


def _refused(refusal: Refused) -> HubError:
    return Misconfigured(
        f"Jira does not take the webhook (HTTP {refusal.status})",
        f"Look at projects, further filter and THROUGHLINE_PUBLIC_URL, {BY_HAND}",
    )
