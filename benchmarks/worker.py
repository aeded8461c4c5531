"""A hub process as `throughline run` starts it, whose CPU time is told by step: `python -m benchmarks.worker ROLE...`.

With `--events FOLDER` its connectors read the company's events from files there instead of the tools; everything behind
them is the hub's. Says `ready` when it is connected, and at its end how its CPU time was spent.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import override

from benchmarks.parts import say
from benchmarks.steps import Sampler
from connectors.contract import Connector, Page, Step
from schemas.events import from_kafka
from services.cli import processes
from services.cli.installation import Installation

PAGE = 100


class Nothing(BaseModel):
    """Options of a connection that reads from a file."""


@dataclass(frozen=True)
class Reader:
    """Reads one connection's events from a file, an event a line; it holds a page of them at a time."""

    file: Path

    async def check(self) -> AsyncIterator[Step]:
        yield Step("read", ok=True, says="there")

    async def pages(self, cursor: dict[str, Any] | None, since: datetime | None) -> AsyncIterator[Page]:
        with self.file.open("rb") as lines:
            lines.seek(cursor["next"] if cursor else 0)
            while page := list(islice(lines, PAGE)):
                events = [from_kafka(line, ()) for line in page]
                after = lines.tell()
                yield Page(events, {"next": after}, datetime.now(UTC), len(page) == PAGE)

    async def census(self, known: Mapping[str, str], cursor: dict[str, Any] | None) -> AsyncIterator[Page]:
        return
        yield

    async def fetch(self, hints: Sequence[str]) -> AsyncIterator[Page]:
        return
        yield


class Rereading:
    """A connector that maps as the real one does, and reads from a file."""

    def __init__(self, real: Connector, file: Path) -> None:
        self.name, self.title, self.stages, self.link_kinds = real.name, real.title, real.stages, real.link_kinds
        self.Options = Nothing
        self.map, self.verify = real.map, real.verify
        self._file = file

    @asynccontextmanager
    async def open(self, connection: str, options: Any, surroundings: Any) -> AsyncIterator[Reader]:
        yield Reader(self._file)


@dataclass(frozen=True)
class Retold(Installation):
    """An installation whose tools are a file."""

    events: Path | None = None
    """The folder with a file for each connector."""

    @cached_property
    @override
    def catalogue(self) -> dict[str, Connector]:
        real = Installation(self.settings).catalogue
        if self.events is None:
            return real
        return {
            name: Rereading(one, self.events / f"{name}.jsonl")  # type: ignore[misc]
            for name, one in real.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=Path)
    parser.add_argument("roles", nargs="*")
    given = parser.parse_args()
    installation = Retold(Installation.of().settings, given.events)
    processes.configure_logging(installation)

    async def started(_: processes.Hub) -> None:
        say([("ready", True)])

    work = processes.run(installation, given.roles or processes.ROLES, _tell, started)
    if given.roles == ["query"]:  # it has none of the steps, and its server is measured beside another
        processes.run_forever(work)
        say([("cpu", time.process_time())])
        return
    with Sampler() as sampler:
        asyncio.run(work)
    say([("cpu", time.process_time()), ("shares", sampler.shares())])


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main()
