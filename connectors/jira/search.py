"""Asking for issues oldest first: Cloud's enhanced search with page tokens, Data Center's search with startAt.

Cloud: POST search/jql (developer.atlassian.com, "Issue search"; the old search answers 410). Times in JQL are epoch
milliseconds, which no time zone touches. Data Center: GET search; times have minutes and are read in the time zone of
the account that asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.contract import Misconfigured, RetryLater
from connectors.jira.cursor import Window, updated_ms
from connectors.jira.options import JiraOptions
from connectors.jira.session import Session
from connectors.jira.shapes import number, obj, rows, word
from connectors.transport import Refused

WHOLE = ("*all", "-worklog")
"""What is read of an issue."""
BRIEF = ("updated",)
"""What Jira can tell of any issue that it lists."""
_SORTED = "ORDER BY updated ASC, key ASC"
_MINUTE = 60_000


class TokenLost(Exception):
    """Jira does not take the page token: it expired, or it repeats."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search. The next request follows from the window, which was moved on."""

    issues: list[dict[str, Any]]
    last: bool


def jql(scope: str, time_clause: str) -> str:
    """The whole query: filter, lower bound, a total order. There is no upper bound: it would lose busy issues."""
    return " AND ".join(part for part in (scope, time_clause) if part) + f" {_SORTED}"


