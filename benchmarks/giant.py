"""Very many mails that one value holds together: what an event costs beside them, and what it costs to part them."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime

from pydantic import SecretStr
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import replay
from benchmarks.measure import quantile
from benchmarks.parts import Parts
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from benchmarks.story import NOW, Told
from connectors.mailbox.message import leaves, parse
from connectors.mailbox.options import MailboxOptions, Password
from connectors.mailbox.telling import Found, event_of
from pipelines.deciding import Deciding, Wish
from pipelines.ingest import Ingest
from pipelines.recompute import Recompute
from pipelines.store import aside, configuration, deferred, tables, values
from pipelines.store.configuration import ConnectionConfiguration
from pipelines.store.engine import open_engine, reading, writing
from schemas.decisions import DecisionKind
from schemas.events import to_kafka

_BOX = "mailbox"
_MAIL = MailboxOptions(host="imap.acme.example", auth=Password(user="requests", password=SecretStr("unused")))
_GLUE = "everything@portal.example"
_TRIES = 20
_LARGEST = "SELECT max(artifact) FROM members WHERE component = (SELECT id FROM components ORDER BY size DESC LIMIT 1)"
_ALONE = "SELECT m.artifact FROM members m JOIN components c ON c.id = m.component WHERE c.size = 1 LIMIT 1"


@dataclass
class _Seen:
    """Seconds, by what they were taken for."""

    alone: list[float]
    taken_in: float = 0.0
    understood: float = 0.0
    beside: list[float] | None = None
    inside: list[float] | None = None
    worked_in: float = 0.0
    decided: float = 0.0
    beside_deciding: list[float] | None = None
    parted: float = 0.0
    beside_parting: list[float] | None = None
    requests: int = 0


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """A portal sends every mail as an answer to one and the same Message-ID."""
    result = Result(f"{sizes.glued:,} mails that hang together by one Message-ID")
    for pair in sizes.pairs:
        tell(f"{sizes.glued:,} mails on {pair}")
        with parts.place(pair) as place:
            seen = asyncio.run(_measure(place.database_url, sizes.glued))
        _told(result, pair, seen)
    return result


def _told(result: Result, pair: str, seen: _Seen) -> None:
    alone, beside, inside = (quantile(some or [0.0], 0.5) * 1000 for some in (seen.alone, seen.beside, seen.inside))
    result.add(f"{pair}: taken in, and understood as a whole", f"{seen.taken_in:.1f} s and {seen.understood:.1f} s")
    result.add(
        f"{pair}: a mail that has nothing to do with them", f"p50 {beside:.1f} ms",
        f"{beside / alone:.2f} of the {alone:.1f} ms before they were there", "1.3", beside <= 1.3 * alone,
    )  # fmt: skip
    result.add(f"{pair}: one more of them, stored and left aside", f"p50 {inside:.1f} ms")
    result.add(f"{pair}: {_TRIES} more of them, worked in together", f"{seen.worked_in:.1f} s")
    result.add(
        f"{pair}: somebody decides that one of them belongs to another mail", f"{seen.decided:.1f} s until it is so",
        "all of them are correlated and folded anew",
    )  # fmt: skip
    result.add(f"{pair}: a mail that has nothing to do with them, meanwhile", _spread(seen.beside_deciding))
    result.add(
        f"{pair}: the Message-ID is called generic, until all of them are apart", f"{seen.parted:.1f} s",
        f"{seen.requests:,} requests then",
    )  # fmt: skip
    result.add(f"{pair}: a mail that has nothing to do with them, meanwhile", _spread(seen.beside_parting))


def _spread(some: list[float] | None) -> str:
    told = sorted(some or [0.0])
    return f"p50 {quantile(told, 0.5) * 1000:.0f} ms, slowest of {len(told)}: {told[-1] * 1000:.0f} ms"


async def _measure(url: str, glued: int) -> _Seen:
    engine = open_engine(url)
    try:
        await replay.prepare(engine, {_BOX: ConnectionConfiguration("mailbox")})
        handler, recompute = replay.ingest(engine), Recompute(engine, replay.now, "giant")
        numbers = iter(range(10_000_000))
        seen = _Seen(await _one_by_one(handler, numbers, ""))
        began = time.perf_counter()
        for start in range(0, glued, replay.BATCH):
            size = min(replay.BATCH, glued - start)
            await handler(replay.records([_mail(next(numbers), _GLUE) for _ in range(size)], start))
        seen.taken_in = time.perf_counter() - began
        seen.understood = await _timed(recompute)
        async with writing(engine) as connection:
            await connection.execute(text("ANALYZE"))  # as the database does by itself within a minute
        seen.beside = await _one_by_one(handler, numbers, "")
        seen.inside = await _one_by_one(handler, numbers, _GLUE)
        seen.worked_in = await _timed(recompute)
        seen.decided, seen.beside_deciding = await _while(_decided(engine), handler, numbers)
        await _call_generic(engine)
        seen.parted, seen.beside_parting = await _while(_timed(recompute), handler, numbers)
        async with reading(engine) as connection:
            seen.requests = int(
                (await connection.execute(select(func.count()).select_from(tables.requests))).scalar_one()
            )
        return seen
    finally:
        await engine.dispose()


async def _while(
    work: Coroutine[None, None, float], handler: Ingest, numbers: Iterator[int]
) -> tuple[float, list[float]]:
    """Seconds that the work took, and each mail that came in meanwhile."""
    task = asyncio.create_task(work)
    found = []
    while not task.done():
        found += await _one_by_one(handler, numbers, "", 1)
    return await task, found


async def _decided(engine: AsyncEngine) -> float:
    """One of what hangs together, and a mail that does not."""
    async with reading(engine) as connection:
        one = (await connection.execute(text(_LARGEST))).scalar_one()
        other = (await connection.execute(text(_ALONE))).scalar_one()
    began = time.perf_counter()
    await Deciding(engine, replay.now).decide(Wish(DecisionKind.LINK, "benchmark", left=(one,), right=(other,)))
    return time.perf_counter() - began


async def _one_by_one(handler: Ingest, numbers: Iterator[int], answers: str, tries: int = _TRIES) -> list[float]:
    found = []
    for _ in range(tries):
        told = replay.records([_mail(next(numbers), answers)])
        began = time.perf_counter()
        await handler(told)
        found.append(time.perf_counter() - began)
    return found


async def _timed(recompute: Recompute) -> float:
    """Until nothing is left to understand."""
    began = time.perf_counter()
    while True:
        async with reading(recompute.engine) as connection:
            late, large = await deferred.any_left(connection), await aside.any_left(connection)
        if late:
            await recompute.late()
        elif large:
            await recompute.large()
        else:
            return time.perf_counter() - began


async def _call_generic(engine: AsyncEngine) -> None:
    async with writing(engine) as connection:
        before = await configuration.load(connection)
        chosen = replace(
            await configuration.installation(connection), called_generic=frozenset({f"message-id|{_GLUE}"})
        )
        await configuration.choose_for_all(connection, chosen)
        await values.look_again(connection, before.rules, (await configuration.load(connection)).rules)


def _mail(number: int, answers: str) -> Told:
    """A mail as its connector publishes it; answers: the Message-ID in its In-Reply-To, "" for none."""
    at = NOW - timedelta(days=100) + timedelta(seconds=number)
    mail = EmailMessage()
    mail["From"] = f"Person {number % 500} <person{number % 500}@customer{number % 50}.example>"
    mail["To"] = "requests@acme.example"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{number}.one-of-very-many@portal.example>"
    mail["Subject"] = f"Matter {number}"
    if answers:
        mail["In-Reply-To"] = f"<{answers}>"
    mail.set_content(f"Please look at matter {number}, which is like the other ones and yet not the same.\n" * 3)
    read = parse(mail.as_bytes())
    event = event_of(read, leaves(read), Found(_BOX, "INBOX", at, at + timedelta(minutes=1)), _MAIL)
    key, value, headers = to_kafka(event)
    return "mailbox", key, value, headers
