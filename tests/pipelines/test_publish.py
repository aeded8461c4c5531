"""Whatever a publisher does that was thought dead, the last that is told of a request is what is true."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.publish import Publisher
from pipelines.store import tables
from schemas.artifacts import request_id
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of, rows

Sent = Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]


async def test_a_publisher_that_wakes_up_late_has_the_newest_sent_once_more(engine: AsyncEngine) -> None:
    ingest = ingest_of(engine)
    clock, topic, asleep = [NOW], list[tuple[str, bytes]](), [True]

    async def send(told: Sent) -> list[bool]:
        topic.extend((key.decode(), value) for key, value, _ in told)
        return [True for _ in told]

    async def send_late(told: Sent) -> list[bool]:
        if asleep.pop() if asleep else False:
            clock[0] += timedelta(seconds=11)
            while await other.once():  # takes over, and sends what was numbered
                pass
            newer = [memo(1, version=2, title="Newer"), memo(2, version=2, deleted=True, parent=3)]
            await ingest(records(newer, first=3))
            while await other.once():
                pass
        return await send(told)

    other = Publisher(engine, send, lambda: clock[0], "other")
    late = Publisher(engine, send_late, lambda: clock[0], "late")
    await ingest(records([memo(1), memo(2), memo(3)]))
    assert await late._step() == 0, "what it holds is lost"
    assert b"Newer" not in dict(topic)[request_id("memos/memo/1")]
    while await other.once():
        pass
    last = dict(topic)
    stored = {row.id: row.record.encode() for row in await rows(engine, tables.requests)}
    assert {name: last[name] for name in stored} == stored
    led = last.keys() - stored.keys()
    assert led == {request_id("memos/memo/3")}
    assert all(b"merged_into" in last[name] for name in led)
    numbers = sorted(row.number for row in await rows(engine, tables.changes))
    assert numbers == list(range(1, len(numbers) + 1))
