"""Measure, and write benchmarks/RESULTS.md: `python -m benchmarks [--full] [--only NAME ...]`."""

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import giant, growth, ingesting, long_request, lookups, memory, pages, starting, suggesting, webhooks
from benchmarks.accuracy.report import kept
from benchmarks.parts import Parts
from benchmarks.results import Result, document, load
from benchmarks.sizes import FULL, Sizes
from tests.parts.presence import PartMissing

Benchmark = Callable[[Parts, Sizes, Callable[[str], None]], Result]

BENCHMARKS: dict[str, Benchmark] = {
    "ingest": ingesting.run,
    "start": starting.run,
    "memory": memory.run,
    "lookups": lookups.run,
    "webhooks": webhooks.run,
    "growth": growth.run,
    "pages": pages.run,
    "long": long_request.run,
    "giant": giant.run,
}
PAGE = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    """Run what is asked for. The page is written when everything ran."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="with a million stored requests")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, help="print these, and write no page")
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    os.environ["PYTHONWARNINGS"] = "ignore"
    began = time.monotonic()

    def tell(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {line}\n")

    results: list[Result] = []
    with Parts(Path(tempfile.gettempdir()) / f"throughline-bench-{os.getuid()}") as parts:
        for name in given.only or BENCHMARKS:
            tell(f"{name} ({load()})")
            try:
                results.append(BENCHMARKS[name](parts, FULL if given.full else Sizes(), tell))
            except PartMissing as part:
                sys.stderr.write(f"missing part: {part}\n")
                return 1
    page = document(results, time.monotonic() - began)
    if given.only:
        sys.stdout.write(page)
    else:
        before = PAGE.read_text("utf-8") if PAGE.exists() else ""
        others = [kept(before), kept(before, suggesting.HEADING)]  # written by benchmarks of their own
        PAGE.write_text("\n".join(filter(None, [page, *others])), "utf-8")
        tell(f"written: {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
