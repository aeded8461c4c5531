"""A batch of source events → map → one transaction → acknowledge.

The batch is acknowledged by returning. Everything it says is then stored, or waits as a dead letter that says why.
Raising means: nothing of it was stored, give me the same batch again.
"""

import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.catching_up import CatchUp
from pipelines.references import find, own, understood
from pipelines.store import configuration, dead_letters, deferred, facts, offsets
from pipelines.store.bulk import Bulk
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import AWAY, refuses, why_away, writing
from pipelines.store.facts import OWN, Telling
from pipelines.watching import UNWATCHED, Watch
from schemas.artifacts import Mapped, Part, Reference
from schemas.errors import BadRecord, RetryLater
from schemas.events import SourceEvent, Undecodable, from_kafka

logger = logging.getLogger("throughline.ingest")

Mapper = Callable[[SourceEvent], Mapped]

TOO_MANY = (20, 0.05)
"""More unexpected failures than this, and than this share of the last thousand records, is a bad release."""


MOST_SAID = 1_500
"""Activities and parts merged in one transaction, unless one record says more: on SQLite all others wait for it."""


class Record(Protocol):
    """A Kafka record."""

    topic: str
    partition: int
    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class _Read:
    """A record with what it says, or with why it says nothing."""

    record: Record
    telling: Telling | None = None
    letter: DeadLetter | None = None


