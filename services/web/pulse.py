"""Events per hour of the last seven days, as a small picture and as words. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.web.words import read

HOURS = 7 * 24
HEIGHT = 32
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a connection brought, hour by hour."""

    path: str
    """Bars for an SVG path, in a box of HOURS by HEIGHT; an hour without events has none."""
    total: int
    most: int
    most_at: datetime | None
    """The hour that brought most; None without events."""
    last: int
    """Events of the hour that it is now."""


def pulse(hours: Iterable[Sequence[object]], now: datetime) -> Pulse:
    """hours: (beginning of an hour, events) as the API tells them."""
    newest = now.replace(minute=0, second=0, microsecond=0)
    known = {at: int(str(events)) for hour, events in hours if (at := read(str(hour))) is not None}
    places = {HOURS - 1 - (newest - at) // _HOUR: events for at, events in known.items()}
    shown = {place: events for place, events in sorted(places.items()) if 0 <= place < HOURS and events > 0}
    most = max(shown.values(), default=0)
    at = next((newest - (HOURS - 1 - place) * _HOUR for place, events in shown.items() if events == most), None)
    path = "".join(f"M{place}.5 {HEIGHT}v-{_height(events, most)}" for place, events in shown.items())
    return Pulse(path, sum(shown.values()), most, at, shown.get(HOURS - 1, 0))


def _height(events: int, most: int) -> int:
    """At least so much that it is seen."""
    return max(2, round((HEIGHT - 2) * events / most))
