"""Offsets that jump: what is still in the topic is read from there, what is gone is read from the tools again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.store import offsets
from pipelines.store.engine import reading
from services.feed.gaps import GapGuard
from tests.pipelines.memos import Record, memo, records
from tests.services.feed.conftest import Post

PLACE = ("source.memo", 0)


@dataclass
class Topic:
    """A group member's place in a topic."""

    ends: int
    begins: int = 0
    seeks: list[int] = field(default_factory=list)

    async def beginning(self, _topic: str, _partition: int) -> int:
        return self.begins

    async def end(self, _topic: str, _partition: int) -> int:
        return self.ends

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
