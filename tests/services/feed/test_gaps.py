"""Offsets that jump: what is still in the topic is read from there, what is gone is read from the tools again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipelines.store import offsets
from pipelines.store.engine import open_engine, reading
from services.feed.gaps import GapGuard
from tests.pipelines.memos import Record, memo, records
from tests.services.feed.conftest import Post

PLACE = ("source.memo", 0)


@dataclass
class Topic:
    """A group member's place in a topic."""

    ends: int
    begins: int = 0
    goes_on: int | None = None
    seeks: list[int] = field(default_factory=list)

    async def beginning(self, _topic: str, _partition: int) -> int:
        return self.begins

    async def end(self, _topic: str, _partition: int) -> int:
        return self.ends

    async def committed(self, _topic: str, _partition: int) -> int | None:
        return self.goes_on

    def seek(self, _topic: str, _partition: int, offset: int) -> None:
        self.seeks.append(offset)


def guard(post: Post, topic: Topic) -> GapGuard:
    async def handler(batch: Sequence[Any]) -> None:
        await post.apply(batch)

    return GapGuard(post.engine, handler, lambda: topic, "", {"source.memo": "memo"}, embedded=False)


def log(*numbers: int) -> list[Record]:
    """A topic that holds these memos from its beginning on."""
    return records([memo(number) for number in numbers])


async def following(post: Post) -> int | None:
    """The first offset that is not applied."""
    async with reading(post.engine) as connection:
        return (await offsets.applied(connection, "")).get(PLACE)


async def test_what_comes_again_is_no_gap(post: Post) -> None:
    await post.change(cursor={"page": 1})
    told = log(1, 2, 3)
    topic = Topic(ends=3)
    one = guard(post, topic)
    for batch in (told[:2], told[:2], told[1:], told):
        await one(batch)
    await guard(post, topic)(told[:1])  # another member, started later
    assert (topic.seeks, await following(post)) == ([], 3)
    assert (await post.stored()).cursor == {"page": 1}


async def test_a_topic_that_was_made_anew_is_read_and_so_are_the_tools(post: Post) -> None:
    await post.change(cursor={"page": 1})
    running = guard(post, Topic(ends=3))
    await running(log(1, 2, 3))
    for one in (running, guard(post, Topic(ends=1))):
        one.positions = lambda: Topic(ends=1)
        await one(log(4))
        assert await following(post) == 1
    assert (await post.stored()).cursor is None


async def test_a_member_that_begins_behind_what_is_applied_is_set_back(post: Post) -> None:
    told = log(1, 2, 3, 4)
    await guard(post, Topic(ends=4))(told[:1])
    topic = Topic(ends=4)
    await guard(post, topic)(told[2:])
    assert (topic.seeks, await following(post)) == ([1], 1)


async def test_a_restored_database_is_noticed_at_assignment_without_a_new_record(post: Post) -> None:
    await post.change(cursor={"page": 1})
    await guard(post, Topic(ends=1))(log(1))
    topic = Topic(ends=4, goes_on=4)  # the group is further than the database
    one = guard(post, topic)
    await one.assigned([PLACE])
    assert topic.seeks == [1]
    await one(log(1, 2, 3, 4)[1:])
    assert (topic.seeks, await following(post)) == ([1], 4)
    assert (await post.stored()).cursor == {"page": 1}


async def test_what_is_gone_at_assignment_is_read_from_the_tools_once(post: Post) -> None:
    await post.change(cursor={"page": 1})
    await guard(post, Topic(ends=1))(log(1))
    epoch = (await post.stored()).epoch
    topic = Topic(ends=4, begins=4, goes_on=4)
    await guard(post, topic).assigned([PLACE])
    again = await post.stored()
    assert (again.cursor, again.epoch, topic.seeks) == (None, epoch + 1, [])
    for one in (guard(post, topic), guard(post, topic)):  # started again, and still no new record
        await one.assigned([PLACE])
        assert (await post.stored()).epoch == again.epoch


@pytest.mark.parametrize("goes_on", [None, 0, 2, 3])
async def test_a_group_that_is_not_further_than_the_database_is_left_alone(post: Post, goes_on: int | None) -> None:
    await post.change(cursor={"page": 1})
    await guard(post, Topic(ends=3))(log(1, 2, 3))
    topic = Topic(ends=3, goes_on=goes_on)
    await guard(post, topic).assigned([PLACE])
    assert (topic.seeks, await following(post), (await post.stored()).cursor) == ([], 3, {"page": 1})


async def test_a_topic_that_was_made_anew_is_noticed_at_assignment(post: Post) -> None:
    await post.change(cursor={"page": 1})
    await guard(post, Topic(ends=3))(log(1, 2, 3))
    await guard(post, Topic(ends=0)).assigned([PLACE])
    assert (await following(post), (await post.stored()).cursor) == (None, None)


async def test_an_assignment_while_the_database_is_away_is_said(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    one = guard(post, Topic(ends=3, goes_on=3))
    one.engine = open_engine("postgresql+asyncpg://hub@127.0.0.1:1/hub")  # nobody listens there
    await one.assigned([PLACE])
    await one.engine.dispose()
    assert [record.getMessage() for record in caplog.records] == ["gap.look.failed"]
