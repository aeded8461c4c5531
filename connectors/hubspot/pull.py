"""Reading one HubSpot account: its check, what changed, what webhooks hinted at. The census has a file of its own.

Deals, tickets, notes and e-mails are found through "CRM search" in order of modification and read whole through
"batch read" (developers.hubspot.com). Records archived, associations changed: neither shows here, see the census.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.contract import Fields, Listed, Misconfigured, Page, Progress, RetryLater, SetAside, Step, Surroundings
from connectors.hubspot import custom, pipelines, walk
from connectors.hubspot.census import Census
from connectors.hubspot.check import steps
from connectors.hubspot.client import HubSpot
from connectors.hubspot.options import Options
from connectors.hubspot.reading import STAGE_PROPERTY, milliseconds, moment_at, text_at
from connectors.hubspot.telling import Teller, on_a_record
from connectors.transport import Client
from schemas.artifacts import artifact_id
from schemas.events import SourceEvent

FEW = 20
"""Records on a first read's first page: each is told in several events, and the first of them are soon to be seen."""


class HubSpotSource:
    """One opened connection to a HubSpot account."""

    def __init__(self, connection: str, options: Options, surroundings: Surroundings, client: Client) -> None:
        self._connection, self._options, self._now = connection, options, surroundings.now
        self._hubspot = HubSpot(client, options)
        self._overlap = timedelta(minutes=options.overlap_minutes)

    async def check(self) -> AsyncIterator[Step]:
        """Address and token, each scope by name, the search, the clock."""
        async for step in steps(self._hubspot, self._options, self._now):
            yield step

    async def count(self, since: datetime | None) -> int | None:
        """About how many records a first read from `since` on goes over. Raises RetryLater, Misconfigured."""
        await self._account(None)
        standings = walk.from_json(None, self._options.kinds)
        return await self._expected(_Reading("", standings, True, self._overlap, milliseconds(since) if since else 0))

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        """Kind by kind what was modified, oldest first; see `walk` for the cursor."""
        account = await self._account(cursor)
        standings = walk.from_json(cursor, self._options.kinds)
        first = any(each.mark is None for each in standings.values())
        reading = _Reading(
            text_at(account, "portalId") or "", standings, first, self._overlap, milliseconds(since) if since else 0
        )
        teller = self._teller(account)
        for kind in self._options.kinds:
            async for page in self._walked(kind, reading, teller):
                yield page

    async def _account(self, cursor: dict[str, Any] | None) -> dict[str, Any]:
        """The account. An expired token that still gets answers, or one of another account, ends here."""
        account = await self._hubspot.account()
        portal = text_at(account, "portalId")
        expected = text_at(cursor, "portal") or (str(self._options.portal) if self._options.portal else portal)
        if portal != expected:
            raise Misconfigured(
                f"The token belongs to HubSpot account {portal}, not to {expected}",
                "Give a token of the account this connection reads, or make a new connection",
                "token",
            )
        return account

    def _teller(self, account: dict[str, Any]) -> Teller:
        return Teller(self._connection, self._options, self._hubspot, account, self._now)

    async def _expected(self, reading: "_Reading") -> int | None:
        """How many records a first read goes over; None if HubSpot does not know."""
        expected = reading.done
        for kind, standing in reading.standings.items():
            filters, sort = standing.begin(reading.since, reading.reach).query()
            total = (await self._hubspot.search(kind, filters, sort, 1)).get("total")
            # A total of -2147483648 has been seen.
            if not isinstance(total, int) or isinstance(total, bool) or total < 0:
                return None
            expected += total
        return expected

    async def _walked(self, kind: str, reading: "_Reading", teller: Teller) -> AsyncIterator[Page]:
        standing = reading.standings[kind]
        going = standing.begin(reading.since, reading.reach)
        more = True
        while more:
            limit = min(self._options.page_size, FEW) if reading.begins else self._options.page_size
            filters, sort = going.query()
            answer = await self._hubspot.search(kind, filters, sort, limit)
            going.started = going.started or milliseconds(self._heard())
            found, full = walk.rows_of(answer["results"]), walk.is_full(answer, limit)
            if full and not found:
                raise RetryLater("HubSpot's answer to a search holds no record with its time of modification")
            rows, more = going.take(found, full)
            events = await teller.tell(kind, standing.unseen(rows), polled=True)
            if more:
                standing.forget(min(going.at, going.started) - reading.reach)
            else:
                reading.finished(kind, datetime.fromtimestamp(going.started / 1000, UTC))
            page = reading.page(events, teller.take_set_aside())
            if page.events or page.set_aside or reading.first or not page.more:
                yield page
            if more and reading.begins:
                # Only once the first page is out: an account that fits in one page needs no estimate.
                reading.asked, reading.total = True, await self._expected(reading)

    def _heard(self) -> datetime:
        """Now, by the slower of HubSpot's clock and ours."""
        return min(self._now(), self._hubspot.answered_at or self._now())

    def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        """Associations that moved no time stamp, archived records, and records that the search never showed."""
        return self._census(known, cursor)

    async def _census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        account = await self._account(cursor)
        started = milliseconds(self._heard())
        census = Census(self._connection, self._options, self._hubspot, self._teller(account), started)
        async for page in census.pages(known, cursor):
            yield page

    async def scopes(self) -> frozenset[str]:
        """The account's number, which addresses of its records hold. Raises RetryLater, Misconfigured."""
        return frozenset({f"hubspot:{text_at(await self._account(None), 'portalId')}"})

    covers: timedelta | None = None

    async def inventory(self) -> AsyncIterator[Sequence[Listed]]:
        """Every record that is read, with its time of change. Raises RetryLater, Misconfigured."""
        teller = self._teller(await self._account(None))
        for kind in self._options.kinds:
            async for records, _ in self._hubspot.listed(kind, ["hs_lastmodifieddate"], None, archived=False):
                stamps = dict(walk.rows_of(records))
                if kind not in STAGE_PROPERTY:
                    # Notes and mails that lie on no record are not read.
                    around = await teller.associated(kind, list(stamps))
                    stamps = {each: at for each, at in stamps.items() if on_a_record(around[each])}
                yield [
                    Listed(
                        artifact_id(self._connection, kind, each),
                        datetime.fromtimestamp(at / 1000, UTC),
                        f"{kind}/{each}",
                    )
                    for each, at in stamps.items()
                ]

    async def fields(self) -> Fields:
        """Pipelines with their stages, named properties, and what the options name of these. Raises RetryLater,
        Misconfigured."""
        there: dict[str, str] = {}
        for kind in self._options.objects:
            there |= pipelines.named(await self._hubspot.pipelines(kind))
        needed = {f"pipeline {each}": "opening_pipelines" for each in self._options.opening_pipelines}
        there |= {name: text_at(one, "label") or name for name, one in (await self._named()).items()}
        lost = set(self._options.named_properties) - set(there)
        ended = {name: at for name, one in (await self._named(archived=True)).items()
                 if name in lost and (at := moment_at(one, "archivedAt"))} if lost else {}  # fmt: skip
        return Fields(there, needed | custom.needed(self._options), ended)

    async def _named(self, *, archived: bool = False) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for kind in self._options.objects if self._options.named_properties else ():
            found |= custom.among(await self._hubspot.properties(kind, archived=archived), self._options)
        return found

    async def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        """What webhooks named as `<kind>/<record id>`; an id without a kind is looked for in every kind."""
        teller = self._teller(await self._account(None))
        for kind in self._options.kinds:
            ids = [each for hint in hints if (each := _named(hint, kind))]
            for start in range(0, len(ids), 100):
                some = list(dict.fromkeys(ids[start : start + 100]))
                events = await teller.tell(kind, some, polled=False)
                told = {event.native_id for event in events if event.kind == kind}
                gone = [each for each in some if each not in told]
                events += await teller.deleted(kind, gone) if gone else []
                yield Page(events, {}, None, set_aside=teller.take_set_aside())


