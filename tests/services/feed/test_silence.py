"""Silence: the rule is pure, and says nothing of what it does not know."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.feed.silence import ENOUGH_EVENTS, LONGEST, SHORTEST, WEEK, WEEKS, unusual

MONDAY = datetime(2026, 4, 6, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def working_weeks(weeks: int, events: int = 5) -> dict[datetime, int]:
    """Something in each hour from 8 to 17 of five days a week; the newest week ends before MONDAY."""
    return {
        MONDAY - number * WEEK + timedelta(days=day, hours=hour): events
        for number in range(1, weeks + 1)
        for day in range(5)
        for hour in range(-1, 9)
    }


def test_a_morning_without_anything_is_unusual() -> None:
    heard = working_weeks(4)
    found = unusual(heard, MONDAY + timedelta(hours=3))
    assert found is not None
    assert found.since == max(heard) + HOUR
    assert found.usual >= ENOUGH_EVENTS


def test_a_weekend_is_not() -> None:
    heard = working_weeks(5)
    newest = max(heard)
    for hours in range(1, int((MONDAY - HOUR - newest) / HOUR)):
        assert unusual(heard, newest + hours * HOUR) is None, f"{hours} hours"


def test_one_week_of_holidays_changes_nothing() -> None:
    heard = working_weeks(5)
    holidays = {hour: events for hour, events in heard.items() if not MONDAY - 2 * WEEK <= hour < MONDAY - WEEK}
    assert unusual(holidays, MONDAY + timedelta(hours=4)) is not None


def test_two_weeks_say_nothing() -> None:
    assert unusual(working_weeks(2), MONDAY + timedelta(hours=5)) is None


def test_nothing_was_ever_heard() -> None:
    assert unusual({}, MONDAY) is None
    assert unusual({MONDAY: 0}, MONDAY + WEEK) is None


def test_a_first_read_alone_makes_no_habit() -> None:
    assert unusual({MONDAY - timedelta(days=20): 100_000}, MONDAY) is None


HEARD = st.dictionaries(
    st.integers(0, 24 * 7 * 8).map(lambda hours: MONDAY - hours * HOUR), st.integers(0, 20), max_size=200
)
MINUTES = st.integers(0, 60 * 24 * 14).map(lambda minutes: MONDAY + timedelta(minutes=minutes))


@given(heard=HEARD, now=MINUTES)
def test_what_is_unusual_was_long_and_brought_something_before(heard: dict[datetime, int], now: datetime) -> None:
    found = unusual(heard, now)
    if found is None:
        return
    assert all(events == 0 for hour, events in heard.items() if hour >= found.since)
    assert now - found.since >= SHORTEST
    assert found.usual >= ENOUGH_EVENTS
    until = min(now, found.since + LONGEST)
    weeks = [
        sum(events for hour, events in heard.items() if found.since <= hour + number * WEEK < until)
        for number in range(1, WEEKS + 1)
    ]
    assert sum(brought >= found.usual for brought in weeks) >= 3


@given(heard=HEARD, now=MINUTES)
def test_minutes_within_an_hour_do_not_matter(heard: dict[datetime, int], now: datetime) -> None:
    assert unusual(heard, now) == unusual(heard, now.replace(minute=0))


@given(heard=HEARD, now=MINUTES, more=st.integers(1, 50))
def test_a_busier_past_never_hides_a_silence(heard: dict[datetime, int], now: datetime, more: int) -> None:
    found = unusual(heard, now)
    busier = {hour: events + more if events else 0 for hour, events in heard.items()}
    if found is not None:
        louder = unusual(busier, now)
        assert louder is not None
        assert louder.since == found.since
        assert louder.usual >= found.usual


@given(heard=HEARD, now=MINUTES)
def test_an_event_in_the_last_whole_hour_ends_it(heard: dict[datetime, int], now: datetime) -> None:
    assert unusual(heard | {now.replace(minute=0) - HOUR: 1}, now) is None
