"""The census: associations that changed without moving a time stamp, archived records, records the search missed.

All records of a kind are listed in order of their ids, with their associations. Consecutive records form a batch that
ends where a record id's hash says so, so that a record more or less moves no other batch; the cursor keeps one hash a
batch. A batch whose hash differs from the last census, or of which a poll told something since, is told again. Then the
list of archived records is read: each of those that is known, and that a direct read confirms, is told as deleted
(HubSpot keeps them for 90 days). What is known and in neither list was merged, or deleted for good: it is asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.contract import Page
from connectors.hubspot.client import HubSpot
from connectors.hubspot.options import Options
from connectors.hubspot.reading import STAGE_PROPERTY, id_at, milliseconds, moment_at
from connectors.hubspot.telling import Teller, on_a_record
from connectors.hubspot.walk import rows_of
from connectors.ids import Ids
from schemas.artifacts import artifact_id
from schemas.canonical import canonical_json, digest
from schemas.events import SourceEvent

_BATCH = 32
"""Records a batch holds on average."""
_HOUR, _DAY = 3_600_000, 86_400_000
_WHOLE = 7
"""Every so many censuses everything is told again: what a hint told in between, no comparison of censuses sees."""


@dataclass(slots=True)
class _Place:
    """Where the census is: which kind, which half, which list page, and which record of it was the last."""

    kind: int = 0
    archived: bool = False
    after: str | None = None
    last: str | None = None


@dataclass(slots=True)
class _Batch:
    """Consecutive records whose associations, with the names in them, are hashed together."""

    around: dict[str, dict[str, Any]] = field(default_factory=dict)
    modified: dict[str, int] = field(default_factory=dict)


class Census:
    """One census of one account. started: when it started by HubSpot's clock, in epoch milliseconds."""

    def __init__(self, connection: str, options: Options, hubspot: HubSpot, teller: Teller, started: int) -> None:
        self._connection, self._options, self._hubspot, self._teller = connection, options, hubspot, teller
        self._started = started
        self._last_started: int | None = None
        self._number = 0
        self._seen: Ids | None = None
        self._before: dict[str, str] = {}
        self._found: dict[str, str] = {}

    async def pages(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """One page a batch that differs, and one a page of archived records; the cursor goes on where it was."""
        cursor = cursor or {}
        self._before, self._found = dict(cursor.get("before") or {}), dict(cursor.get("found") or {})
        self._last_started, self._number = cursor.get("last_started"), cursor.get("number", 0)
        if self._number % _WHOLE == 0:
            self._before = {}
        place = _Place(*cursor["place"]) if cursor.get("place") else _Place()
        if cursor.get("place"):
            self._started = cursor["started"]
        for number in range(place.kind, len(self._options.kinds)):
            kind, place = self._options.kinds[number], place if number == place.kind else _Place(number)
            self._seen = None if place.archived or place.after or place.last else Ids()
            if not place.archived:
                async for page in self._live(kind, place, known):
                    yield page
                place = _Place(number, True)
            async for page in self._archived(kind, place, known):
                yield page
            events = await self._buried(kind, known)
            if events:
                yield self._page(events, _Place(number + 1))
        self._before, self._found, self._last_started = self._found, {}, self._started
        self._number += 1
        yield self._page([], None)

    def _page(self, events: Sequence[SourceEvent], place: _Place | None) -> Page:
        """place None: the census is over, and what it found is what the next one compares with."""
        cursor = {
            "before": dict(self._before),
            "found": dict(self._found),
            "started": self._started,
            "last_started": self._last_started,
            "number": self._number,
            "place": [place.kind, place.archived, place.after, place.last] if place else None,
        }
        return Page(events, cursor, None, more=place is not None, set_aside=self._teller.take_set_aside())

    async def _live(self, kind: str, place: _Place, known: Mapping[str, str]) -> AsyncIterator[Page]:
        batch, skip, token = _Batch(), place.last, place.after
        listing = self._hubspot.listed(kind, ["hs_lastmodifieddate"], place.after, archived=False)
        async for records, following in listing:
            rows, skip = _past(rows_of(records), skip), None
            self._saw(records)
            around = await self._teller.associated(kind, [each for each, _ in rows])
            for native_id, at in rows:
                batch.around[native_id], batch.modified[native_id] = around[native_id], at
                if _ends_batch(native_id):
                    events, batch = await self._told(kind, batch, known), _Batch()
                    if events:
                        yield self._page(events, _Place(place.kind, False, token, native_id))
            token = following
        if batch.around:
            events = await self._told(kind, batch, known)
            if events:
                yield self._page(events, _Place(place.kind, True))

    async def _told(self, kind: str, batch: _Batch, known: Mapping[str, str]) -> list[SourceEvent]:
        """What a batch has to tell: whole records that are not known, changed ones, associations if any differ."""
        name, now = f"{kind}/{next(reversed(batch.around))}", digest(canonical_json(batch.around))[:16]
        same = self._before.get(name) == now and not any(map(self._polled, batch.modified.values()))
        self._found[name] = now
        unknown = {each for each in batch.around if known and self._artifact(kind, each) not in known}
        events = await self._teller.tell(kind, sorted(unknown), polled=False) if unknown else []
        changed = [each for each in batch.around if each not in unknown and self._changed(batch.modified[each])]
        if kind not in STAGE_PROPERTY:
            changed = [each for each in changed if on_a_record(batch.around[each])]
        if changed:
            events += await self._teller.tell_records(kind, changed)
        rest = {} if same else {each: batch.around[each] for each in batch.around if each not in unknown}
        if kind not in STAGE_PROPERTY and not known:
            # Notes and mails that lie on no record were never told, so there is nothing to take back.
            rest = {each: shown for each, shown in rest.items() if on_a_record(shown)}
        return events + (await self._teller.tell_associations(kind, rest, {}) if rest else [])

    def _polled(self, modified: int) -> bool:
        """Whether a poll may have told this record's associations since the last census, as they were for a while."""
        return self._last_started is None or modified >= self._last_started - _HOUR

    def _changed(self, modified: int) -> bool:
        """Changed since the last census: the polls should have told it; if the search lost it, this does."""
        return self._last_started is not None and modified >= self._last_started

    def _lately(self, record: dict[str, Any]) -> bool:
        """Archived since the last census (and a day before it); older ones were told by that one."""
        at = moment_at(record, "archivedAt")
        return self._last_started is None or at is None or milliseconds(at) >= self._last_started - _DAY

    def _artifact(self, kind: str, native_id: str) -> str:
        return artifact_id(self._connection, kind, native_id)

    async def _archived(self, kind: str, place: _Place, known: Mapping[str, str]) -> AsyncIterator[Page]:
        listing = self._hubspot.listed(kind, ["hs_lastmodifieddate"], place.after, archived=True)
        async for records, following in listing:
            self._saw(records)
            ids = [native_id for each in records if (native_id := id_at(each, "id")) and self._lately(each)]
            ids = [each for each in ids if not known or self._artifact(kind, each) in known]
            events = await self._teller.deleted(kind, ids) if ids else []
            if events:
                yield self._page(events, _Place(place.kind, True, following) if following else _Place(place.kind + 1))

    def _saw(self, records: Sequence[dict[str, Any]]) -> None:
        if self._seen is not None:
            self._seen.update(id_at(record, "id") or "" for record in records)

    async def _buried(self, kind: str, known: Mapping[str, str]) -> list[SourceEvent]:
        """Known records that are in no list any more may live on in one that was archived before anybody read it.

        Nothing is looked for where this census, gone on with after a stop, did not see both lists.
        """
        if (seen := self._seen) is None:
            return []
        prefix = self._artifact(kind, "")
        # In a thread what looks at each of perhaps a million records: the loop has others to serve.
        gone = await asyncio.to_thread(
            lambda: [
                native_id
                for artifact in known
                if artifact.startswith(prefix) and (native_id := artifact.removeprefix(prefix)) not in seen
            ]
        )
        return await self._teller.tell_buried(kind, sorted(gone), known)


def _past(rows: list[tuple[str, int]], last: str | None) -> list[tuple[str, int]]:
    """The rows after the one that was told last, if it is among them."""
    ids = [each for each, _ in rows]
    return rows[ids.index(last) + 1 :] if last in ids else rows


def _ends_batch(native_id: str) -> bool:
    return int(digest(native_id)[:8], 16) % _BATCH == 0