class CloudSearch:
    """Issue search of Jira Cloud."""

    def __init__(self, session: Session, options: JiraOptions) -> None:
        self._session, self._options = session, options
        self._asked: set[str] = set()
        """Tokens of the pass under way: one that comes again would lead around in a circle."""

    async def page(self, window: Window, most: int, fields: Sequence[str] = WHOLE) -> Found:
        """The window's next page of at most so many issues; moves the window on. Raises TokenLost, HubError."""
        query = jql(self._options.scope_jql, f"updated >= {window.since}")
        body: dict[str, Any] = {"jql": query, "maxResults": most, "fields": list(fields)}
        if window.token:
            body["nextPageToken"] = window.token
        try:
            answer = obj(await self._session.post("search/jql", body))
        except Refused as refusal:
            if window.token and refusal.status == 400:
                raise TokenLost from None
            raise _bad_filter() from None
        token = word(answer.get("nextPageToken"))
        if self._circles(window.token, token):
            raise TokenLost
        window.token = token
        return Found(_whole(answer), last=token is None)

    async def total(self, window: Window) -> int | None:
        """About how many issues the window holds."""
        query = jql(self._options.scope_jql, f"updated >= {window.since}")
        try:
            return number(obj(await self._session.post("search/approximate-count", {"jql": query})).get("count"))
        except Refused:
            raise _bad_filter() from None

    async def ids(self, place: str | None) -> tuple[list[str], str | None]:
        """Ids of the issues in the filter, many at once, and where to go on; None at the end."""
        query = " AND ".join(part for part in (self._options.scope_jql, "updated >= 0") if part) + " ORDER BY key ASC"
        body: dict[str, Any] = {"jql": query, "maxResults": 5000, "fields": ["id"]}
        issues, token = await self._listed(body, place)
        return [str(issue["id"]) for issue in issues], token

    async def stamped(self, place: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Issues with `updated` alone, in the order of their keys, and where to go on; None at the end."""
        query = " AND ".join(part for part in (self._options.scope_jql, "updated >= 0") if part) + " ORDER BY key ASC"
        body: dict[str, Any] = {"jql": query, "maxResults": 1000, "fields": ["updated"]}
        return await self._listed(body, place)

    async def selects(self, issue_id: str) -> bool:
        """Whether the filter selects an issue now, as far as the index knows."""
        scope = f"{self._options.scope_jql} AND " if self._options.scope_jql else ""
        body = {"jql": f"{scope}id = {int(issue_id)} ORDER BY key ASC", "maxResults": 1, "fields": ["id"]}
        return bool((await self._listed(body, None))[0])

    def _circles(self, asked: str | None, following: str | None) -> bool:
        """Whether a page leads back to one that was asked for in this pass."""
        if asked:
            self._asked.add(asked)
        else:
            self._asked.clear()
        return following in self._asked

    async def _listed(self, body: dict[str, Any], place: str | None) -> tuple[list[dict[str, Any]], str | None]:
        try:
            answer = obj(await self._session.post("search/jql", body | ({"nextPageToken": place} if place else {})))
        except Refused:
            raise _bad_filter() from None
        token = word(answer.get("nextPageToken"))
        if self._circles(place, token):
            raise RetryLater("Jira repeats a page of its search; the count begins anew")
        return _whole(answer), token


class DataCenterSearch:
    """Issue search of Jira Data Center.

    Counting rows over a set that changes skips some: an issue that is touched moves to the end and the rest moves up.
    So each page begins at the time where the last one ended, and rows are counted only inside one minute. There each
    page is followed by a look whether the rows before it are still those that were read last.
    """

    def __init__(self, session: Session, options: JiraOptions, zone: str) -> None:
        self._session, self._options = session, options
        self._zone = zone_of(zone)

    async def page(self, window: Window, most: int, fields: Sequence[str] = WHOLE) -> Found:
        """The window's next page of at most so many issues, whole ones with histories; moves the window on. Raises
        HubError."""
        expand = "changelog" if fields is WHOLE else None
        answer = await self._ask(self._clause(window.since), window.start, most, expand, ",".join(fields))
        issues = _whole(answer)
        if window.anchors and await self._moved(window):
            return Found(issues, last=False)
        if not issues or window.start + len(issues) >= (number(answer.get("total")) or 0):
            return Found(issues, last=True)
        newest = updated_ms(issues[-1]) // _MINUTE * _MINUTE
        if newest > window.since:
            window.begin_anew(newest)
        else:
            window.count_on(issues)
        return Found(issues, last=False)

    async def _moved(self, window: Window) -> bool:
        """Whether the rows that were read last have moved up; then the window goes back to behind them. To be asked
        after a page: what moved later moved behind it."""
        begin = window.start - len(window.anchors)
        answer = await self._ask(self._clause(window.since), begin, len(window.anchors), None, ",".join(BRIEF))
        listed = _whole(answer)
        read = max(
            (n for n, one in enumerate(listed, 1) if window.anchors.get(str(one["id"])) == updated_ms(one)), default=0
        )
        if read == len(window.anchors):
            return False
        if read:
            window.go_back(begin, listed[:read])
        else:
            window.begin_anew(window.since)
        return True

    async def total(self, window: Window) -> int | None:
        """How many issues the window holds."""
        return number((await self._ask(self._clause(window.since), 0, 1, None, fields="updated")).get("total"))

    async def ids(self, place: str | None) -> tuple[list[str], str | None]:
        """Ids of the issues in the filter, many at once, and where to go on; None at the end."""
        issues, after = await self._listed("id", place)
        return [str(issue["id"]) for issue in issues], after

    async def stamped(self, place: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Issues with `updated` alone, in the order of their keys, and where to go on; None at the end."""
        return await self._listed("updated", place)

    async def selects(self, issue_id: str) -> bool:
        """Whether the filter selects an issue now, as far as the index knows."""
        return bool(_whole(await self._ask(f"id = {int(issue_id)}", 0, 1, None, fields="id", order="ORDER BY key ASC")))

    async def _listed(self, fields: str, place: str | None) -> tuple[list[dict[str, Any]], str | None]:
        start = int(place or 0)
        answer = await self._ask("", start, 1000, None, fields=fields, order="ORDER BY key ASC")
        found = _whole(answer)
        after = start + len(found)
        return found, str(after) if found and after < (number(answer.get("total")) or 0) else None

    def _clause(self, since: int) -> str:
        return f'updated >= "{local_minute(since, self._zone)}"' if since else ""

    async def _ask(
        self,
        clause: str,
        start: int,
        most: int,
        expand: str | None,
        fields: str = ",".join(WHOLE),
        order: str = _SORTED,
    ) -> dict[str, Any]:
        query = " AND ".join(part for part in (self._options.scope_jql, clause) if part)
        params: dict[str, Any] = {
            "jql": f"{query} {order}".strip(),
            "startAt": start,
            "maxResults": most,
            "fields": fields,
        }
        if expand:
            params["expand"] = expand
        try:
            return obj(await self._session.get("search", **params))
        except Refused:
            raise _bad_filter() from None


def _whole(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The issues of an answer. An answer without the list is no answer: taking it for "none" would lose changes."""
    if not isinstance(answer.get("issues"), list):
        raise RetryLater("Jira's answer to a search holds no list of issues")
    return [issue for issue in rows(answer["issues"]) if word(issue.get("id"))]


def _bad_filter() -> Misconfigured:
    return Misconfigured(
        "Jira refuses the filter of this connection",
        "Look whether every project key exists and may be read, and try the further filter in Jira's issue search",
        "extra_jql",
    )


def zone_of(name: str) -> tzinfo:
    """The account's time zone. Raises Misconfigured for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misconfigured(
            "The Jira account's time zone is not known here", "Choose another in the account's profile in Jira"
        ) from None


def local_minute(since: int, zone: tzinfo) -> str:
    """The JQL text of the last minute that is not after `since` (milliseconds), however Jira reads it.

    When clocks are put back an hour happens twice, and the text does not say which one is meant: go back until both
    readings are early enough.
    """
    wanted = datetime.fromtimestamp(since / 1000, UTC)
    at = wanted
    while True:
        local = at.astimezone(zone).replace(second=0, microsecond=0, tzinfo=None)
        readings = [local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
        if max(readings) <= wanted:
            return local.strftime("%Y/%m/%d %H:%M")
        at -= timedelta(minutes=30)
