"""What is true of a generated company: which thing belongs to which request, and what evidence of it was planted."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import combinations

from benchmarks.accuracy.metrics import Partition, parts_of
from benchmarks.accuracy.traps import Trap


class Planted(IntEnum):
    """The evidence that holds a true pair together, strongest first: the weakest step of its best chain."""

    EXPLICIT = 1
    """The tools say so: parent, association, reply header, remote link, merge."""
    MENTION = 2
    """A subject, title, field or written text names the other."""
    SIMILARITY = 3
    """Only likeness: same requester, near in time, like titles."""
    NONE = 4
    """Nothing that anybody could see in the tools."""


Pair = tuple[int, int]


def pair(one: int, other: int) -> Pair:
    """Two things, the lower number first."""
    return (one, other) if one < other else (other, one)


@dataclass
class Truth:
    """Things are numbered as they were generated. Several things may carry one artifact identity (that is a trap)."""

    artifact: list[str] = field(default_factory=list)
    """Thing to the identity of its artifact."""
    request: list[int | None] = field(default_factory=list)
    """Thing to its true request; None: it belongs to none."""
    planted: list[tuple[int, int, Planted]] = field(default_factory=list)
    """Evidence between two things of one request."""
    concerned: dict[Trap, set[Pair]] = field(default_factory=lambda: defaultdict(set))
    occurrences: Counter[Trap] = field(default_factory=Counter)

    def together(self, one: Pair) -> bool:
        """Whether the two belong to one request."""
        first, second = (self.request[thing] for thing in one)
        return first is not None and first == second

    def partition(self) -> Partition:
        """Thing to its true group; what belongs to no request is a group of its own."""
        return [-1 - thing if request is None else request for thing, request in enumerate(self.request)]

    def ceiling(self, weakest: Planted) -> Partition:
        """Thing to its group when everything is joined that evidence up to `weakest` joins, and nothing else."""
        steps = [(one, other) for one, other, kind in self.planted if kind <= weakest]
        return parts_of(len(self.request), steps)

    def evidence(self) -> dict[Pair, Planted]:
        """Every true pair with the evidence that it has."""
        found: dict[Pair, Planted] = dict.fromkeys(self.pairs(), Planted.NONE)
        for weakest in (Planted.SIMILARITY, Planted.MENTION, Planted.EXPLICIT):
            part = self.ceiling(weakest)
            found |= {one: weakest for one in found if part[one[0]] == part[one[1]]}
        return found

    def pairs(self) -> Iterator[Pair]:
        """All true pairs."""
        for members in self.requests().values():
            yield from combinations(members, 2)

    def requests(self) -> dict[int, list[int]]:
        """Each request with its things, in the order of their numbers."""
        found: dict[int, list[int]] = defaultdict(list)
        for thing, request in enumerate(self.request):
            if request is not None:
                found[request].append(thing)
        return found

    def concern(self, trap: Trap, focus: Sequence[int], others: Iterable[int], most: int) -> None:
        """One occurrence of a trap: pairs of what it is about (`focus`) with `others`, at most so many."""
        wanted = [pair(one, other) for other in others for one in focus if one != other]
        self.concerned[trap].update(list(dict.fromkeys(wanted))[:most])
        self.occurrences[trap] += 1
