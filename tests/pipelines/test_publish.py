"""Whatever a publisher does that was thought dead, the last that is told of a request is what is true."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.publish import Publisher
from pipelines.store import tables
from pipelines.store.engine import writing
from schemas.artifacts import request_id
from schemas.errors import RetryLater
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


class Topic:
    """What a publisher tells, and where the topic is said to end."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.told: list[tuple[int, str]] = []
        self.away = False

    async def send(self, told: Sent) -> list[bool]:
        self.told += [(int(dict(headers)["ce_sequence"]), key.decode()) for key, _, headers in told]
        return [True for _ in told]

    async def published(self, end: int | None) -> list[tuple[int, str]]:
        """(number, request) of what a publisher tells that begins with a topic that ends with this number."""

        async def told() -> int | None:
            if self.away:
                self.away = False
                raise RetryLater("Kafka is away")
            return end

        publisher, self.told = Publisher(self.engine, self.send, lambda: NOW, "one", told=told), []
        while await publisher.once():
            pass
        return self.told


async def test_what_the_topic_lacks_or_knows_better_has_all_told_once_more(engine: AsyncEngine) -> None:
    topic, ingest = Topic(engine), ingest_of(engine)
    await ingest(records([memo(1), memo(2)]))
    assert [number for number, _ in await topic.published(0)] == [1, 2]
    await ingest(records([memo(2, version=2, parent=1)], first=2))
    assert [number for number, _ in await topic.published(2)] == [3, 4], "the request, and the id that leads to it"
    everything = {request_id("memos/memo/1"), request_id("memos/memo/2")}
    for end, numbers in ((4, []), (0, [5, 6]), (6, []), (None, []), (5, [7, 8]), (20, [221, 222]), (222, [])):
        told = await topic.published(end)
        assert [number for number, _ in told] == numbers, end
        assert not told or {name for _, name in told} == everything
    assert {row.merged_into for row in await rows(engine, tables.changes) if row.number == 222} <= everything | {None}


async def test_what_was_numbered_and_not_marked_as_sent_is_no_difference(engine: AsyncEngine) -> None:
    topic = Topic(engine)
    await ingest_of(engine)(records([memo(1), memo(2)]))
    await topic.published(0)
    async with writing(engine) as connection:
        await connection.execute(tables.changes.update().where(tables.changes.c.number == 2).values(sent=False))
    for end in (1, 2):
        assert [number for number, _ in await topic.published(end)] == ([2] if end == 1 else [])


async def test_nothing_is_told_before_the_end_of_the_topic_is_known(engine: AsyncEngine) -> None:
    topic = Topic(engine)
    await ingest_of(engine)(records([memo(1)]))
    topic.away = True
    with pytest.raises(RetryLater):
        await topic.published(0)
    assert topic.told == []
    assert [number for number, _ in await topic.published(7)] == [208]
