"""What suggestions cost beside what else an event costs: `python -m benchmarks.suggesting [STORED ...]`.

Without arguments the section of benchmarks/RESULTS.md is written anew; with them it is printed.

Mails of many customers, each of which opens a request, on SQLite in one process: so many are stored and looked at, then
more come. CPU time is the process's own, so that what else the machine does hardly counts.
"""

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import event as listen
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from benchmarks.accuracy.mails import Mail, Person
from benchmarks.accuracy.report import put
from benchmarks.accuracy.told import MAIL, MAILBOX, mail_event
from benchmarks.accuracy.wording import ENGLISH
from connectors.catalogue import catalogue
from pipelines.store.engine import open_engine
from pipelines.suggesting import Suggesting
from schemas.events import to_kafka
from services.feed.rules import configuration_of

HEADING = "## What suggestions add"
PAGE = Path(__file__).with_name("RESULTS.md")
STORED = (2_000, 20_000, 100_000)
MORE = 500
"""Mails that come then, in batches of BATCH."""
BATCH = 50
_EACH = 12
"""Mails of one person, on average."""
_BEGIN = replay.now() - timedelta(days=400)


@dataclass(slots=True)
class Cost:
    """Microseconds of CPU an event, and statements a batch or step at most."""

    without: float
    added: float
    units: int
    """Units that were looked at or compared for them."""
    statements: tuple[int, int]
    """Of a batch, of a step of the suggestions."""
    filling: float
    """Of looking at what was stored, a request."""


def mails(seed: int, people: int) -> Iterator[Mail]:
    """Mails by these people, for ever, an hour apart."""
    chance = Random(seed)
    known = [Person(ENGLISH.name(chance), f"p{number}@c{number // 5}.example") for number in range(people)]
    number = 0
    while True:
        who, topic = chance.choice(known), ENGLISH.topic(chance)
        topic += f" {chance.randint(10_000, 99_999)}" if chance.random() < 0.3 else ""
        text = ENGLISH.text(chance, topic, who.name)
        at = _BEGIN + timedelta(minutes=7 * number)
        yield Mail(number, who, topic, text, at, f"<{seed}.{number}@c.example>")
        number += 1


class _Statements:
    """Counts those that a database gets."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.count = self.most = 0
        listen.listen(engine.sync_engine, "before_cursor_execute", self._one)

    def _one(self, *_: object) -> None:
        self.count += 1

    def ended(self) -> None:
        """A batch or step has ended."""
        self.most = max(self.most, self.count)
        self.count = 0

    def begun(self) -> None:
        """Another kind of work begins."""
        self.count = self.most = 0


async def measure(folder: Path, stored: int) -> Cost:
    """With so many requests stored."""
    engine = open_engine(f"sqlite+aiosqlite:///{folder / f'{stored}.db'}")
    try:
        await replay.prepare(engine, {MAILBOX: configuration_of(catalogue()["mailbox"], MAIL)})
        coming = mails(7, max(5, stored // _EACH))
        handler, offset = replay.ingest(engine), 0
        for size in _sizes(stored, replay.BATCH):
            await handler(_records(coming, size, offset))
            offset += size
        await handler.catch_up.all()
        suggesting = Suggesting(engine, replay.now, "benchmark")
        await suggesting.begin()
        statements = _Statements(engine)
        filling, _ = await _settled(suggesting, statements)
        more = [
            _records(coming, size, offset + at)
            for at, size in zip(range(0, MORE, BATCH), _sizes(MORE, BATCH), strict=True)
        ]
        statements.begun()
        began = time.process_time()
        for batch in more:
            await handler(batch)
            await handler.catch_up.all()
            statements.ended()
        without, of_batches = time.process_time() - began, statements.most
        statements.begun()
        added, units = await _settled(suggesting, statements)
        return Cost(
            without / MORE * 1e6, added / MORE * 1e6, units, (of_batches, statements.most), filling / stored * 1e6
        )
    finally:
        await engine.dispose()


def _sizes(many: int, most: int) -> Iterator[int]:
    for start in range(0, many, most):
        yield min(most, many - start)


def _records(coming: Iterator[Mail], size: int, offset: int) -> list[replay.Record]:
    told = [mail_event(next(coming)) for _ in range(size)]
    return replay.records([(one.connector, *to_kafka(one)) for one in told], offset)


async def _settled(suggesting: Suggesting, statements: _Statements) -> tuple[float, int]:
    """Seconds of CPU until nothing is left to look at, and how many units that were."""
    began, units = time.process_time(), 0
    while some := await suggesting.once():
        units += some
        statements.ended()
    return time.process_time() - began, units


def section(told: Iterable[tuple[int, Cost]]) -> str:
    """The section of the page."""
    columns = ("requests stored", "an event without", "suggestions add", "units looked at and compared",
               "statements at most", "looking at what was stored")  # fmt: skip
    lines = [
        HEADING,
        "",
        "`python -m benchmarks.suggesting`, on SQLite in one process: mails of many people, each opening a request, "
        f"are stored and looked at; then {MORE} more come, in batches of {BATCH}. CPU of the process.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]
    lines += [
        f"| {stored:,} | {cost.without:,.0f} µs | {cost.added:,.0f} µs | {cost.units:,} | "
        f"{cost.statements[0]} a batch, {cost.statements[1]} a step | {cost.filling:,.0f} µs a request |"
        for stored, cost in told
    ]
    return "\n".join([*lines, ""])


def main() -> int:
    """Measure, and write or print."""
    logging.disable(logging.ERROR)
    asked = [int(one) for one in sys.argv[1:]]
    found = []
    for stored in asked or STORED:
        with tempfile.TemporaryDirectory(prefix="throughline-suggesting-") as folder:
            found.append((stored, asyncio.run(measure(Path(folder), stored))))
        sys.stderr.write(f"{stored:,}: {found[-1][1]}\n")
    if asked:
        sys.stdout.write(section(found))
    else:
        PAGE.write_text(put(PAGE.read_text("utf-8"), section(found), HEADING), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
