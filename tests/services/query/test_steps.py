"""Lists by the beginning of a word: whichever way is gone, all that fits comes once and in order."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from schemas.canonical import instant
from services.query.searching import COLUMNS, Search
from services.query.steps import Bounds, Steps
from tests.services.query.test_listing import SORTS, store

DAY = datetime(2026, 1, 1, tzinfo=UTC)
TINY = Bounds(words=3, rare=4, few=6, requests=15, places=40)
"""Bounds that a small store exceeds: each way is gone, and left for another."""
WAYS = {
    "as they are": Bounds(),
    "tiny": TINY,
    "merged": replace(TINY, words=1000),
    "sorted": replace(TINY, words=0, few=10_000),
    "sorted where looking found little": replace(TINY, words=0, few=0, places=10_000),
    "looked at one by one": replace(TINY, words=0, few=0, rare=0, places=0),
}


@dataclass
class Stored:
    """Requests, and what is asked of them, in Python."""

    connection: AsyncConnection
    facets: dict[str, set[tuple[str, str]]]
    keys: dict[str, dict[str, str]]

    async def ask(self, statement: Select[Any]) -> Sequence[Any]:
        rows: Sequence[Any] = (await self.connection.execute(statement)).all()
        return rows

    def fitting(self, search: Search) -> list[str]:
        """What a search must find: by looking at everything."""
        *words, last = search.text.split() or [""]

        def fits(has: set[tuple[str, str]]) -> bool:
            whole = all(("word", word) in has for word in words)
            beginning = not last or any(kind == "word" and value.startswith(last) for kind, value in has)
            filters = (("state", search.state), ("tool", search.tool))
            return whole and beginning and all(not any_of or {(kind, one) for one in any_of} & has
                                               for kind, any_of in filters)  # fmt: skip

        keys, updated, since = (self.keys[COLUMNS[one]] for one in (search.sort, "updated", "stage_since"))
        found = sorted(
            (keys[name], name)
            for name, has in self.facets.items()
            if fits(has)
            and (not search.changed_since or updated[name] >= search.changed_since)
            and (not search.in_stage_since or "" < since[name] <= search.in_stage_since)
        )
        return [name for _, name in (reversed(found) if search.descending else found)]


def _made(number: int, chance: random.Random) -> tuple[tuple[Any, ...], set[tuple[str, str]]]:
    name = f"R-{chance.randrange(16**12):012x}"
    # Few instants for many requests, and some that are unknown: places that only the id tells apart.
    opened, updated, since = (
        "" if at == 0 else instant(DAY + timedelta(days=at)) for at in (chance.randrange(number // 20 + 2),
                                                                        chance.randrange(9), chance.randrange(30))
    )  # fmt: skip
    words = {f"pay{chance.choice('abcdef')}{chance.choice('abcd')}" for _ in range(chance.choice((0, 1, 7)))}
    words |= {"portal"} if number % 2 else {"old", f"oldest{number % 9}"} if number < 40 else {"printer"}
    words |= {str(number), "pay"} if number % 3 else {f"rare{number % 10}"}
    facets = {("word", word) for word in words}
    facets |= {("state", chance.choice(("new", "active", "done"))), ("tool", "jira" if number % 7 else "mailbox")}
    return (name, name, "{}", "e", "b", None, "t", "s", "a", opened, updated, since, ""), facets


@pytest.fixture
async def stored(engine: AsyncEngine) -> AsyncIterator[Stored]:
    chance = random.Random(11)
    made = [_made(number, chance) for number in range(150)]
    async with engine.begin() as connection:
        bulk = Bulk(connection)
        await bulk.insert(tables.requests, [row for row, _ in made])
        await store(bulk, [(row, *one) for row, facets in made for one in facets])
    keys = {name: {row[0]: row[9 + place] for row, _ in made}
            for place, name in enumerate(("opened_at", "updated_at", "stage_since"))}  # fmt: skip
    async with engine.connect() as connection:
        yield Stored(connection, {row[0]: facets for row, facets in made}, keys)


LATELY, LONG = (instant(DAY + timedelta(days=days)) for days in (3, 20))
SEARCHES = (
    Search(text="pay"), Search(text="pa"), Search(text="old"), Search(text="1"), Search(text="portal"),
    Search(text="nothing"), Search(text="portal pay"), Search(text="pay rare3"), Search(text="pay ol"),
    Search(text="payab", state=["active"]), Search(text="pa", state=["new", "done"]),
    Search(text="ol", tool=["mailbox"]), Search(state=["active"], changed_since=LATELY),
    Search(tool=["jira"], in_stage_since=LONG), Search(tool=["jira"], in_stage_since=LONG, changed_since=LATELY),
    Search(text="pay", in_stage_since=LONG), Search(in_stage_since=LONG, changed_since=LATELY),
)  # fmt: skip


async def everything(stored: Stored, search: Search, bounds: Bounds) -> list[str]:
    """Ids by all steps; each begins where the one before says, as the next page of another caller does."""
    found: list[str] = []
    for _ in range(1000):
        step = await Steps(stored.ask, search, bounds).next()
        assert len(step.rows) <= search.limit
        found += [row.id for row in step.rows]
        if step.on is None:
            return found
        assert step.on != search.after
        search = replace(search, after=step.on)
    raise AssertionError("it has no end")


async def test_all_that_fits_comes_once_and_in_order(stored: Stored) -> None:
    for place, search in enumerate(SEARCHES):
        for sort in SORTS:
            asked = replace(search, sort=sort, descending=(place + len(sort)) % 2 == 0, limit=17)
            expected = stored.fitting(asked)
            for way, bounds in WAYS.items():
                assert await everything(stored, asked, bounds) == expected, (way, asked)
    assert [len(stored.fitting(search)) for search in SEARCHES[:6]] == [139, 139, 20, 42, 75, 0]

    # One reader goes on step by step.
    for bounds in WAYS.values():
        steps, found = Steps(stored.ask, Search(text="old", limit=3), bounds), list[str]()
        while (step := await steps.next()).on:
            found += [row.id for row in step.rows]
        assert [*found, *(row.id for row in step.rows)] == stored.fitting(Search(text="old"))

    # The latest hold none of it, and more begins so than can be sorted: no step claims to be the last.
    search = Search(text="oldest", sort="opened", limit=5)
    step = await Steps(stored.ask, search, replace(TINY, words=0, few=0, places=0)).next()
    assert (list(step.rows), step.on is not None) == ([], True)
