"""Reading issues whole: histories, comments and remote links beside what a search or a GET shows of them.

What a search shows inline is capped (some 20 comments, 40 to 100 history entries): it is taken only where its own
`total` says that it is complete.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from connectors.contract import RetryLater, SetAside
from connectors.jira.histories import entries
from connectors.jira.options import JiraOptions
from connectors.jira.session import THREADS, Session
from connectors.jira.shapes import number, obj, rows, word
from connectors.jira.telling import Teller
from connectors.transport import Forbidden, Limited, NotFound, Refused
from schemas.canonical import canonical_json
from schemas.events import SourceEvent

_BULK = 1000
"""Most issues in one changelog/bulkfetch (REST v3)."""
_OTHERS = 3
"""So many other issues are asked for, at most, to tell one that Jira cannot show from a Jira that is down."""
_BRIEFLY: dict[str, dict[str, Any]] = {
    "comment": {"maxResults": 1},
    "changelog": {"maxResults": 1},
    "": {"expand": "changelog", "fields": "updated"},
}


class NotShown(RetryLater):
    """Jira did not answer for something of one issue; it may be that it never does."""

    def __init__(self, error: RetryLater, issue_id: str, kind: str) -> None:
        """kind: comment, remotelink, changelog, or "" for the issue itself."""
        super().__init__(error.reason, error.after)
        self.issue_id, self.kind = issue_id, kind


@dataclass(frozen=True, slots=True)
class Units:
    """Source events of some issues, and what could not become one."""

    events: list[SourceEvent]
    set_aside: list[SetAside]


class Reader:
    """Completes issues and has them told."""

    def __init__(self, session: Session, options: JiraOptions) -> None:
        self._session, self._options = session, options
        self._turns = asyncio.Semaphore(THREADS)

    async def units(self, issues: Sequence[dict[str, Any]], teller: Teller) -> Units:
        """All events of these issues. An issue that vanishes meanwhile is left to the census. Raises NotShown,
        HubError."""
        histories = await self._histories(issues)
        extras = await _together(self._extras(issue) for issue in issues)
        result = Units([], [])
        for issue, extra in zip(issues, extras, strict=True):
            if extra is None:
                continue
            if isinstance(extra, SetAside):
                result.set_aside.append(extra)
                continue
            own = histories[str(issue["id"])]
            missing = self._missing(issue, own)
            if missing:
                result.set_aside.append(missing)
            result.events.extend(teller.issue(issue, own, *extra))
        return result

    async def remote_links(self, issue_id: str) -> list[dict[str, Any]] | None:
        """An issue's remote links; None where the issue is gone or issue linking is off. Raises NotShown, HubError."""
        try:
            return list(rows(await self.of_issue(issue_id, "remotelink")))
        except (NotFound, Forbidden):
            return None

    async def of_issue(self, issue: str, kind: str, **params: Any) -> Any:
        """GET of an issue's comment, remotelink or changelog, or ("") of itself. issue: its id or key. Raises
        NotShown, HubError."""
        try:
            async with self._turns:
                return await self._session.get(f"issue/{issue}/{kind}".rstrip("/"), **params)
        except Limited:
            raise
        except RetryLater as error:
            raise NotShown(error, issue, kind) from None

    async def shows_another(self, kind: str, others: Iterable[str]) -> bool:
        """Whether Jira answers for this kind of thing of one of a few other issues; where there is none, whether it
        answers at all. Raises HubError."""
        asked = list(islice(others, _OTHERS))
        for other in asked:
            try:
                await self.of_issue(other, kind, **_BRIEFLY.get(kind, {}))
            except NotShown:
                continue
            except (NotFound, Forbidden, Refused):
                return True
            return True
        if not asked:
            await self._session.needed("myself")
        return not asked

    async def _extras(
        self, issue: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]] | None] | SetAside | None:
        if obj(issue.get("fields")).get("security") and not self._options.read_restricted:
            return [], None
        try:
            comments = await self._comments(issue)
        except NotFound:
            return None
        except Refused as refusal:
            raw = canonical_json({"id": issue["id"]})
            return SetAside(str(issue["id"]), f"Jira refuses to show its comments (HTTP {refusal.status})", raw)
        links = await self.remote_links(str(issue["id"])) if self._options.remote_links else None
        return comments, links

    async def _comments(self, issue: dict[str, Any]) -> list[dict[str, Any]]:
        fields = obj(issue.get("fields"))
        inline = obj(fields.get("comment"))
        found = list(rows(inline.get("comments")))
        # Only the comments' own resource shows the property that marks a service desk's internal ones on Data Center.
        desk = obj(fields.get("project")).get("projectTypeKey") == "service_desk"
        if not desk and number(inline.get("total")) == len(found):
            return [comment for comment in found if word(comment.get("id"))]
        return await self._all_comments(str(issue["id"]))

    async def _all_comments(self, issue_id: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        start = 0
        while True:
            asked = {"startAt": start, "maxResults": 100, "expand": "properties", "orderBy": "created"}
            page = obj(await self.of_issue(issue_id, "comment", **asked))
            got = list(rows(page.get("comments")))
            found |= {str(comment["id"]): comment for comment in got if word(comment.get("id"))}
            start += len(got)
            if not got or start >= (number(page.get("total")) or 0):
                return list(found.values())

    async def _histories(self, issues: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        wanted = [
            issue for issue in issues if self._options.read_restricted or not obj(issue.get("fields")).get("security")
        ]
        found: dict[str, list[dict[str, Any]]] = {str(issue["id"]): [] for issue in issues}
        if self._options.edition == "cloud":
            await self._all_histories([str(issue["id"]) for issue in wanted], found)
        else:
            for issue, own in zip(wanted, await _together(self._expanded(one) for one in wanted), strict=True):
                found[str(issue["id"])] = own
        return found

    async def _all_histories(self, ids: list[str], found: dict[str, list[dict[str, Any]]]) -> None:
        for start in range(0, len(ids), _BULK):
            some = ids[start : start + _BULK]
            try:
                await self._bulk(some, found)
            except Limited:
                raise
            except (NotFound, Refused, RetryLater):
                # One issue that it does not like spoils the whole question: ask for each alone.
                alone = await _together(self._own_history(one) for one in some)
                found.update(zip(some, alone, strict=True))

    async def _own_history(self, issue_id: str) -> list[dict[str, Any]]:
        """GET issue/{id}/changelog, oldest first; nothing for an issue that vanished."""
        found: list[dict[str, Any]] = []
        while True:
            try:
                page = obj(await self.of_issue(issue_id, "changelog", startAt=len(found), maxResults=100))
            except NotFound:
                return found
            got = list(rows(page.get("values")))
            found += got
            if not got or page.get("isLast") is True or len(found) >= (number(page.get("total")) or 0):
                return found

    async def _bulk(self, ids: list[str], found: dict[str, list[dict[str, Any]]]) -> None:
        """POST changelog/bulkfetch: oldest first; one issue may stand on several pages."""
        token: str | None = None
        asked: set[str] = set()
        while ids:
            body: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": 1000}
            if token:
                body["nextPageToken"] = token
            page = obj(await self._session.post("changelog/bulkfetch", body))
            if not isinstance(page.get("issueChangeLogs"), list):
                raise RetryLater("Jira's answer about changes holds no list of them")
            for log in rows(page["issueChangeLogs"]):
                found.setdefault(str(log.get("issueId")), []).extend(rows(log.get("changeHistories")))
            following = word(page.get("nextPageToken"))
            if following is None:
                return
            if following in asked:
                raise RetryLater("Jira repeats a page of changes; the page is read again")
            asked.add(following)
            token = following

    async def _expanded(self, issue: dict[str, Any]) -> list[dict[str, Any]]:
        """Data Center: the history came with the search; whole by its own total, or asked for once more."""
        own = entries(issue.get("changelog"))
        if len(own) < (number(obj(issue.get("changelog")).get("total")) or 0) or "changelog" not in issue:
            try:
                again = obj(await self.of_issue(str(issue["id"]), "", expand="changelog", fields="updated"))
            except NotFound:
                return own
            issue["changelog"] = again.get("changelog")
            own = entries(again.get("changelog"))
        return own

    def _missing(self, issue: dict[str, Any], own: list[dict[str, Any]]) -> SetAside | None:
        total = number(obj(issue.get("changelog")).get("total")) or 0
        if len(own) >= total or self._options.edition == "cloud":
            return None
        reason = f"Jira shows {len(own)} of this issue's {total} changes; the older ones cannot be read"
        return SetAside(str(issue["id"]), reason, canonical_json({"id": issue["id"], "total": total}))


async def _together(asks: Any) -> list[Any]:
    """All answers in order. When one fails the rest is called off, and the failure raised."""
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
