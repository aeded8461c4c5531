"""What is told of the connection that tests read."""

from collections.abc import Callable
from datetime import datetime, timedelta

from pipelines.store.engine import reading, writing
from services.feed import hours, watching
from services.feed.watching import Told
from tests.services.feed.conftest import Post
from tests.services.feed.test_feed import until

HOUR = timedelta(hours=1)


async def now_told(post: Post) -> Told:
    async with reading(post.engine) as connection:
        one = await watching.told(connection, "memos", post.now())
    assert one is not None
    return one


async def once(post: Post, holds: Callable[[Told], bool]) -> Told:
    """What is told, once it is so."""

    async def so() -> bool:
        return holds(await now_told(post))

    await until(so)
    return await now_told(post)


async def filled(post: Post, weeks: int = 5) -> datetime:
    """An hour with five events in each hour of some weeks before now; then three hours of silence."""
    newest = hours.hour_of(post.at) - 4 * HOUR
    async with writing(post.engine) as connection:
        for number in range(weeks * 7 * 24):
            await hours.count(connection, "memos", 5, newest - number * HOUR)
    return newest + HOUR
