"""What a tool has, listed: by its source where that can, otherwise by reading all of it again."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from connectors.contract import Inventoried, Listed, Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def inventory(source: Source, since: datetime | None) -> AsyncIterator[Sequence[Listed]]:
    """What there is, some hundreds at once. since: where the first read began. Raises RetryLater, Misconfigured."""
    if isinstance(source, Inventoried):
        async for listed in source.inventory():
            yield listed
        return
    async for page in source.pages(None, since):
        newest: dict[str, int] = {}
        for event in page.events:
            newest[event.artifact] = max(event.order, newest.get(event.artifact, event.order))
        yield [Listed(name, _moment(order), name.split("/", 2)[-1]) for name, order in newest.items()]


def covers(source: Source, since: datetime | None, now: datetime) -> datetime | None:
    """From when on the list is whole; None: from the beginning."""
    if isinstance(source, Inventoried):
        return now - source.covers if source.covers is not None else None
    return since


def _moment(order: int) -> datetime | None:
    """The instant that an order in microseconds means; None for a counter."""
    try:
        at = _EPOCH + timedelta(microseconds=order)
    except OverflowError:
        return None
    return at if at.year >= 1990 else None
