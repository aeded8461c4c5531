"""The floors that correlation must reach on the normal noise level."""

from collections.abc import Iterator

from benchmarks.accuracy.measuring import Measured

PRECISION = 0.995
ALLOWED_RECALL = 0.97
F1 = 0.98
EXACT = 0.95
TRAP_PRECISION = 0.95
ENOUGH_PAIRS = 500
"""A trap that concerns fewer pairs misses its floor only where it is surely below it: its whole interval of 95 % is."""


def missed(measured: Measured) -> Iterator[str]:
    """A sentence for each floor that was not reached."""
    pairs = measured.automatic.pairs
    floors = (
        ("precision of automatic joins", pairs.precision.value, PRECISION),
        ("recall of what explicit evidence and mentions allow", measured.allowed.value, ALLOWED_RECALL),
        ("pairwise F1", pairs.quality.f1, F1),
        ("requests exactly right", measured.automatic.exact.value, EXACT),
    )
    for what, value, floor in floors:
        if value < floor:
            yield f"{what}: {value:.4f}, at least {floor}"
    for result in measured.traps:
        enough = result.pairs >= ENOUGH_PAIRS
        if (result.precision.value if enough else result.precision.interval()[1]) < TRAP_PRECISION:
            yield f"precision in {result.trap.name}: {result.precision.value:.4f}, at least {TRAP_PRECISION}"
    if measured.unread:
        yield f"source events that were not understood: {measured.unread}, none allowed"
