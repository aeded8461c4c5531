"""The fit of the weights finds what made the data, and calibration mends what was said too loud."""

import random
from math import exp, log

import pytest

from benchmarks.accuracy.fitting import Fit, calibrated, fit
from benchmarks.accuracy.train import chosen


def made(weights: dict[str, float], bias: float, rows: int, seed: int = 7) -> list[tuple[dict[str, float], bool]]:
    """Rows of which each is true as often as these weights say."""
    chance = random.Random(seed)
    found = []
    for _ in range(rows):
        row = {name: round(chance.random(), 2) for name in weights}
        true = chance.random() < 1 / (1 + exp(-bias - sum(weights[name] * value for name, value in row.items())))
        found.append((row, true))
    return found


def test_weights_are_found() -> None:
    found = fit(made({"same title": 3.0, "two deals": -2.0}, -1.0, 20_000), ["same title", "two deals"])
    assert found.bias == pytest.approx(-1.0, abs=0.15)
    assert found.weights["same title"] == pytest.approx(3.0, abs=0.2)
    assert found.weights["two deals"] == pytest.approx(-2.0, abs=0.2)


def test_one_feature_as_by_hand() -> None:
    rows = [({"x": 1.0}, True)] * 30 + [({"x": 1.0}, False)] * 10 + [({}, True)] * 10 + [({}, False)] * 30
    found = fit(rows, ["x"], ridge=1e-9)
    assert found.bias == pytest.approx(-log(3), abs=1e-3)
    assert found.weights["x"] == pytest.approx(2 * log(3), abs=1e-3)
    assert found.probability({"x": 1.0}) == pytest.approx(0.75, abs=1e-3)


def test_calibration_mends_what_is_said_too_loud() -> None:
    rows = made({"same title": 2.0}, -1.0, 20_000)
    loud = Fit(-3.0, {"same title": 6.0})
    mended = calibrated(loud, rows)
    assert mended.loss(rows) < loud.loss(rows)
    assert mended.bias == pytest.approx(-1.0, abs=0.15)
    assert mended.weights["same title"] == pytest.approx(2.0, abs=0.2)


def test_calibration_is_never_louder_than_the_fit() -> None:
    rows = made({"same title": 4.0}, -3.0, 20_000)
    soft = Fit(-0.5, {"same title": 2.0})
    mended = calibrated(soft, rows)
    assert mended.weights == soft.weights
    expected = sum(mended.probability(row) for row, _ in rows)
    assert expected == pytest.approx(sum(true for _, true in rows), rel=0.001)


def test_what_adds_nothing_or_comes_out_against_its_meaning_is_left_out() -> None:
    weights = {"same title": 3.0, "like titles": -2.0, "same number": 0.0}
    best, told = chosen(made(weights, -1.0, 8_000), made(weights, -1.0, 8_000, seed=8))
    assert set(best.weights) == {"same title"}
    assert any(line.startswith("like titles: left out, it came out against its meaning") for line in told)
    assert any(line.startswith("same number: left out, the loss without it") for line in told)
