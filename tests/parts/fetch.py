"""Fetch the jars of a real Kafka broker by Maven into a cache outside the checkout: `python -m tests.parts.fetch`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "4.3.1"
POM = Path(__file__).with_name("pom.xml")


def libraries() -> Path:
    """Where the jars are, once fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "throughline" / f"kafka-{VERSION}"


def fetch() -> Path:
    """Fetch what is not there yet; raises CalledProcessError when Maven cannot."""
    goal = libraries()
    if goal.is_dir():
        return goal
    goal.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=goal.parent) as folder:
        got = Path(folder) / "libs"
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies",
             f"-DoutputDirectory={got}", "-DincludeScope=runtime"],
            check=True, timeout=600,
        )  # fmt: skip
        try:
            got.rename(goal)  # whole or not at all
        except OSError:
            if not goal.is_dir():  # else another run was quicker
                raise
    return goal


if __name__ == "__main__":
    if shutil.which("mvn") is None:
        sys.exit("Maven is missing: install the package maven")
    print(f"Kafka {VERSION} is in {fetch()}")
