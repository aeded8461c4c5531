"""How large the measurements are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of all benchmarks; the defaults are those of `make bench`."""

    live_requests: int = 300
    readings: int = 180
    """How often the company is read in its six months: once a day."""
    first_requests: int = 800
    bare_events: int = 60_000
    read_events: int = 100_000
    """For memory over time."""
    read_seconds: float = 120.0
    """What is not read by then is not waited for."""
    starts: int = 3
    lookup_seconds: float = 4.0
    clients: int = 16
    deliveries: int = 100
    stored: tuple[int, ...] = (10_000, 100_000)
    sample: int = 1_000
    """Bulk-loaded requests that are compared with what the pipeline makes of the same events."""
    probe_requests: int = 40
    activities: int = 5_000


FULL = Sizes(read_seconds=1_800.0, stored=(10_000, 100_000, 1_000_000))
SMALL = Sizes(
    live_requests=4, readings=3, first_requests=4, bare_events=1_500, read_events=600, starts=1, lookup_seconds=0.3,
    clients=2, deliveries=3, stored=(40, 80), sample=20, probe_requests=4, activities=60,
)  # fmt: skip
"""Just enough to walk every path."""
