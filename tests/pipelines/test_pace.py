"""When understanding takes its turn: at once where nothing comes, less often the longer it takes, seldom behind."""

import pytest

from pipelines.pace import LONGEST, PATIENCE, PAUSE, QUIET, Pace


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def paced() -> tuple[Clock, Pace]:
    clock = Clock()
    return clock, Pace(clock)


def batch(pace: Pace, *, full: bool) -> None:
    pace.merging()
    pace.merged(full=full)


def test_a_single_change_is_understood_at_once() -> None:
    _, pace = paced()
    batch(pace, full=False)
    assert pace.wait() <= 0


@pytest.mark.parametrize(("took", "wait"), [(0.1, PAUSE * 0.1), (10.0, PATIENCE)])
def test_while_batches_come_it_pauses_the_longer_the_longer_it_took(took: float, wait: float) -> None:
    clock, pace = paced()
    pace.began()
    pace.ended(took)
    batch(pace, full=False)
    assert pace.wait() == pytest.approx(wait)
    clock.at += wait
    assert pace.wait() <= 0.001


@pytest.mark.parametrize(("took", "wait"), [(0.1, PATIENCE), (4.0, PAUSE * 4.0), (60.0, LONGEST)])
def test_behind_full_batches_it_pauses_longer(took: float, wait: float) -> None:
    clock, pace = paced()
    pace.began()
    pace.ended(took)
    while clock.at < 100.0 + wait - 0.5:
        batch(pace, full=True)
        assert pace.wait() > 0
        pace.merging()
        clock.at += 0.4
        assert pace.wait() > 0, "a batch is being merged"
        pace.merged(full=True)
    clock.at = 100.0 + wait
    pace.merging()
    assert pace.wait() <= 0.001


def test_where_nothing_follows_a_full_batch_nothing_is_waited_for() -> None:
    clock, pace = paced()
    pace.began()
    pace.ended(4.0)
    batch(pace, full=True)
    batch(pace, full=False)
    assert pace.wait() == pytest.approx(QUIET)
    assert not pace.over()
    clock.at += QUIET + 0.001
    assert pace.wait() <= 0
    assert pace.over()
    pace.began()
    assert not pace.over()
    pace.ended(4.0)
    batch(pace, full=False)
    assert pace.wait() == pytest.approx(PATIENCE), "once"


def test_what_other_workers_tell_counts_and_a_turn_of_theirs_is_waited_for() -> None:
    clock, pace = paced()
    batch(pace, full=False)
    pace.told(2.0, 7.0)
    assert pace.wait() == pytest.approx(2.0)
    batch(pace, full=True)
    clock.at += QUIET
    assert pace.wait() <= 0.001
    pace.taken(1.0)
    assert pace.wait() == pytest.approx(1.0)
