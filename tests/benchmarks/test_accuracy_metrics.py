"""The metrics against examples worked by hand."""

import pytest

from benchmarks.accuracy.metrics import Share, b_cubed, brier, exact, joined, pairwise, parts_of, reliability

# Three requests: things 0-2, 3-4, 5. Found: 0 and 1 together, 2 with 3 and 4, 5 alone.
TRUTH = [1, 1, 1, 2, 2, 3]
FOUND = [7, 7, 8, 8, 8, 9]


def test_pairs_by_hand() -> None:
    # joined: 01, 23, 24, 34; right: 01, 34; true: 01, 02, 12, 34
    pairs = pairwise(TRUTH, FOUND)
    assert (pairs.right, pairs.wrong, pairs.missed) == (2, 2, 2)
    assert pairs.precision == Share(2, 4)
    assert pairs.recall == Share(2, 4)
    assert pairs.quality.f1 == 0.5


def test_b_cubed_by_hand() -> None:
    # precision: 1, 1, 1/3, 2/3, 2/3, 1; recall: 2/3, 2/3, 1/3, 1, 1, 1
    quality = b_cubed(TRUTH, FOUND)
    assert quality.precision == pytest.approx((2 + 1 / 3 + 4 / 3 + 1) / 6)
    assert quality.recall == pytest.approx((4 / 3 + 1 / 3 + 3) / 6)


def test_exactly_right_is_all_members_and_no_other() -> None:
    assert exact(TRUTH, FOUND, {1, 2, 3}) == Share(1, 3)
    assert exact(TRUTH, TRUTH, {1, 2, 3}) == Share(3, 3)
    assert exact([1, 1, -3], [4, 4, 4], {1}) == Share(0, 1)
    assert exact([1, 1], [4, 5], {1}) == Share(0, 1)


def test_a_perfect_and_a_silent_partition() -> None:
    assert pairwise(TRUTH, TRUTH).quality.f1 == 1
    silent = pairwise(TRUTH, range(6))
    assert silent.precision.value == 1
    assert silent.recall.value == 0
    assert silent.quality.f1 == 0
    assert b_cubed([], []).f1 == 1


def test_the_interval_by_hand() -> None:
    # 8 of 10: (0.8 + 0.19207) / 1.38415 -+ 1.95996 * sqrt(0.016 + 0.0096037) / 1.38415
    low, high = Share(8, 10).interval()
    assert low == pytest.approx(0.49016, abs=1e-4)
    assert high == pytest.approx(0.94331, abs=1e-4)
    assert Share(0, 0).interval() == (0.0, 1.0)
    low, high = Share(500, 500).interval()
    assert low == pytest.approx(500 / (500 + 3.84146), abs=1e-5)
    assert high == pytest.approx(1.0)


def test_steps_make_parts() -> None:
    assert parts_of(5, [(3, 1), (4, 3)]) == [0, 1, 2, 1, 1]


def test_accepted_pairs_join_whole_groups() -> None:
    assert joined(FOUND, [(1, 4)]) == [0, 0, 0, 0, 0, 5]
    assert joined(FOUND, []) == [0, 0, 2, 2, 2, 5]


def test_calibration_by_hand() -> None:
    stated = [(0.9, True), (0.95, True), (0.92, False), (0.2, False), (1.0, True)]
    low, high = reliability(stated)
    assert (low.low, low.high, low.stated, low.true) == (0.2, 0.3, 0.2, Share(0, 1))
    assert high.stated == pytest.approx((0.9 + 0.95 + 0.92 + 1.0) / 4)
    assert high.true == Share(3, 4)
    assert brier(stated) == pytest.approx((0.01 + 0.0025 + 0.8464 + 0.04) / 5)
    assert brier([]) is None
