"""Comparing what Jira has with what is known: deletes, issues that left the filter, remote links that changed.

Absence proves nothing: the index lags, and a permission taken away hides issues. A known issue that is not listed is
asked for directly; only "not found", while every project of the connection can still be read, is told as `deleted`.
More than `gone_limit` of all known issues (and more than ten) is never told without a person.

The cursor keeps what the next census compares with: the projects that could be read, a short hash of each issue's
remote links, and which issues were told as gone (so that they are told again when they come back).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from connectors.contract import Misconfigured, Page
from connectors.ids import Ids
from connectors.jira.options import JiraOptions
from connectors.jira.reading import NotShown, Reader
from connectors.jira.search import CloudSearch, DataCenterSearch
from connectors.jira.session import Session
from connectors.jira.shapes import obj, rows, word
from connectors.jira.telling import Teller, Told, fingerprint
from connectors.transport import Forbidden, NotFound, Refused
from schemas.artifacts import artifact_id
from schemas.canonical import digest, microseconds
from schemas.events import SourceEvent

_FEW = 10
_AT_ONCE = 20


@dataclass
class Memory:
    """What one census leaves to the next."""

    projects: list[str] | None = None
    links: dict[str, str] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    after: int = -1
    """Greatest issue id whose remote links were compared in the pass under way; -1: no pass is."""
    links_known: bool = False
    """Whether a pass over the remote links was finished: an issue that `links` does not name had none."""

    @classmethod
    def load(cls, stored: dict[str, Any] | None) -> "Memory":
        """From JSON."""
        known = obj(stored)
        projects = known.get("projects")
        return cls(
            projects=[str(one) for one in projects] if isinstance(projects, list) else None,
            links={key: str(value) for key, value in obj(known.get("links")).items()},
            told=dict(obj(known.get("told"))),
            after=known["after"] if isinstance(known.get("after"), int) else -1,
            links_known=known.get("links_known") is True,
        )

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "projects": self.projects,
            "links": dict(self.links),
            "told": dict(self.told),
            "after": self.after,
            "links_known": self.links_known,
        }


class Census:
    """One pass."""

    def __init__(
        self,
        connection: str,
        options: JiraOptions,
        session: Session,
        reader: Reader,
        search: CloudSearch | DataCenterSearch,
    ) -> None:
        self._connection, self._options, self._session = connection, options, session
        self._reader, self._search = reader, search

    async def pages(
        self, known: Mapping[str, str], cursor: dict[str, Any] | None, teller: Teller
    ) -> AsyncIterator[Page]:
        """First what is gone or back, then remote links in steps. Raises RetryLater, Misconfigured."""
        memory = Memory.load(cursor)
        prefix = artifact_id(self._connection, "issue", "")
        # In threads what looks at each of perhaps a million issues: the loop has others to serve.
        ids = await asyncio.to_thread(
            lambda: Ids(artifact.removeprefix(prefix) for artifact in known if artifact.startswith(prefix))
        )
        listed = await self._listed()
        if not self._options.remote_links:
            memory.links, memory.after = {}, -1
        if memory.after < 0:
            events, held = await self._gone_or_back(ids, listed, memory, teller)
            yield Page(events, memory.dump(), None, more=True)
            if held:
                raise held
        if self._options.remote_links:
            async for page in self._remote_links(ids, listed, memory, teller):
                yield page
        else:
            yield Page((), memory.dump(), None)

    async def _listed(self) -> Ids:
        found = Ids()
        place: str | None = None
        while True:
            page, place = await self._search.ids(place)
            found.update(page)
            if place is None:
                break
        # An empty list from a token that has just ended is no census.
        await self._session.needed("myself")
        return found

    async def _gone_or_back(
        self, ids: Ids, listed: Ids, memory: Memory, teller: Teller
    ) -> tuple[list[SourceEvent], Misconfigured | None]:
        at = microseconds(teller.fetched_at)
        events = []
        for issue_id in sorted((one for one in memory.told if one in listed), key=_in_order):
            del memory.told[issue_id]
            events.append(teller.presence(issue_id, "present", at))
        absent = await asyncio.to_thread(lambda: [one for one in ids if one not in listed and one not in memory.told])
        readable = await self._readable(memory)
        if len(absent) > max(_FEW, self._options.gone_limit * len(ids)):
            return events, Misconfigured(
                f"{len(absent)} of {len(ids)} known issues are no longer listed; none of them was told as gone",
                "Look whether the account lost a permission or the filter is too narrow; if they are meant to be gone,"
                " raise the share of issues that may vanish at once",
                "gone_limit",
            )
        for issue_id in absent:
            told = await self._told(issue_id, readable)
            if told:
                memory.told[issue_id] = told
                events.append(teller.presence(issue_id, told, at))
        return events, None

    async def _readable(self, memory: Memory) -> bool:
        """Whether every project that the connection reads can still be read. Without a list of its own these are the
        projects that could be read last time; the first time nobody knows."""
        if self._options.projects:
            return all([await self._may_read(key) for key in self._options.projects])
        projects = await self._projects()
        before, memory.projects = memory.projects, sorted(projects)
        return before is not None and set(before) <= projects

    async def _may_read(self, key: str) -> bool:
        try:
            return word(obj(await self._session.get(f"project/{key}")).get("id")) is not None
        except (NotFound, Forbidden):
            return False

    async def _projects(self) -> set[str]:
        if self._options.edition == "datacenter":
            return {str(one.get("id")) for one in rows(await self._session.needed("project"))}
        found: set[str] = set()
        while True:
            page = obj(await self._session.get("project/search", startAt=len(found), maxResults=50))
            got = {str(one.get("id")) for one in rows(page.get("values"))} - found
            found |= got
            if not got or page.get("isLast") is True:
                return found

    async def _told(self, issue_id: str, readable: bool) -> Told | None:
        """What a direct read says of an issue that is not listed; None: nothing that can be told."""
        try:
            issue = obj(await self._reader.of_issue(issue_id, "", fields="project,security"))
        except NotFound:
            return "deleted" if readable else None
        except NotShown:
            await self._session.needed("myself")  # raises where all of Jira is down
            return None
        except (Forbidden, Refused):
            return None
        key = word(obj(obj(issue.get("fields")).get("project")).get("key"))
        outside = bool(self._options.projects) and key not in self._options.projects
        # Absent from a list may also be what moved while it was read page by page. With a further filter an issue may
        # leave it, which the search says of the issue alone; without one, only the index has not caught up.
        left = outside or (self._options.extra_jql and not await self._search.selects(issue_id))
        return "out_of_scope" if left else None

    async def _remote_links(self, ids: Ids, listed: Ids, memory: Memory, teller: Teller) -> AsyncIterator[Page]:
        stamp = str(microseconds(teller.fetched_at))
        after = memory.after
        events: list[SourceEvent] = []
        left = (one for one in ids if _in_order(one)[0] > after and one in listed)
        following = list(islice(left, _AT_ONCE))
        while batch := following:
            events = []
            for issue_id in batch:
                links = await self._links(issue_id, chain(batch[-1:], listed), memory)
                if links is not None and self._changed(issue_id, links, memory):
                    events.append(teller.remote_links(issue_id, links, stamp))
            memory.after = _in_order(batch[-1])[0]
            if following := list(islice(left, _AT_ONCE)):
                yield Page(events, memory.dump(), None, more=True)
        memory.after, memory.links_known = -1, True
        memory.links = {one: links for one, links in memory.links.items() if one in ids and one in listed}
        yield Page(events, memory.dump(), None)

    async def _links(self, issue_id: str, others: Iterable[str], memory: Memory) -> list[dict[str, Any]] | None:
        """An issue's remote links; None where they stay as they are known. Raises HubError."""
        try:
            return await self._reader.remote_links(issue_id)
        except NotShown as error:
            if not await self._reader.shows_another(error.kind, (one for one in others if one != issue_id)):
                raise
            memory.links.setdefault(issue_id, _UNKNOWN)
            return None

    @staticmethod
    def _changed(issue_id: str, links: list[dict[str, Any]], memory: Memory) -> bool:
        before = memory.links.get(issue_id) or (_NONE if memory.links_known else None)
        now = digest(fingerprint(links))[:10] if links else _NONE
        memory.links.pop(issue_id, None)
        if links:
            memory.links[issue_id] = now
        return before != now


_NONE = "none"
_UNKNOWN = "unknown"
"""Links that Jira does not show, and that no census met before: none is not what they were."""


def _in_order(issue_id: str) -> tuple[int, str]:
    """Issue ids are numbers that count up."""
    return (int(issue_id) if issue_id.isdecimal() and len(issue_id) < 18 else 0, issue_id)
