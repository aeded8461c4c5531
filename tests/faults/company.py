"""The sandbox company in the three tools, served by a thread of this process: hubs read it, and its day may go on."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.story import MONTHS, NOW, Served, served
from services.cli.sandbox import Joined
from services.sandbox.company import MONTH, Company

REQUESTS = 105
"""Of so many requests the three tools tell about two thousand source events in a first read."""
PAGES = {"jira": {"page_size": 10}, "hubspot": {"page_size": 10}}
"""Things a page, so that there are many places to be killed at."""


GONE = frozenset({"delete", "merge"})
"""What a hub that comes later cannot know was there: no such thing happens while the day goes on."""


def _now() -> datetime:
    return datetime.now(UTC)


class Office:
    """The tools, and the hands that use them."""

    def __init__(self, company: Company, tools: Served, loop: asyncio.AbstractEventLoop) -> None:
        self._tools, self._loop = tools, loop
        self._story = company.happenings()
        self._ahead = next(self._story)
        self._letters = 0
        while self._ahead.at <= company.now:
            self._happen(self._ahead.at)

    @property
    def joined(self) -> tuple[Joined, ...]:
        """The connections to the tools."""
        return tuple(
            Joined(one.name, one.connector, one.options | PAGES.get(one.connector, {}))
            for one in self._tools.connections
        )

    @property
    def writes(self) -> list[str]:
        """What the tools were asked to change."""
        return [one for tool in self._tools.writes for one in tool]

    def things(self) -> int:
        """How many things there are to read at least: issues, deals, tickets, notes, e-mails and mails."""
        player = self._tools.player
        records = sum(kind not in ("contact", "company") for kind, _ in player.account.records)
        return len(player.jira.state.issues) + records + self._letters

    def go_on(self, happenings: int) -> None:
        """Let so many things happen now."""
        asyncio.run_coroutine_threadsafe(self._play(happenings), self._loop).result(60)

    async def _play(self, happenings: int) -> None:
        for _ in range(happenings):
            self._happen(_now())

    def _happen(self, at: datetime) -> None:
        """The next thing of the story."""
        happening, self._ahead = self._ahead, next(self._story)
        live = happening.at != at
        if live and happening.what in GONE:
            return
        self._tools.player.play(happening, at)
        self._letters += happening.what == "arrive"


@contextmanager
def office(requests: int = REQUESTS, seed: int = 7) -> Iterator[Office]:
    """A company with its past; nothing goes on by itself."""
    ready, end = threading.Event(), asyncio.Event()
    made: list[Any] = []

    async def serve() -> None:
        company = Company(seed, NOW, requests, MONTHS)
        async with served(_now, NOW - MONTHS * MONTH - timedelta(days=1)) as tools:
            loop = asyncio.get_running_loop()
            made.extend((Office(company, tools, loop), loop))
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(60), "the tools did not start"
    kept, loop = made
    try:
        yield kept
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
    assert kept.writes == []
