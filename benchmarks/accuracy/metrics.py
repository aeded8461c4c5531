"""How right a partition is. Pure.

A partition gives each thing (by its number) a group; things with equal groups are held to belong together. Sources:
pairwise precision and recall as usual in entity resolution; B-cubed after Bagga and Baldwin (1998); the interval after
Wilson (1927), which stays honest near 0 and 1; the Brier score after Brier (1950).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

Partition = Sequence[int]
Z95 = 1.959963984540054
"""The normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """From 0 to 1; 1 where there was nothing to be wrong about."""
        return self.hits / self.of if self.of else 1.0

    def interval(self, z: float = Z95) -> tuple[float, float]:
        """The Wilson interval."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision and recall, and what they make together."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of things: joined rightly, joined wrongly, missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> Share:
        """Of the pairs that were joined, those that belong together."""
        return Share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> Share:
        """Of the pairs that belong together, those that were joined."""
        return Share(self.right, self.right + self.missed)

    @property
    def quality(self) -> Quality:
        """Both as numbers."""
        return Quality(self.precision.value, self.recall.value)


def pairwise(truth: Partition, found: Partition) -> Pairs:
    """Compare all pairs, without looking at each of them."""
    right = _pairs_in(Counter(zip(truth, found, strict=True)))
    return Pairs(right, _pairs_in(Counter(found)) - right, _pairs_in(Counter(truth)) - right)


def _pairs_in(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())


def b_cubed(truth: Partition, found: Partition) -> Quality:
    """Per thing: how much of its group belongs to it, and how much of what belongs to it is in its group; averaged."""
    if not truth:
        return Quality(1.0, 1.0)
    both, true_size, found_size = Counter(zip(truth, found, strict=True)), Counter(truth), Counter(found)
    precision = sum(size * size / found_size[group] for (_, group), size in both.items())
    recall = sum(size * size / true_size[group] for (group, _), size in both.items())
    return Quality(precision / len(truth), recall / len(truth))


def exact(truth: Partition, found: Partition, counted: Iterable[int]) -> Share:
    """How many of the true groups in `counted` were found with exactly their members."""
    both, found_size = Counter(zip(truth, found, strict=True)), Counter(found)
    true_size = Counter(truth)
    whole = {group for (group, other), size in both.items() if size == true_size[group] == found_size[other]}
    groups = set(counted)
    return Share(len(groups & whole), len(groups))


def parts_of(things: int, steps: Iterable[tuple[int, int]]) -> list[int]:
    """Thing to the lowest number of those it is connected with by steps."""
    lead = list(range(things))

    def leader(thing: int) -> int:
        while lead[thing] != thing:
            lead[thing] = lead[lead[thing]]
            thing = lead[thing]
        return thing

    for one, other in steps:
        low, high = sorted((leader(one), leader(other)))
        lead[high] = low
    return [leader(thing) for thing in range(things)]


def joined(found: Partition, accepted: Iterable[tuple[int, int]]) -> list[int]:
    """The partition once these pairs are joined too."""
    first: dict[int, int] = {}
    steps = [(first.setdefault(group, thing), thing) for thing, group in enumerate(found)]
    return parts_of(len(found), [*steps, *accepted])


@dataclass(frozen=True, slots=True)
class Bin:
    """Probabilities in one span, and how often they came true."""

    low: float
    high: float
    stated: float
    """Their mean."""
    true: Share


def reliability(stated: Sequence[tuple[float, bool]], bins: int = 10) -> list[Bin]:
    """The reliability table: equal spans of probability that hold at least one; 1.0 belongs to the last."""
    held: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for probability, true in stated:
        held[min(int(probability * bins), bins - 1)].append((probability, true))
    return [
        Bin(
            place / bins,
            (place + 1) / bins,
            sum(probability for probability, _ in some) / len(some),
            Share(sum(true for _, true in some), len(some)),
        )
        for place, some in sorted(held.items())
    ]


def brier(stated: Sequence[tuple[float, bool]]) -> float | None:
    """The mean squared distance of probabilities from what came true; None where none were stated."""
    if not stated:
        return None
    return sum((probability - true) ** 2 for probability, true in stated) / len(stated)
