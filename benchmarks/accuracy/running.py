"""One company from its seed to its result."""

import asyncio
import tempfile
from pathlib import Path

from benchmarks.accuracy.company import company
from benchmarks.accuracy.feeding import Suggest, feed, no_suggestions
from benchmarks.accuracy.measuring import Measured, measure
from benchmarks.accuracy.noise import LEVELS
from benchmarks.accuracy.told import events

SEED = 20260302
SIZE = 5_000
"""Requests of the company that is gated; the traps occur often enough in it."""


def run(seed: int, size: int, noise: str, suggest: Suggest = no_suggestions) -> Measured:
    """Generate a company, take it in, measure."""
    return asyncio.run(_run(seed, size, noise, suggest))


async def _run(seed: int, size: int, noise: str, suggest: Suggest) -> Measured:
    world = company(seed, size, LEVELS[noise])
    told = await events(world)
    with tempfile.TemporaryDirectory(prefix="throughline-accuracy-") as folder:
        outcome = await feed(Path(folder) / "hub.db", told, suggest)
    return measure(noise, size, seed, world.truth, outcome)
