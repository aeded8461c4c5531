"""Whether what is compared and suggested is what the facts in use say: computed anew beside, and nothing changed.

Reads a page at a time and holds nobody up. What is still to be looked at is passed over; what seems to differ is looked
at once more, since it may have changed between two statements.
"""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.rebuild import Difference
from pipelines.store import suggestions
from pipelines.store.bulk import Bulk
from pipelines.store.engine import reading
from pipelines.suggesting import Suggesting, units_now

PAGE = 200
"""Units at once."""
_TOLD = 3


async def check(
    engine: AsyncEngine, suggesting: Suggesting, seen: Callable[[int], None] = lambda _: None
) -> list[Difference]:
    """Where units or suggestions differ; empty: nowhere, or all of them wait to be looked at anyway.

    seen is told how many units were looked at.
    """
    async with reading(engine) as connection:
        if await suggestions.going_over_all(connection):
            return []
    units, pairs = set[str](), set[tuple[str, str]]()
    after, count = "", 0
    while True:
        async with reading(engine) as connection:
            names = await suggestions.every(connection, after, PAGE)
            other_units, other_pairs = await _differ(connection, suggesting, names)
        units |= other_units
        pairs |= other_pairs
        count += len(names)
        seen(count)
        if len(names) < PAGE:
            break
        after = names[-1]
    async with reading(engine) as connection:
        again = sorted(units | {name for pair in pairs for name in pair})
        other_units, other_pairs = await _differ(connection, suggesting, again)
    found = {"units": units & other_units, "suggestions": {" ".join(pair) for pair in pairs & other_pairs}}
    return [Difference(name, len(keys), 0, sorted(keys)[:_TOLD]) for name, keys in found.items() if keys]


async def _differ(
    connection: AsyncConnection, suggesting: Suggesting, names: list[str]
) -> tuple[set[str], set[tuple[str, str]]]:
    """Which of these units, and which pairs with one of them, are stored otherwise than they are now."""
    bulk = Bulk(connection)
    (now, _), stored = await units_now(bulk, set(names)), await suggestions.load(bulk, names)
    bodies = {name: one.body for name, one in now.items()}
    other = {name for name in names if bodies.get(name) != stored.get(name)}
    found = {
        (one.left_unit, one.right_unit): (one.id, one.probability, one.evidence)
        for one in await suggesting.found(bulk, names)
    }
    kept = await suggestions.of_units(bulk, names)
    pairs = {pair for pair in found.keys() | kept.keys() if found.get(pair) != kept.get(pair)}
    waits = await suggestions.waiting(bulk, {*other, *(name for pair in pairs for name in pair)})
    return other - waits, {pair for pair in pairs if waits.isdisjoint(pair)}
