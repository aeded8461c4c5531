"""What follows for very large pieces, written in portions: on SQLite, which has one writer at a time, nobody waits for
all of it.

A portion is whole new components, each with its requests, so that what it leaves is consistent. Components that keep
their name come last: until then what was not written yet counts as a very large component, and what touches that is
left aside. The notes that asked for the work go with the last portion, so who dies before it begins anew with what is
left.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import aside, components, decisions, outcomes, pending, people, requests
from pipelines.store.bulk import Bulk
from pipelines.store.components import Loaded
from pipelines.store.engine import writing
from pipelines.store.facts import Touched
from pipelines.store.requests import RequestRow
from pipelines.understanding import Outcome, Work, write
from pipelines.watching import UNWATCHED, Watch
from schemas.artifacts import request_id

LONG = 0.05
"""Seconds for which a portion should write."""
FIRST, FEWEST = 100, 10
"""Artifacts of the first portion, and of one at least."""

Asked = Callable[[AsyncConnection], Awaitable[bool]]
Said = Callable[[AsyncConnection], Awaitable[None]]


class Portions:
    """What of an outcome is to be written yet."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.number = outcome.number
        """Of the outcome that was written last as far as this one knows."""
        self.written = 0
        """Portions."""
        self._artifacts: dict[str, list[str]] = defaultdict(list)
        self._rows: dict[str, list[RequestRow]] = defaultdict(list)
        self._ended: dict[str, set[str]] = defaultdict(set)
        self._sort()
        kept = outcome.loaded.components
        self._left = sorted(self._artifacts, key=lambda name: (name not in kept, name))
        """Names of new components, those to be written last first."""
        self._settled: set[str] = set()
        """Components and requests that were there before and are as they shall be."""

    def _sort(self) -> None:
        component_of = self.outcome.work.component_of
        for name, component in component_of.items():
            self._artifacts[component].append(name)
        for row in self.outcome.rows:
            self._rows[row.component].append(row)
        if self.outcome.ended:
            owner = {request_id(name): component for name, component in component_of.items()}
            for request in self.outcome.ended:
                self._ended[owner.get(request, "")].add(request)

    @property
    def left(self) -> bool:
        """Whether something is."""
        return bool(self._left)

    async def untouched(self, bulk: Bulk) -> bool:
        """Whether nobody changed what is not written yet: its members, requests and people, and decisions."""
        number = await outcomes.newest(bulk)
        if number != self.number:
            if await decisions.newest(bulk.connection) != self.outcome.decided:
                return False
            if not (await self._same_requests(bulk) and await components.unchanged(bulk, self._rest())):
                return False
            if not await self._same_people(bulk):
                return False
            self.number = number
        return True

    async def _same_requests(self, bulk: Bulk) -> bool:
        places = self.outcome.loaded.components - self._settled
        stored = {name: (one.etag, one.basis, one.component) for name, one in
                  (await requests.stored(bulk, places)).items() if name not in self._settled}  # fmt: skip
        return stored == {
            name: (one.etag, one.basis, one.component)
            for name, one in self.outcome.before.items()
            if one.component in places and name not in self._settled
        }

    async def _same_people(self, bulk: Bulk) -> bool:
        """Whether all whom its records are made from are known as they were: who became known otherwise since found
        none of the records, which are not there yet."""
        rows = (row for component in self._left for row in self._rows[component])
        named = {value for row in rows for kind, value in row.facets if kind in pending.NAMED_BY}
        known = self.outcome.known
        names = named & (known.asked | known.identities.keys())  # facets hold names and addresses too
        return known.same(await people.load(bulk, names), names)

    def _rest(self) -> Loaded:
        names = (name for component in self._left for name in self._artifacts[component])
        return self._loaded(names, self.outcome.loaded.components - self._settled)

    def _loaded(self, names: Iterable[str], places: set[str]) -> Loaded:
        whole = self.outcome.loaded
        there = [name for name in names if name in whole.artifacts]
        return Loaded(
            components=places,
            sizes={name: whole.sizes[name] for name in places if name in whole.sizes},
            artifacts={name: whole.artifacts[name] for name in there},
            component_of={name: whole.component_of[name] for name in there if name in whole.component_of},
            request_of={name: whole.request_of[name] for name in there if name in whole.request_of},
        )

    def take(self, most: int) -> Outcome:
        """The next portion: so many artifacts at most, or one component; the last one is all that is left."""
        names: list[str] = []
        size = 0
        while self._left and (not names or size + len(self._artifacts[self._left[-1]]) <= most):
            names.append(self._left.pop())
            size += len(self._artifacts[names[-1]])
        return self._portion(names)

    def _portion(self, names: list[str]) -> Outcome:
        whole, last = self.outcome, not self.left
        members = [name for component in names for name in self._artifacts[component]]
        ended = {request for component in names for request in self._ended.pop(component, ())}
        if last:
            ended |= self._ended.pop("", set())
        rows = [row for component in names for row in self._rows[component]]
        places = whole.loaded.components - self._settled if last else whole.loaded.components & set(names)
        loaded = self._loaded(members, places)
        if last or any(len(self._artifacts[name]) > aside.LARGE for name in names):
            inside = set(members)
            loaded.edges = [edge for edge in whole.loaded.edges if edge[0] in inside]
        self._settled |= places | ended | {row.id for row in rows}
        return Outcome(
            self._touched(members, last=last), loaded, self._work(set(names), members), rows, ended, self.number
        )

    def _touched(self, members: list[str], *, last: bool) -> Touched:
        whole = self.outcome.touched
        return whole if last else Touched(whole.rules, artifacts=whole.artifacts.intersection(members))

    def _work(self, names: set[str], members: list[str]) -> Work:
        whole = self.outcome.work
        found = Work(
            component_of={name: whole.component_of[name] for name in members},
            request_of={name: whole.request_of[name] for name in members if name in whole.request_of},
            failed_in=whole.failed_in & names,
        )
        there = set(found.request_of.values())
        found.failed = {name: why for name, why in whole.failed.items() if name in there}
        return found

    def waiting(self) -> set[str]:
        """Requests that were there before and are not as they shall be."""
        changed = {row.id for row in self.outcome.rows if not row.same} | self.outcome.ended
        return (changed & self.outcome.before.keys()) - self._settled


async def write_in_portions(
    engine: AsyncEngine, outcome: Outcome, same: Asked, then: Said, watch: Watch = UNWATCHED
) -> Portions:
    """Write an outcome that was computed beside other writers, as far as nobody changed what it began from.

    same: asked each time whether it still holds. then: what belongs into the last transaction.
    """
    portions, most = Portions(outcome), FIRST
    clock = asyncio.get_running_loop().time
    while portions.left:
        async with writing(engine) as connection:
            bulk = Bulk(connection)
            if not (await same(connection) and await portions.untouched(bulk)):
                break
            began = clock()
            most = await _one(bulk, portions, most, then, watch)
            took = clock() - began
        # Without the commit: it takes as long for few as for many.
        most = max(FEWEST, int(most * min(LONG / max(took, 0.001), 2.0)))
    return portions


async def _one(bulk: Bulk, portions: Portions, most: int, then: Said, watch: Watch) -> int:
    """Write the next portion. Returns how many artifacts it was."""
    portion = portions.take(most)
    if portions.left and not portions.written:
        await requests.mark_failed(bulk, dict.fromkeys(portions.waiting(), aside.WAITS))
    await write(bulk, portion, watch)
    if not portions.left:
        await then(bulk.connection)
    portions.number = await outcomes.newest(bulk)
    portions.written += 1
    return len(portion.work.component_of)
