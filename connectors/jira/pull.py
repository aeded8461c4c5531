"""Reading Jira: check, pages of what changed (oldest first, resumable), single issues that a webhook hinted at.

Vendor pages: developer.atlassian.com/cloud/jira/platform/rest/v3 (issue search, issues, issue comments, issue remote
links, myself, server info). Nothing is written here: the only POSTs are searches and bulk reads. Webhooks are
registered apart from it, when an admin asks: registering.py.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.contract import Fields, Listed, Misconfigured, Page, Progress, RetryLater, SetAside, Step
from connectors.jira import checking, doubts
from connectors.jira.census import Census
from connectors.jira.cursor import Cursor, Window, milliseconds
from connectors.jira.options import JiraOptions
from connectors.jira.reading import NotShown, Reader, Units
from connectors.jira.registering import JiraRegistry
from connectors.jira.search import BRIEF, CloudSearch, DataCenterSearch, Found, TokenLost
from connectors.jira.session import Session
from connectors.jira.shapes import moment, obj, rows, word
from connectors.jira.telling import Teller
from connectors.transport import Limited, NotFound, Refused
from schemas.artifacts import artifact_id

_HINTS_AT_ONCE = 20
_NAMES_LAST = timedelta(hours=1)
"""A connection stays open for days, and admins add fields meanwhile."""


class JiraSource:
    """One Jira site, read with one account. Makes no request before it is asked something."""

    def __init__(self, connection: str, options: JiraOptions, session: Session, now: Callable[[], datetime]) -> None:
        self._connection, self._options, self._session, self._now = connection, options, session, now
        self._reader = Reader(session, options)
        self.registry = JiraRegistry(connection, options, session)
        self._overlap = timedelta(minutes=options.overlap_minutes)
        self._known: tuple[datetime, str, dict[str, dict[str, Any]], dict[str, str]] | None = None

    def check(self) -> AsyncIterator[Step]:
        """Address, sign-in, each project, issues with their history, the clock: up to the first that fails."""
        return checking.steps(self._session, self._options, self._now)

    async def count(self, since: datetime | None) -> int | None:
        """About how many issues a first read from `since` on goes over. Raises RetryLater, Misconfigured."""
        search = await self._search()
        return await search.total(
            Cursor.load(None, self._options.scope_jql).open_window(since, self._overlap, self._now())
        )

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        """What changed, page by page. A window that an earlier call began is ended first, then a new one read, since
        changes after its beginning are not in it. Raises RetryLater, Misconfigured."""
        search = await self._search()
        state = Cursor.load(cursor, self._options.scope_jql)
        resumed = state.window is not None
        while True:
            window = state.open_window(since, self._overlap, self._heard())
            if window.first and window.total is None:
                window.total = await search.total(window)
            async for page in self._window(search, state, window):
                yield replace(page, more=page.more or resumed)
            if not resumed:
                return
            resumed = False

    def _heard(self) -> datetime:
        """Now, by the slower of Jira's clock and ours."""
        return min(self._now(), self._session.answered_at or self._now())

    async def _window(
        self, search: CloudSearch | DataCenterSearch, state: Cursor, window: Window
    ) -> AsyncIterator[Page]:
        lost = False
        while True:
            before = replace(window)
            try:
                found = await search.page(window, window.bearable(self._options.page_size))
            except RetryLater as error:
                await self._narrow(search, window, error)
                continue
            except TokenLost:
                if lost:
                    raise RetryLater("Jira does not take its own page tokens; the pass begins anew") from None
                lost = True
                state.lose_token(self._overlap)
                continue
            window.went_well()
            try:
                page = await self._page(state, window, found)
            except NotShown as error:
                window = state.window = before
                async for page in self._doubted(state, found, error):
                    yield page
                continue
            yield page
            if not page.more:
                return

    async def _doubted(self, state: Cursor, found: Found, error: NotShown) -> AsyncIterator[Page]:
        """Count that an issue was not shown, and stop; where that is certain, pass it over. Raises RetryLater."""
        issue = next(one for one in found.issues if str(one["id"]) == error.issue_id)
        times = state.doubt(error.issue_id)
        rest = doubts.others(found.issues, error.issue_id, state.doubts)
        if times >= doubts.ASKED and await self._shows(issue):
            state.doubts.pop(error.issue_id)
        elif times >= doubts.ASKED and await self._reader.shows_another(error.kind, rest):
            state.pass_over(issue)
            yield self._stopped(state, [doubts.passed_over(error, issue)])
            return
        yield self._stopped(state, [])
        raise doubts.again(error, issue, times)

    async def _narrow(self, search: CloudSearch | DataCenterSearch, window: Window, error: RetryLater) -> None:
        """Have a smaller page asked for where Jira answers, but not with this one. Raises RetryLater: the error of a
        Jira that does not answer, or over which single issue it does not."""
        if isinstance(error, Limited):
            raise error
        try:
            listed = await search.page(replace(window), 1, BRIEF)
        except (TokenLost, RetryLater):
            raise error from None
        if window.bearable(self._options.page_size) == 1:
            raise doubts.alone(error, listed.issues[-1]) if listed.issues else error
        window.was_too_much()

    async def _shows(self, issue: dict[str, Any]) -> bool:
        """Whether Jira shows it alone: one that fails now and then may have failed over any of a page."""
        try:
            await self._reader.units([issue], await self._teller())
        except NotShown:
            return False
        return True

    @staticmethod
    def _stopped(state: Cursor, aside: Sequence[SetAside]) -> Page:
        window = state.window
        progress = Progress(window.done, window.total) if window and window.first else None
        return Page((), state.dump(), state.true_up_to, more=True, progress=progress, set_aside=aside)

    async def _page(self, state: Cursor, window: Window, found: Found) -> Page:
        fresh = state.unseen(found.issues)
        units = await self._reader.units(fresh, await self._teller())
        state.take(found.issues, fresh, self._overlap)
        progress = Progress(window.done, window.total) if window.first else None
        if found.last:
            # A token that ends in the middle of a long read answers 200 with nothing: that is not "nothing more".
            await self._session.needed("myself")
            state.close_window()
        return Page(
            events=units.events,
            cursor=state.dump(),
            true_up_to=state.true_up_to,
            more=not found.last,
            progress=progress,
            set_aside=units.set_aside,
        )

    async def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Deletes, issues out of the filter, and changed remote links; see census.py. Raises RetryLater,
        Misconfigured."""
        search = await self._search()
        census = Census(self._connection, self._options, self._session, self._reader, search)
        async for page in census.pages(known, cursor, await self._teller()):
            yield page

    covers: timedelta | None = None

    async def inventory(self) -> AsyncIterator[Sequence[Listed]]:
        """Every issue in the filter with its time of change. Raises RetryLater, Misconfigured."""
        search = await self._search()
        place: str | None = None
        while True:
            issues, place = await search.stamped(place)
            yield [
                Listed(
                    artifact_id(self._connection, "issue", str(issue["id"])),
                    moment(obj(issue.get("fields")).get("updated")),
                    str(issue["id"]),
                )
                for issue in issues
            ]
            if place is None:
                break
        # An empty list from a token that has just ended is no list.
        await self._session.needed("myself")

    async def fields(self) -> Fields:
        """Custom fields, and the issue types that the options name. Raises RetryLater, Misconfigured."""
        told = rows(await self._session.needed("field"))
        there = {
            str(one["id"]): str(one.get("name") or one["id"])
            for one in told
            if one.get("custom") is True and word(one.get("id"))
        }
        needed: dict[str, str] = {}
        if self._options.opener_types:
            types = {str(one.get("name")) for one in rows(await self._session.needed("issuetype"))}
            there |= {f"type {name}": name for name in types}
            needed = {f"type {name}": "opener_types" for name in self._options.opener_types}
        return Fields(there, needed, custom=True)

    async def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        """The issues with these ids or keys, whole. One that is gone or out of the filter is left to the census, one
        that Jira does not show to the polls, which count. Raises RetryLater, Misconfigured."""
        search = await self._search()
        for start in range(0, len(hints), _HINTS_AT_ONCE):
            found = [await self._one(hint) for hint in dict.fromkeys(hints[start : start + _HINTS_AT_ONCE])]
            issues = [issue for issue in found if issue is not None and await self._in_scope(issue, search)]
            units = await self._shown(issues)
            more = start + _HINTS_AT_ONCE < len(hints)
            yield Page(units.events, {}, None, more=more, set_aside=units.set_aside)

    async def _shown(self, issues: Sequence[dict[str, Any]]) -> Units:
        teller = await self._teller()
        while True:
            try:
                return await self._reader.units(issues, teller)
            except NotShown as error:
                await self._session.needed("myself")  # raises where all of Jira is down
                issues = [issue for issue in issues if str(issue["id"]) != error.issue_id]

    async def _one(self, hint: str) -> dict[str, Any] | None:
        if not hint.replace("-", "").replace("_", "").isalnum():
            return None
        params = {"expand": "changelog"} if self._options.edition == "datacenter" else {}
        try:
            issue = obj(await self._reader.of_issue(hint, "", fields="*all,-worklog", **params))
        except (NotFound, Refused):
            return None
        except NotShown:
            await self._session.needed("myself")  # raises where all of Jira is down
            return None
        return issue if word(issue.get("id")) else None

    async def _in_scope(self, issue: dict[str, Any], search: CloudSearch | DataCenterSearch) -> bool:
        """Whether the filter selects it. With a further filter only a search can say; where its index lags, the next
        poll finds the issue."""
        key = word(obj(obj(issue.get("fields")).get("project")).get("key"))
        if self._options.projects and key not in self._options.projects:
            return False
        if not self._options.extra_jql:
            return True
        return await search.selects(str(issue["id"]))

    async def _search(self) -> CloudSearch | DataCenterSearch:
        """Signs in first: Jira tells a stranger "no issues" rather than "who are you"."""
        me = obj(await self._session.needed("myself"))
        if self._options.edition == "cloud":
            return CloudSearch(self._session, self._options)
        return DataCenterSearch(self._session, self._options, word(me.get("timeZone")) or "UTC")

    async def _teller(self) -> Teller:
        if self._known is None or self._now() - self._known[0] > _NAMES_LAST:
            info = obj(await self._session.needed("serverInfo"))
            fields = {
                str(field["id"]): {"name": field.get("name"), "custom": obj(field.get("schema")).get("custom")}
                for field in rows(await self._session.needed("field"))
                if field.get("custom") is True and word(field.get("id"))
            }
            kinds = await self._kinds()
            site = word(info.get("displayUrl")) or word(info.get("baseUrl")) or self._options.base_url
            self._known = (self._now(), site, fields, kinds)
        _, site, names, kinds = self._known
        at = datetime.fromtimestamp(milliseconds(self._now()) / 1000, UTC)
        return Teller(self._connection, self._options.keep, self._options.read_restricted, site, names, at, kinds)

    async def _kinds(self) -> dict[str, str]:
        """Status id to the key of its category; none where the token may not ask: histories are read without."""
        try:
            told = await self._session.get("status")
        except (NotFound, Refused, Misconfigured):
            return {}
        keys = ((word(one.get("id")), word(obj(one.get("statusCategory")).get("key"))) for one in rows(told))
        return {one: key for one, key in keys if one and key}
