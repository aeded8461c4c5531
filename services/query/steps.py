"""A list, step by step: which way a search goes is decided by what is stored, and no step looks at much for little.

The last word is looked for as a beginning. Where few words begin so, each has its own place in the index, and the first
requests of all are merged. Where many do, requests are looked at in the order asked for, so many in one step, since
most of them hold one as a rule. Where they do not, all that begins so is sorted, as long as it can be.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select

from services.query.paging import Place
from services.query.searching import OF_ONE, Filter, Search, Way, by_fewest, counted, far, statement, values, way_of

Rows = Callable[[Select[Any]], Awaitable[Sequence[Any]]]
"""Asks a statement: its rows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one step looks at, at most, and a page. A place is one word of one request."""

    words: int = 20
    """Words that begin alike, each looked up by itself."""
    rare: int = 500
    """Places of a beginning that drives, whatever else is asked for."""
    few: int = 10_000
    """Places that are sorted at once: as quick as to look at requests in vain."""
    requests: int = 1_000
    """Requests that are looked at one after the other."""
    places: int = 100_000
    """Places that are sorted where those requests held too few."""
    seconds: float = 5.0
    """For a page in which what its reader may not read is passed over, in however many steps."""


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Step:
    """What one step gave."""

    rows: Sequence[Any]
    """Of `requests` (id, key, record, etag, problem), in order, at most as many as the search's limit."""
    on: Place | None
    """Where the next step begins, whether or not this one is full; None: nothing more fits."""


class Steps:
    """All that fits, in order, each request once, from `search.after` on; for one reader, one step after the other."""

    def __init__(self, ask: Rows, search: Search, bounds: Bounds = BOUNDS) -> None:
        self._ask, self._search, self._bounds = ask, search, bounds
        self._way: Way | None = None
        self._through: Way | None = None
        """Where it is gone so far in each step."""
        self._too_many = False
        """More begins so than can be sorted."""
        self._places = 0
        """Of what begins so, as far as they were counted."""

    async def next(self) -> Step:
        """The next step; not to be asked for after one that says that nothing more fits."""
        way = self._way = self._way or await self._begun(way_of(self._search))
        step = await (self._part(way, self._through) if self._through else self._whole(way))
        self._search = replace(self._search, after=step.on)
        return step

    async def _begun(self, way: Way) -> Way:
        filters = [one for one in (way.driver, *way.others) if one]
        beginning = next((one for one in filters if one.prefix), None)
        if way.driver is None or beginning is None:
            return way
        others = tuple(one for one in filters if one is not beginning)
        if way.driver is not beginning:
            rare = await self._within(beginning, self._bounds.rare)
            return Way(beginning, others, one_by_one=True) if rare else way
        words = await self._ask(values(beginning, self._bounds.words + 1))
        if len(words) <= self._bounds.words:
            return Way(beginning.of(row.value for row in words), others)
        if not await self._within(beginning, self._bounds.few):
            driver = by_fewest(others)
            asked = (*(one for one in others if one is not driver), beginning)
            self._through = Way(driver, asked, one_by_one=True)
        return way

    async def _whole(self, way: Way) -> Step:
        """A full step, or the last one."""
        driver = way.driver
        if driver and not (driver.prefix or driver.values):
            return Step((), None)
        rows = await self._ask(statement(self._search, way))
        cut = rows and driver and driver.prefix and self._places > OF_ONE * (self._search.limit + 1)
        return self._told(rows, (rows[-1].key, rows[-1].id) if cut else None)

    async def _part(self, way: Way, through: Way) -> Step:
        """Through the requests, or those of another filter; the whole of one way where that finds too few."""
        edge = await self._ask(far(self._search, self._bounds.requests))
        until = (edge[0].key, edge[0].id) if edge else None
        step = self._told(await self._ask(statement(self._search, replace(through, until=until))), until)
        if until is None or len(step.rows) == self._search.limit or self._too_many:
            return step
        if way.driver and await self._within(way.driver, self._bounds.places):
            self._through = None
        elif through.driver:
            self._way, self._through = replace(through, one_by_one=False), None
        else:
            self._too_many = True
            return step
        return await self._whole(self._way or way)

    async def _within(self, beginning: Filter, most: int) -> bool:
        """Whether there are not more places of it."""
        self._places = (await self._ask(counted(beginning, most + 1)))[0][0]
        return self._places <= most

    def _told(self, rows: Sequence[Any], until: Place | None) -> Step:
        limit = self._search.limit
        if len(rows) <= limit:
            return Step(rows, until)
        return Step(rows[:limit], (rows[limit - 1].key, rows[limit - 1].id))
