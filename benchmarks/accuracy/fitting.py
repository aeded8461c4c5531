"""Fitting a logistic regression: Newton's method with a small ridge, in plain Python; rows that are equal
to two digits are counted once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log

Row = Mapping[str, float]
"""Feature to value; what is 0 is left out."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted."""

    bias: float
    weights: dict[str, float]

    def probability(self, row: Row) -> float:
        """From 0 to 1."""
        return _logistic(self.score(row))

    def score(self, row: Row) -> float:
        """The log odds."""
        return self.bias + sum(self.weights.get(name, 0.0) * value for name, value in row.items())

    def loss(self, rows: Iterable[tuple[Row, bool]]) -> float:
        """The mean of -log of what was said of the outcome that came true."""
        told = [self.probability(row) if true else 1 - self.probability(row) for row, true in rows]
        return -sum(log(max(one, 1e-12)) for one in told) / max(len(told), 1)


def _logistic(score: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, score))))


def fit(
    rows: Iterable[tuple[Row, bool]], names: Sequence[str], ridge: float = 1.0, steps: int = 25,
    begin: Fit | None = None,
) -> Fit:  # fmt: skip
    """The likeliest weights of these features; ridge pulls those that are seen seldom towards 0. begin: near them."""
    counted: dict[tuple[float, ...], list[int]] = defaultdict(lambda: [0, 0])
    for row, true in rows:
        counted[(1.0, *(round(row.get(name, 0.0), 2) for name in names))][true] += 1
    weights = [begin.bias if begin else 0.0, *(begin.weights.get(name, 0.0) if begin else 0.0 for name in names)]
    for _ in range(steps):
        moved = _solve(*_newton(counted, weights, ridge))
        weights = [one + step for one, step in zip(weights, moved, strict=True)]
        if max(abs(step) for step in moved) < 1e-4:
            break
    return Fit(weights[0], dict(zip(names, weights[1:], strict=True)))


def calibrated(made: Fit, rows: Iterable[tuple[Row, bool]]) -> Fit:
    """The same weights on another scale, so that what is said on these rows comes true as often as it says (Platt).

    Never louder than it was fitted: that few rows contradict it is no reason to be surer than the fit was.
    """
    scored = [({"score": made.score(row)}, true) for row, true in rows]
    scale = fit(scored, ["score"], ridge=1e-3, steps=50, begin=Fit(0.0, {"score": 1.0}))
    by = scale.weights["score"]
    if by >= 1:
        return Fit(
            made.bias + _shift([row["score"] for row, _ in scored], sum(true for _, true in scored)), made.weights
        )
    return Fit(scale.bias + by * made.bias, {name: by * weight for name, weight in made.weights.items()})


def _shift(scores: Sequence[float], true: int) -> float:
    """What to add to each so that as many are expected to be true as are, found by halving."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(_logistic(one + middle) for one in scores) < true else (low, middle)
    return low


def _newton(
    counted: Mapping[tuple[float, ...], Sequence[int]], weights: Sequence[float], ridge: float
) -> tuple[list[list[float]], list[float]]:
    """The curvature and the slope at these weights; the bias is not pulled."""
    size = len(weights)
    curve = [[0.0] * size for _ in range(size)]
    slope = [0.0] * size
    for row, (false, true) in counted.items():
        p = _logistic(sum(w * x for w, x in zip(weights, row, strict=True)))
        seen = [place for place, value in enumerate(row) if value]
        pull, bend = true - (false + true) * p, (false + true) * p * (1 - p)
        for i in seen:
            slope[i] += pull * row[i]
            for j in seen:
                curve[i][j] += bend * row[i] * row[j]
    for place in range(size):
        curve[place][place] += ridge if place else 1e-9
        slope[place] -= ridge * weights[place] if place else 0.0
    return curve, slope


def _solve(matrix: list[list[float]], values: list[float]) -> list[float]:
    """Gauss's elimination with pivots."""
    rows = [[*line, value] for line, value in zip(matrix, values, strict=True)]
    for place in range(len(rows)):
        pivot = max(range(place, len(rows)), key=lambda each: abs(rows[each][place]))
        rows[place], rows[pivot] = rows[pivot], rows[place]
        for other in range(len(rows)):
            if other != place:
                share = rows[other][place] / rows[place][place]
                rows[other] = [a - share * b for a, b in zip(rows[other], rows[place], strict=True)]
    return [line[-1] / line[place] for place, line in enumerate(rows)]
