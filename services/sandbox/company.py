"""The sandbox company: business requests over months, in order of time, the same for the same seed, at any size.

    Company(seed=7, now=now)                     # about 40 requests in the six months before `now`
    for happening in company.past(): ...         # what has happened by `now`
    for happening in company.future(): ...       # what goes on after it, without end
    Truth.of(company.past())                     # which things belong to which request

The stream is lazy: it holds the open requests' unfinished stories and nothing else. It knows nothing of how the hub
finds out what belongs together.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from services.sandbox.pen import Pen
from services.sandbox.people import CUSTOMERS, TRACKER
from services.sandbox.plots import PLOTS
from services.sandbox.script import Happening

MONTH = timedelta(days=30)
_CHILDREN = 12
_NAMED = 8
"""How many issues a digest names."""


@dataclass(frozen=True, slots=True)
class Company:
    """A company with this many requests in the months before `now`; it goes on at the same rate afterwards."""

    seed: int
    now: datetime
    requests: int = 40
    months: int = 6

    def past(self) -> Iterator[Happening]:
        """What has happened by `now`, oldest first."""
        return itertools.takewhile(lambda happening: happening.at <= self.now, self.happenings())

    def future(self) -> Iterator[Happening]:
        """What happens after `now`, without end."""
        return itertools.dropwhile(lambda happening: happening.at <= self.now, self.happenings())

    def happenings(self) -> Iterator[Happening]:
        """Everything, oldest first, without end. Ties are settled by the order of the requests."""
        open_stories: list[tuple[datetime, int, Happening, Iterator[Happening]]] = []
        stories = self._stories()
        recent: deque[str] = deque(maxlen=_NAMED)
        upcoming = next(stories)
        digest = self._begin + timedelta(days=7)
        while True:
            while not open_stories or upcoming[0] <= open_stories[0][0]:
                _push(open_stories, upcoming[1], upcoming[2])
                upcoming = next(stories)
            at, number, happening, story = heapq.heappop(open_stories)
            while at > digest:
                yield from self._digests(digest, tuple(recent))
                digest += timedelta(days=7)
            if happening.what == "issue":
                recent.append(happening.name)
            yield happening
            _push(open_stories, number, story)

    @property
    def _begin(self) -> datetime:
        return self.now - self.months * MONTH

    def _stories(self) -> Iterator[tuple[datetime, int, Iterator[Happening]]]:
        """(not before, number, story) of each request, by time of beginning."""
        yield self._begin, 0, self._programme()
        step = self.months * MONTH / self.requests
        for number in itertools.count(1):
            chance = Random(f"{self.seed}/{number}")  # noqa: S311 - a story, no secret
            start = self._begin + step * (number - 1 + chance.random())
            yield start, number, PLOTS[(number - 1) % len(PLOTS)](Pen(number, start, chance))

    def _programme(self) -> Iterator[Happening]:
        """An epic with many children that have nothing else in common."""
        pen = Pen(0, self._begin, Random(f"{self.seed}/programme"))  # noqa: S311 - a story, no secret
        pen.name, pen.project = "c", "PLAT"
        yield pen.issue("platform", pen.analyst, "Platform of the next years", "none", kind="Epic", request="")
        for place in range(1, _CHILDREN + 1):
            child = f"child{place}"
            title = f"Platform: part {place}"
            yield pen.issue(child, pen.analyst, title, "first", parent="platform", request=f"c.{child}")
            yield from pen.status(child, pen.developer, "In Progress", "Done")
            pen.wait(10, 40)

    def _digests(self, at: datetime, named: tuple[str, ...]) -> Iterator[Happening]:
        """Weekly, a machine's list of issues; monthly, a customer's own, which is a request that joins none."""
        if len(named) < _NAMED:
            return
        week = (at - self._begin).days // 7
        lines = "\n".join(f"* [[{name}]] changed" for name in named)
        said = {"subject": f"Weekly digest, issue {week}", "text": lines, "to": "", "answers": "", "kind": "digest"}
        yield Happening(at, "mail", "arrive", f"c.digest{week}", TRACKER.name, said, "", "none")
        if week % 4 == 0:
            who = CUSTOMERS[week % len(CUSTOMERS)]
            text = f"Could we talk about these on Thursday?\n\n{lines}\n\n{who.full}"
            asked = {"subject": "Our open points", "text": text, "to": "", "answers": ""}
            name = f"c.points{week}"
            yield Happening(at, "mail", "arrive", name, who.name, asked, name, "first")


def _push(
    stories: list[tuple[datetime, int, Happening, Iterator[Happening]]], number: int, story: Iterator[Happening]
) -> None:
    following = next(story, None)
    if following is not None:
        heapq.heappush(stories, (following.at, number, following, story))
