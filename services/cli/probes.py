"""What /readyz looks at, for the roles that run in this process and no others."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.store import stamps
from pipelines.store.engine import AWAY, reading
from services.broker import Reach
from services.broker.batches import Subscription
from services.feed import watching
from services.feed.feed import Feed
from services.query.serving import Check, Note


def checks(
    reach: Reach,
    engine: AsyncEngine,
    now: Callable[[], datetime],
    *,
    feed: Feed | None,
    ingest: Ingest | None,
    subscription: Subscription | None,
    publisher: Publisher | None,
) -> Mapping[str, Check]:
    """By name: the broker, and each role that is here."""
    found: dict[str, Check] = {"broker": reach.problem}
    if feed is not None:
        found["feed"] = _waits(lambda: feed.waiting.says)
        found["connections"] = lambda: connections(engine, now())
    if subscription is not None:
        found["ingest"] = _waits(lambda: subscription.health(now().timestamp()).reason)
        found["mapping"] = lambda: _mapping(engine)
    if ingest is not None:
        found["understanding"] = _waits(lambda: ingest.catch_up.waiting.says)
    if publisher is not None:
        found["publish"] = _waits(lambda: publisher.waiting.says)
    return found


def _waits(reason: Callable[[], str | None]) -> Callable[[], Awaitable[str | None]]:
    async def look() -> str | None:
        return reason() or None

    return look


async def _mapping(engine: AsyncEngine) -> str | None:
    """A note, no fault: what is stored is served well, as the release before understood it."""
    try:
        async with reading(engine) as connection:
            says = await stamps.outdated(connection)
    except AWAY:
        return None  # the part `database` says that
    return Note(f"{says}. {stamps.MEND}") if says else None


async def connections(engine: AsyncEngine, now: datetime) -> str | None:
    """A note: which connections want a person. Whoever asks here is not signed in, so it names them and no more."""
    try:
        async with reading(engine) as connection:
            every = await watching.every(connection, now)
    except AWAY:
        return None  # the part `database` says that
    names = [one.id for one in every if one.state == "needs attention" or one.warnings]
    return Note(f"look at {', '.join(names)}: `throughline connections list` says why") if names else None
