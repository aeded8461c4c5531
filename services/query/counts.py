"""How much there is, and how much waits: for status, not for look-ups."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.tables import changes, components, dead_letters, members, pending, requests, unpublished

_WAITING = ("waiting", "wanted", "set aside")


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """Counts by name, in one statement."""
    counted = {
        "requests": select(func.count()).select_from(requests),
        "requests_not_up_to_date": select(func.count()).where(requests.c.problem.is_not(None)),
        "artifacts": select(func.count()).select_from(members),
        "artifacts_in_no_request": select(func.count()).select_from(members).where(members.c.request.is_(None)),
        "components": select(func.count()).select_from(components),
        "dead_letters": select(func.count()).select_from(dead_letters).where(dead_letters.c.state.in_(_WAITING)),
        "unpublished": select(func.count()).select_from(unpublished),
        "pending": select(func.count(func.distinct(pending.c.component))),
        "newest_change": select(func.coalesce(func.max(changes.c.number), 0)),
    }
    row = (
        await connection.execute(select(*(one.scalar_subquery().label(name) for name, one in counted.items())))
    ).one()
    return {name: int(row._mapping[name]) for name in counted}  # noqa: SLF001 - the documented name