def _named(hint: str, kind: str) -> str | None:
    told, slash, native_id = hint.rpartition("/")
    return native_id if native_id.isdecimal() and (not slash or told == kind) else None


class _Reading:
    """One run of `pages`: builds the pages and knows when the first read is over."""

    def __init__(
        self, portal: str, standings: dict[str, walk.Standing], first: bool, overlap: timedelta, since: int
    ) -> None:
        self.standings, self.since = standings, since
        self.reach = int(overlap.total_seconds() * 1000)
        self._portal, self._overlap = portal, overlap
        self._left = list(standings)
        self.first, self.asked = first, False
        self.total: int | None = None
        self._true_up_to: datetime | None = None

    def finished(self, kind: str, started: datetime) -> None:
        """A kind was walked to its end, in a walk that started then."""
        self.standings[kind].end(self.reach)
        self._left.remove(kind)
        reached = started - self._overlap
        self._true_up_to = min(self._true_up_to or reached, reached)

    @property
    def begins(self) -> bool:
        """Whether a first read's first page is not out yet."""
        return self.first and not self.asked

    @property
    def done(self) -> int:
        """Records walked over in the first read, also before a restart."""
        return sum(each.walked + (each.walk.done if each.walk else 0) for each in self.standings.values())

    def page(self, events: Sequence[SourceEvent], set_aside: Sequence[SetAside]) -> Page:
        """A page with the cursor as it stands now."""
        done = self.done
        total = None if self.total is None and self._left else max(done, self.total or 0)
        return Page(
            events=events,
            cursor={"portal": self._portal, "kinds": walk.to_json(self.standings)},
            true_up_to=None if self._left else self._true_up_to,
            more=bool(self._left),
            progress=Progress(done, total) if self.first else None,
            set_aside=set_aside,
        )
