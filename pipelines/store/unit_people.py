"""Who takes part in what is compared for suggestions: when it changes who somebody is, all of that is looked at again.

A mark stands for a person, and their units are looked for when its turn has come: after all that was written before, so
that a unit which was looked at meanwhile, and had not yet said who takes part in it, is found too.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store.bulk import Bulk
from pipelines.store.suggestion_tables import unit_marks, unit_people
from schemas.canonical import canonical_json

PERSON = "*person|"
"""How a mark begins that stands for all units in which an identity takes part."""
REST = "people"
"""A pass over the rest of them: `*people|[identity, after]`."""


async def mark(bulk: Bulk, identities: Iterable[str]) -> None:
    """Have all units looked at in which these take part: they are known otherwise now. Never waits for who looks."""
    await bulk.insert(unit_marks, [(PERSON + name,) for name in identities])


async def units_of(bulk: Bulk, marks: Iterable[str], most: int) -> tuple[list[str], list[str]]:
    """Units in which those take part whom the marks name, so many at most, and the marks that go on with it."""
    wanted = sorted(one.removeprefix(PERSON) for one in set(marks))
    sql = f"SELECT identity, unit FROM unit_people WHERE identity IN {{keys}} ORDER BY identity, unit LIMIT {most:d}"  # noqa: S608
    rows = await bulk.by_keys(sql, wanted)
    units = [row[1] for row in rows]
    if len(rows) < most:
        return units, []
    last = rows[-1][0]
    return units, [_on(last, units[-1]), *(PERSON + name for name in wanted if name > last)]


async def rest(connection: AsyncConnection, identity: str, after: str, most: int) -> tuple[list[str], str | None]:
    """The next units of one identity, and the mark with which it goes on; None at its end."""
    columns = unit_people.c
    wanted = select(columns.unit).where(columns.identity == identity, columns.unit > after)
    names = list((await connection.execute(wanted.order_by(columns.unit).limit(most))).scalars())
    return names, _on(identity, names[-1]) if len(names) == most else None


def _on(identity: str, after: str) -> str:
    return f"*{REST}|{canonical_json([identity, after])}"


async def keep(bulk: Bulk, looked_at: Iterable[str], people: Mapping[str, frozenset[str]]) -> None:
    """Keep who takes part in the units that were looked at; in those that are not among `people` nobody does."""
    sql = "SELECT identity, unit FROM unit_people WHERE unit IN {keys}"
    before = {(row[0], row[1]) for row in await bulk.by_keys(sql, looked_at)}
    now = {(name, unit) for unit, names in people.items() for name in names}
    await bulk.by_pairs("DELETE FROM unit_people WHERE (identity, unit) IN {pairs}", before - now)
    await bulk.insert(unit_people, now - before)
