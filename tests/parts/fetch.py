"""Fetch the jars of the parts that are written in Java by Maven, into a cache outside the checkout:
`python -m tests.parts.fetch`."""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

VERSION = "4.3.1"


@dataclass(frozen=True)
class Jars:
    """The jars of one part."""

    name: str
    version: str
    pom: str

    @property
    def folder(self) -> Path:
        """Where they are, once fetched."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "throughline" / f"{self.name}-{self.version}"

    def fetch(self) -> Path:
        """Fetch what is not there yet; raises CalledProcessError when Maven cannot."""
        goal = self.folder
        if goal.is_dir():
            return goal
        goal.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=goal.parent) as folder:
            got = Path(folder) / "libs"
            subprocess.run(
                ["mvn", "-q", "-B", "-f", str(Path(__file__).with_name(self.pom)), "dependency:copy-dependencies",
                 f"-DoutputDirectory={got}", "-DincludeScope=runtime"],
                check=True, timeout=600,
            )  # fmt: skip
            try:
                got.rename(goal)  # whole or not at all
            except OSError:
                if not goal.is_dir():  # else another run was quicker
                    raise
        return goal


KAFKA = Jars("kafka", VERSION, "pom.xml")
PROVIDER = Jars("identity-provider", "6.0.2", "provider.xml")


if __name__ == "__main__":
    if shutil.which("mvn") is None:
        sys.exit("Maven is missing: install the package maven")
    for jars in (KAFKA, PROVIDER):
        print(f"The {jars.name} {jars.version} is in {jars.fetch()}")
