"""What was measured, and the table it is written into."""

import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.parts.fetch import VERSION as KAFKA
from tests.parts.postgres import programs

_LIBRARIES = ("aiokafka", "faststream", "sqlalchemy", "asyncpg", "pydantic", "fastapi", "uvicorn", "uvloop", "orjson")


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. goal: in words; met None: there is none."""

    what: str
    value: str
    beside: str = ""
    """The bare baseline of the same run, or what the value is compared with."""
    goal: str = ""
    met: bool | None = None


@dataclass
class Result:
    """What one benchmark found."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, value: str, beside: str = "", goal: str = "", met: bool | None = None) -> None:
        """Another row."""
        self.rows.append(Row(what, value, beside, goal, met))


def split(shares: dict[str, float], total: float) -> str:
    """How `total` is spent, the largest first, in words; what is below one in a hundred is left out."""
    return ", ".join(f"{step} {share * total:.0f}" for step, share in shares.items() if share >= 0.01)


def document(results: Sequence[Result], seconds: float) -> str:
    """The page."""
    lines = ["# Benchmarks", "", *_about(seconds), ""]
    for result in results:
        lines += [f"## {result.title}", "", "| measured | value | compared with | goal | |", "|---|---|---|---|---|"]
        lines += [
            f"| {row.what} | {row.value} | {row.beside} | {row.goal} | {_MARKS[row.met]} |" for row in result.rows
        ]
        lines += ["", *(f"{note}\n" for note in result.notes)]
    return "\n".join(lines).rstrip() + "\n"


_MARKS = {True: "met", False: "**missed**", None: ""}


def _about(seconds: float) -> list[str]:
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    postgres = subprocess.run([programs() / "postgres", "--version"], capture_output=True, text=True, check=True)
    server = postgres.stdout.partition("(PostgreSQL)")[2].split()[0]
    return [
        "Written by `make bench`; every value stands beside what it is compared with, measured in the same run.",
        "CPU and memory count all processes of the hub. Where PostgreSQL's CPU is in a value, the row says so.",
        "",
        f"- {datetime.now(UTC).date().isoformat()}, {seconds / 60:.1f} minutes",
        f"- {_processor()}, {platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"- Apache Kafka {KAFKA}, PostgreSQL {server}, SQLite {sqlite3.sqlite_version}; {load()} at the end",
        f"- {libraries}",
    ]


def _processor() -> str:
    cpus = Path("/proc/cpuinfo").read_text("utf-8")
    names = [line.partition(":")[2].strip() for line in cpus.splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text("utf-8").split()[1]
    return f"{len(names)} cores ({names[0] if names else platform.machine()}), {int(memory) / 2**20:.0f} GB"


def load() -> str:
    """How busy the machine is, in words."""
    return "load " + Path("/proc/loadavg").read_text("ascii").split()[0]