class Ingest:
    """The handler of batches of source events.

    mappings: connector name to its mapping. incarnation: of the broker, by which offsets of one embedded broker are
    not taken for another's. changed: called after a commit that changed requests. holder: this process, among all that
    do the same. Safe to run several times at once on one database.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        mappings: Mapping[str, Mapper],
        now: Callable[[], datetime],
        incarnation: str,
        changed: Callable[[], None] = lambda: None,
        watch: Watch = UNWATCHED,
        full: int = 1_000_000,
        holder: str = "the hub",
    ) -> None:
        self.engine = engine
        self.watch = watch
        self.full = full
        """Records in a batch that is as large as it gets."""
        self.catch_up = CatchUp(engine, changed, watch, holder=holder)
        """Understands what batches leave."""
        self.mappings = mappings
        self.now = now
        self.incarnation = incarnation
        self._recent: deque[bool] = deque(maxlen=1000)

    async def __call__(self, batch: Sequence[Record]) -> None:
        """Store the batch. Raises RetryLater when the database is away or a release fails on too much."""
        self.catch_up.merging()
        with self.watch.step("map"):
            read = [self._read(record) for record in batch]
        self._judge(read)
        for portion in _portions(read):
            try:
                await self._store(portion)
            except Exception as error:  # noqa: BLE001 - the worker's boundary: find the records it fails on
                await self._bisect(portion, error)
        await self._catch_up(full=len(batch) >= self.full)

    def _read(self, record: Record) -> _Read:
        try:
            event = from_kafka(record.value, record.headers)
            return _Read(record, telling=self.telling(event, (record.value or b"").decode()))
        except (Undecodable, BadRecord) as error:
            return _Read(record, letter=self._letter(record, "bad record", str(error)))
        except Exception as error:  # noqa: BLE001 - the worker's boundary: one record stops nothing else
            return _Read(record, letter=self._letter(record, f"failed: {place_of(error)}", place_of(error)))

    def telling(self, event: SourceEvent, raw: str = "") -> Telling:
        """What an event says; raw: its JSON as it came. Raises BadRecord, and whatever its mapping does."""
        mapping = self.mappings.get(event.connector)
        if mapping is None:
            raise BadRecord(f"connector: {event.connector} is not installed here; install it, then replay")
        mapped = mapping(event)
        references = {name: references_of(part) for name, part in mapped.parts.items()}
        return Telling(event, mapped, references | {OWN: (own(mapped.artifact),)}, raw)

    def _letter(self, record: Record, cause: str, reason: str) -> DeadLetter:
        origin = f"{self.incarnation}/{record.topic}/{record.partition}/{record.offset}"
        again = dead_letters.replay_of(record.headers)
        return DeadLetter(origin, cause, reason, record.value or b"", self.now(), replay_of=again)

    def _judge(self, read: Iterable[_Read]) -> None:
        """Stop at a release that fails on too much: that is no bad data."""
        outcomes = [one.letter is not None and one.letter.cause != "bad record" for one in read]
        failed = sum(outcomes) + sum(self._recent)
        seen = len(outcomes) + len(self._recent)
        if failed > TOO_MANY[0] and failed > TOO_MANY[1] * seen:
            causes = sorted({one.letter.cause for one in read if one.letter})
            raise RetryLater(f"{failed} of {seen} records fail unexpectedly ({causes[0] if causes else ''}): upgrade")
        self._recent.extend(outcomes)

    async def _catch_up(self, *, full: bool) -> None:
        """Behind a full batch more is waiting: then one look at a component, a little later, serves several batches."""
        try:
            await self.catch_up.batch(full=full)
        except AWAY as error:
            raise RetryLater(f"the database takes nothing now: {why_away(error)}") from error

    async def _store(self, read: Sequence[_Read]) -> None:
        with ExitStack() as ending:
            async with writing(self.engine) as connection:
                new = await self._write(connection, read)
                ending.enter_context(self.watch.step("commit"))
        self._tell(read, new)

    async def _write(self, connection: AsyncConnection, read: Sequence[_Read]) -> set[str]:
        """The ids of the events that are new."""
        bulk = Bulk(connection)
        with self.watch.step("land"):
            snapshot = await configuration.load(connection, hold=True)
            told = {one.telling.event.id: one.telling for one in read if one.telling}
            new = await facts.land(bulk, told.values())
        with self.watch.step("merge"):
            tellings = [telling for name, telling in told.items() if name in new]
            touched = await facts.merge(bulk, tellings, snapshot.rules)
        with self.watch.step("write"):
            await deferred.put(bulk, touched)
            await dead_letters.add(connection, [one.letter for one in read if one.letter])
            replays = (dead_letters.replay_of(one.record.headers) for one in read if one.telling)
            await dead_letters.landed(connection, filter(None, replays))
            await offsets.advance(bulk, self.incarnation, [one.record for one in read])
        return new

    def _tell(self, read: Sequence[_Read], new: set[str]) -> None:
        """Count what became of the records; one event told twice in a batch is known the second time."""
        left, outcomes = set(new), Counter[tuple[str, str]]()
        for one in read:
            event = one.telling.event if one.telling else None
            connector = event.connector if event else one.record.topic.rpartition("source.")[2]
            outcome = "dead" if event is None else "new" if event.id in left else "known"
            if event:
                left.discard(event.id)
            outcomes[connector, outcome] += 1
        for (connector, outcome), events in outcomes.items():
            self.watch.ingested(connector, outcome, events)

    async def _bisect(self, read: Sequence[_Read], error: Exception) -> None:
        """Find the records that cannot be stored, and set them aside. Raises RetryLater where the database is away."""
        if isinstance(error, AWAY) and not (isinstance(error, DBAPIError) and refuses(error)):
            raise RetryLater(f"the database takes nothing now: {why_away(error)}") from error
        if len(read) == 1:
            if read[0].letter is not None:
                raise RetryLater(f"a dead letter cannot be stored ({kind_of(error)}); upgrade") from error
            what = f"refused: {kind_of(error)}" if isinstance(error, DBAPIError) else f"failed: {place_of(error)}"
            letter = self._letter(read[0].record, what, f"it cannot be stored ({what})")
            await self._store([_Read(read[0].record, letter=letter)])
            return
        half = len(read) // 2
        for part in (read[:half], read[half:]):
            try:
                await self._store(part)
            except Exception as inner:  # noqa: BLE001 - as above
                await self._bisect(part, inner)


def _portions(read: Sequence[_Read]) -> Iterator[Sequence[_Read]]:
    """The batch in transactions that each say little enough: what one issue did in years is much."""
    start = said = 0
    for place, one in enumerate(read):
        size = len(one.telling.mapped.activities) + len(one.telling.mapped.parts) if one.telling else 0
        if said and said + size > MOST_SAID:
            yield read[start:place]
            start, said = place, 0
        said += size
    yield read[start:]


def references_of(part: Part) -> tuple[Reference, ...]:
    """All references of a part: those it states and those found in its texts."""
    stated = tuple(understood(reference) for reference in part.references)
    return stated + tuple(reference for text in part.texts for reference in find(text))


def kind_of(error: BaseException) -> str:
    """The kind of a database error, without its text (which may hold content)."""
    cause = getattr(error, "orig", None) or error
    return type(cause.__cause__ or cause).__name__  # asyncpg's own error is the cause of SQLAlchemy's


def place_of(error: Exception) -> str:
    """Kind and place of an unexpected error, without its text (which may hold content)."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{where}"
