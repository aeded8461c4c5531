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
    read_seconds: float = 300.0
    """What is not read by then is not waited for."""
    pairs: tuple[str, ...] = ("embedded+sqlite", "kafka+postgresql")
    """On which starts and webhooks are measured."""
    workers: tuple[int, ...] = (1, 2)
    """How many ingest workers share the topics, one measurement each."""
    starts: int = 3
    lookup_seconds: float = 4.0
    clients: int = 16
    deliveries: int = 60
    stored: tuple[int, ...] = (10_000, 100_000)
    sample: int = 1_000
    """Bulk-loaded requests that are compared with what the pipeline makes of the same events."""
    template_requests: int = 40
    """The company of whose small requests the bulk-loaded ones are copies."""
    probe_requests: int = 40
    activities: int = 5_000
    glued: int = 10_000
    """Mails that hang together by one value."""


FULL = Sizes(read_seconds=1_800.0, stored=(10_000, 100_000, 1_000_000), template_requests=120)
SMALL = Sizes(
    live_requests=4, readings=3, first_requests=4, bare_events=1_500, workers=(1,), read_events=600,
    pairs=("embedded+sqlite",), starts=1, lookup_seconds=0.3, clients=2, deliveries=3, stored=(40, 80), sample=20,
    template_requests=12, probe_requests=4, activities=60, glued=1_100,
)  # fmt: skip
"""Just enough to walk every path."""
