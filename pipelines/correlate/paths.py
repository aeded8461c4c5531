"""Ways from one artifact to another over the links that correlation told: what joins them, or came nearest to it. Pure.

A path is looked for with the fewest links that join nothing, then the fewest links at all, then the strongest
evidence; what is still equal is settled by the data, and the way back is the way there turned round.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from schemas.artifacts import EVIDENCE_ORDER
from schemas.links import Groups, Link, LinkKind

_DO_NOT_JOIN: dict[LinkKind, str] = {
    "depends on": "waiting for something is shown and joins nothing",
    "programme": "several requests belong to it, and through a programme nothing is joined",
}
"""What keeps links of a kind from joining, where the link itself does not say."""

Cost = tuple[int, int, int]
"""Links that join nothing, links, and the sum of their places among kinds of evidence."""


@dataclass(frozen=True, slots=True)
class Step:
    """One link on a path. Its ends are artifact ids, or the name of a thing that was not read."""

    start: str
    """Where the path comes from; the link may point either way."""
    end: str
    link: Link

    @property
    def kept(self) -> str:
        """What keeps the link from joining; "" where it joins."""
        return kept(self.link)


def kept(link: Link) -> str:
    """What keeps a link from joining; "" where it joins."""
    return link.kept or _DO_NOT_JOIN.get(link.kind, "")


def ends(link: Link) -> tuple[str, str]:
    """Both ends of a link; a thing that was not read by its name."""
    return link.from_artifact, link.to_artifact or link.unread


class Paths:
    """The links of what was correlated, ready to be walked. Linear in their number to make."""

    def __init__(self, groups: Groups) -> None:
        self.links = tuple(dict.fromkeys(_all(groups)))
        """Each once, in the order in which correlation tells them."""
        self._at: dict[str, list[tuple[str, Link]]] = defaultdict(list)
        for link in self.links:
            left, right = ends(link)
            self._at[left].append((right, link))
            self._at[right].append((left, link))

    def joining(self, left: str, right: str) -> tuple[Step, ...]:
        """The path of which every link joins; () where there is none, or nothing to walk."""
        return self._path(left, right, only_joining=True)

    def nearest(self, left: str, right: str) -> tuple[Step, ...]:
        """The path with the fewest links that join nothing; () where nothing leads from one to the other."""
        return self._path(left, right, only_joining=False)

    def touching(self, artifacts: Iterable[str]) -> tuple[Link, ...]:
        """Links with an end among these, each once; strongest first, ties by the ends."""
        found = {link: ends(link) for name in artifacts for _, link in self._at.get(name, ())}
        return tuple(sorted(found, key=lambda link: (EVIDENCE_ORDER[link.evidence], *found[link], link.why)))

    def joined_to(self, artifact: str) -> frozenset[str]:
        """All that joining links lead to from an artifact, itself too."""
        reached, waiting = {artifact}, [artifact]
        while waiting:
            for other, link in self._at.get(waiting.pop(), ()):
                if other not in reached and not kept(link):
                    reached.add(other)
                    waiting.append(other)
        return frozenset(reached)

    def _path(self, left: str, right: str, *, only_joining: bool) -> tuple[Step, ...]:
        first, last = sorted((left, right))
        came = self._search(first, last, only_joining=only_joining)
        steps: list[Step] = []
        here = last
        while here != first:
            if here not in came:
                return ()
            before, link = came[here]
            steps.append(Step(before, here, link))
            here = before
        if left == first:
            return tuple(reversed(steps))
        return tuple(Step(one.end, one.start, one.link) for one in steps)

    def _search(self, first: str, last: str, *, only_joining: bool) -> dict[str, tuple[str, Link]]:
        """End to the end and the link it was reached by, as far as it takes to reach the last (Dijkstra)."""
        came: dict[str, tuple[str, Link]] = {}
        best: dict[str, Cost] = {first: (0, 0, 0)}
        done: set[str] = set()
        waiting: list[tuple[Cost, str]] = [((0, 0, 0), first)]
        while waiting and last not in done:
            cost, here = heappop(waiting)
            if here in done:
                continue
            done.add(here)
            for there, link in self._at.get(here, ()):
                apart = bool(kept(link))
                if there in done or (apart and only_joining):
                    continue
                farther = (cost[0] + apart, cost[1] + 1, cost[2] + EVIDENCE_ORDER[link.evidence])
                if there not in best or farther < best[there]:
                    best[there], came[there] = farther, (here, link)
                    heappush(waiting, (farther, there))
        return came


def _all(groups: Groups) -> Iterable[Link]:
    for group in groups.requests:
        yield from group.links
        yield from group.depends_on
        yield from group.mentions
    for programme in groups.programmes:
        yield from programme.links
    yield from groups.loose
