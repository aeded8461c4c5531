"""HubSpot's REST API as far as it is read: paths for every version, its batch forms, its paging, its limits.

Pages: developers.hubspot.com, "CRM search", "CRM objects" (batch read), "Associations v4", "Owners", "Pipelines",
"Account information", "Usage guidelines". Nothing here writes: every POST is a search or a batch read.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import RetryLater
from connectors.hubspot.options import Options
from connectors.hubspot.reading import PLURALS, dicts_at, id_at, mapping_at, text_at
from connectors.outcomes import Limited, dated
from connectors.transport import Answer, Client

SEARCH = "search"
"""The limiter's name for what HubSpot limits apart: searches."""
READ_MOST = 100
READ_WITH_HISTORY_MOST = 50
ASSOCIATIONS_MOST = 1000
_DAILY_RESERVE = 0.05
"""The part of the daily limit that is left to the account's other apps, whatever our share."""
_DAILY_PAUSE = 900.0


class HubSpot:
    """One account's API. Raises the transport's errors, and RetryLater for an answer that is not whole."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._version = options.api_version
        self._daily_left: tuple[int, int] | None = None
        self.answered_at: datetime | None = None
        """HubSpot's own time of its newest answer (whole seconds)."""

    def path(self, api: str, *parts: str) -> str:
        """The path of an API in this version: `crm/objects` is /crm/objects/2026-09/… or /crm/v3/objects/…"""
        tail = "".join(f"/{part}" for part in parts)
        if not self._version.startswith("v"):
            return f"/{api}/{self._version}{tail}"
        number = "v4" if api == "crm/associations" else "v3"
        first, _, rest = api.partition("/")
        return f"/{first}/{number}{'/' + rest if rest else ''}{tail}"

    async def _ask(self, method: str, path: str, *, params: Any = None, body: Any = None, key: str = "") -> Answer:
        if self._daily_left and self._daily_left[0] <= self._daily_left[1] * _DAILY_RESERVE:
            self._daily_left = None
            raise RetryLater("HubSpot's daily limit for this account is nearly used up", _DAILY_PAUSE)
        answer = await self._client.request(method, path, params=params, json=body, key=key)
        self._heard(answer)
        if not isinstance(answer.json, dict):
            raise RetryLater("HubSpot answered with no object where one belongs")
        return answer

    def _heard(self, answer: Answer) -> None:
        left, most = (answer.headers.get(f"x-hubspot-ratelimit-daily{name}", "") for name in ("-remaining", ""))
        if left.isdigit() and most.isdigit():
            self._daily_left = (int(left), int(most))
        self.answered_at = dated(answer.headers)

    async def account(self) -> dict[str, Any]:
        """The account behind the token: `portalId`, `timeZone`, `accountType`."""
        found = (await self._ask("GET", self.path("account-info", "details"))).json
        if id_at(found, "portalId") is None:
            raise RetryLater("HubSpot's answer about the account names none")
        return dict(found)

    async def search(self, kind: str, filters: list[dict[str, str]], sort: str, limit: int) -> dict[str, Any]:
        """Records that fit all filters, ascending by one property; at most 200, and no more than 10,000 a query.

        A search that is refused for a limit with no wait named is asked once more, in its next turn.
        """
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [sort],
            "properties": ["hs_lastmodifieddate"],
            "limit": limit,
            "after": "0",
        }
        path = self.path("crm/objects", PLURALS[kind], "search")
        try:
            answer = await self._ask("POST", path, body=body, key=SEARCH)
        except Limited as error:
            if error.after is not None:
                raise
            # A second's limit (SECONDLY), which other apps use too: the limiter's first back-off is longer than that.
            answer = await self._ask("POST", path, body=body, key=SEARCH)
        return self._whole(answer)

    def _whole(self, answer: Answer) -> dict[str, Any]:
        """An answer that lists something. One without a list is no empty one: it is half an answer."""
        if not isinstance(answer.json.get("results"), list):
            raise RetryLater("HubSpot's answer holds no results, not even an empty list")
        return dict(answer.json)

    async def read(
        self,
        kind: str,
        ids: Sequence[str],
        properties: Sequence[str],
        history: Sequence[str] = (),
        *,
        archived: bool = False,
    ) -> list[dict[str, Any]]:
        """Records by id. Those that are not there (archived, merged, never were) are left out."""
        found: list[dict[str, Any]] = []
        for some in _in_parts(ids, READ_WITH_HISTORY_MOST if history else READ_MOST):
            body = {
                "inputs": [{"id": each} for each in some],
                "properties": list(properties),
                "propertiesWithHistory": list(history),
            }
            path = self.path("crm/objects", PLURALS[kind], "batch", "read")
            params = {"archived": "true"} if archived else None
            answer = self._whole(await self._ask("POST", path, params=params, body=body))
            _only_missing(answer)
            found += dicts_at(answer, "results")
        return found

    async def associations(self, kind: str, ids: Iterable[str], to: str) -> dict[str, list[dict[str, Any]]]:
        """Per record what it is associated with, as HubSpot tells it, sorted by id; every id has an entry."""
        found: dict[str, list[dict[str, Any]]] = {each: [] for each in ids}
        waiting: list[dict[str, str]] = [{"id": each} for each in found]
        used: set[tuple[str, str]] = set()
        path = self.path("crm/associations", PLURALS[kind], PLURALS[to], "batch", "read")
        while waiting:
            some, waiting = waiting[:ASSOCIATIONS_MOST], waiting[ASSOCIATIONS_MOST:]
            answer = self._whole(await self._ask("POST", path, body={"inputs": some}))
            _only_missing(answer)
            for each in dicts_at(answer, "results"):
                origin = id_at(mapping_at(each, "from"), "id") or ""
                found.setdefault(origin, []).extend(dicts_at(each, "to"))
                after = text_at(mapping_at(mapping_at(each, "paging"), "next"), "after")
                if after and (origin, after) in used:
                    raise RetryLater("HubSpot repeats associations instead of going on")
                if after:
                    used.add((origin, after))
                    waiting.append({"id": origin, "after": after})
        return {origin: sorted(others, key=_by_id) for origin, others in found.items()}

    async def listed(
        self, kind: str, properties: Sequence[str], after: str | None, *, archived: bool
    ) -> AsyncIterator[tuple[list[dict[str, Any]], str | None]]:
        """All records, or all archived ones, page by page with the token of the next page (None at the end)."""
        path = self.path("crm/objects", PLURALS[kind])
        params = {"limit": str(READ_MOST), "properties": ",".join(properties), "archived": str(archived).lower()}
        async for answer in self._paged(path, params, after):
            yield answer

    async def _paged(
        self, path: str, params: dict[str, str], after: str | None = None
    ) -> AsyncIterator[tuple[list[dict[str, Any]], str | None]]:
        used = {after}
        while True:
            asked = params | ({"after": after} if after else {})
            answer = self._whole(await self._ask("GET", path, params=asked))
            after = text_at(mapping_at(mapping_at(answer, "paging"), "next"), "after")
            yield dicts_at(answer, "results"), after
            if after is None:
                return
            if after in used:
                raise RetryLater("HubSpot repeats a page instead of going on")
            used.add(after)

    async def owners(self) -> list[dict[str, Any]]:
        """Everybody who owns or owned a record; those who left are told apart by HubSpot as archived."""
        found: list[dict[str, Any]] = []
        for archived in ("false", "true"):
            async for some, _ in self._paged(self.path("crm/owners"), {"limit": "500", "archived": archived}):
                found += some
        return found

    async def properties(self, kind: str, *, archived: bool = False) -> list[dict[str, Any]]:
        """The properties that deals or tickets have, or had: name, label, type, options, archivedAt ("Properties")."""
        params = {"archived": "true"} if archived else None
        answer = await self._ask("GET", self.path("crm/properties", PLURALS[kind]), params=params)
        return dicts_at(self._whole(answer), "results")

    async def pipelines(self, kind: str) -> list[dict[str, Any]]:
        """The pipelines of deals or tickets with their stages."""
        answer = await self._ask("GET", self.path("crm/pipelines", PLURALS[kind]))
        return dicts_at(self._whole(answer), "results")


def _in_parts(ids: Sequence[str], size: int) -> list[Sequence[str]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _by_id(associated: dict[str, Any]) -> tuple[int, str]:
    found = id_at(associated, "toObjectId") or ""
    return len(found), found


def _only_missing(answer: dict[str, Any]) -> None:
    """A partial answer (HTTP 207) is whole when all it lacks is not there; any other error means: ask again."""
    for error in dicts_at(answer, "errors"):
        if text_at(error, "category") != "OBJECT_NOT_FOUND":
            raise RetryLater("HubSpot could not read all of the records asked for")
