"""Measure how often correlation is right: `python -m benchmarks.accuracy [--noise … --size N --seed N | --fresh]`.

Without arguments: companies of every noise level and several sizes, written into benchmarks/RESULTS.md. With arguments:
one company, printed. The exit code is 1 if normal noise misses a floor.
"""

import argparse
import logging
import secrets
import sys
import time
from pathlib import Path

from benchmarks.accuracy import gate
from benchmarks.accuracy.measuring import Measured
from benchmarks.accuracy.noise import LEVELS
from benchmarks.accuracy.report import put, section
from benchmarks.accuracy.running import SEED, SIZE, run
from benchmarks.accuracy.suggested import suggest

PLAN = (("clean", 1_000), ("normal", 200), ("normal", 1_000), ("normal", SIZE), ("hard", 1_000), ("holdout", 1_000))
PAGE = Path(__file__).parents[1] / "RESULTS.md"


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--noise", choices=LEVELS, help="one company of this noise level")
    parser.add_argument("--size", type=int, help=f"requests ({SIZE})")
    parser.add_argument("--seed", type=int, help=f"of the company ({SEED})")
    parser.add_argument("--fresh", action="store_true", help="a seed nobody has seen, printed")
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    seed = secrets.randbelow(10**9) if given.fresh else SEED if given.seed is None else given.seed
    single = bool(given.noise or given.size)
    plan = ((given.noise or "normal", given.size or SIZE),) if single else PLAN
    results = [_run(seed, size, noise) for noise, size in plan]
    gated = [one for one in results if one.noise == "normal"]
    told = section(results, gated)
    sys.stdout.write(told)
    if not single and seed == SEED:
        PAGE.write_text(put(PAGE.read_text("utf-8"), told), "utf-8")
    return 1 if any(line for one in gated for line in gate.missed(one)) else 0


def _run(seed: int, size: int, noise: str) -> Measured:
    began = time.monotonic()
    measured = run(seed, size, noise, suggest)
    sys.stderr.write(f"{noise} {size}, seed {seed}: {measured.events} events, {time.monotonic() - began:.0f} s\n")
    return measured


if __name__ == "__main__":
    sys.exit(main())
