"""Events per hour as a picture."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.web.pulse import HEIGHT, HOURS, pulse

NOW = datetime(2026, 4, 1, 12, 40, tzinfo=UTC)


def hour(ago: int) -> str:
    return (NOW.replace(minute=0) - timedelta(hours=ago)).isoformat()


def test_bars_stand_at_their_hours() -> None:
    told = pulse([[hour(0), 3], [hour(2), 30], [hour(200), 99]], NOW)
    assert (told.total, told.most, told.last) == (33, 30, 3)
    assert told.most_at == datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert told.path == f"M{HOURS - 3}.5 32v-{HEIGHT - 2}M{HOURS - 1}.5 32v-3"


def test_nothing_has_no_bars() -> None:
    told = pulse([], NOW)
    assert (told.path, told.total, told.most, told.most_at, told.last) == ("", 0, 0, None, 0)


@given(st.dictionaries(st.integers(0, HOURS - 1), st.integers(1, 10**9)))
def test_each_hour_with_events_is_seen_and_fits(hours: dict[int, int]) -> None:
    told = pulse([[hour(ago), events] for ago, events in hours.items()], NOW)
    heights = [int(bar.partition("v-")[2]) for bar in told.path.split("M") if bar]
    assert len(heights) == len(hours)
    assert all(2 <= one <= HEIGHT for one in heights)
    assert told.total == sum(hours.values())
