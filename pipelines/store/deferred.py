"""What was merged and is not understood yet: while batches keep coming, one look at a component serves several of them.

Notes are added in the transaction that merged the facts, and go in the one that writes what follows from them: nothing
is forgotten when a process dies in between. A note is a row of its own each time, so that who adds one never waits for
who works on others, and nothing that was added meanwhile goes with those that were read.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import decisions, tables
from pipelines.store.bulk import Bulk
from pipelines.store.facts import Notes, Touched

KINDS = ("artifact", "linked", "value", "generic", "identity")
"""What is left of very large components is of other kinds: see aside."""
BUT_PEOPLE = KINDS[:-1]
_REFUSED = "refused "
"""Begins the kinds of those that the database refused what follows from."""
_PUT_OFF = f"UPDATE deferred SET kind = '{_REFUSED}' || kind WHERE number IN {{numbers}}"  # noqa: S608


async def put(bulk: Bulk, touched: Touched) -> None:
    """Leave it for later."""
    left = _kinds(touched) | {
        "artifact": touched.artifacts - touched.linked,
        "value": touched.values - touched.held,
        "generic": touched.generic - touched.held,
    }
    rows = [(kind, name) for kind, names in left.items() for name in names]
    await bulk.insert(tables.deferred, rows, "ignore")


async def again(bulk: Bulk, identities: Iterable[str]) -> None:
    """Note of identities, once more, that they are known otherwise."""
    await bulk.insert(tables.deferred, [("identity", name) for name in identities], "ignore")


async def look(
    bulk: Bulk, touched: Touched, after: tuple[str, str] | None, most: int, kinds: Sequence[str] = KINDS
) -> Notes:
    """Add what was left to `touched`, at most so many names `after` that place, and remember it there.

    On PostgreSQL what another worker looks at is left out.
    """
    columns = tables.deferred.c
    wanted = select(columns.kind, columns.name).where(columns.kind.in_(kinds))
    wanted = wanted.order_by(columns.kind, columns.name).distinct().limit(most)
    if after is not None:
        wanted = wanted.where((columns.kind > after[0]) | (columns.kind == after[0]) & (columns.name > after[1]))
    names = (await bulk.connection.execute(wanted)).all()
    last = (names[-1].kind, names[-1].name) if len(names) == most else None
    notes = touched.notes = Notes(last=last, names=len(names))
    pairs = [(row.kind, row.name) for row in names]
    _add(notes, touched, await bulk.by_pairs(f"{_LOOK} WHERE (kind, name) IN {{pairs}}{{skip}}", pairs))
    return notes


async def gather(bulk: Bulk, touched: Touched, names: Iterable[str]) -> bool:
    """Add what else is noted of these artifacts and components, and the values of those whose parts changed.

    Returns whether there was anything: then more may be concerned.
    """
    notes = touched.notes
    if notes is None:
        return False
    new = set(names) - notes.gathered
    notes.gathered |= new
    before = len(notes.numbers)
    if notes.numbers:
        _add(notes, touched, await bulk.by_keys(_MATES, new))
    linked = touched.linked - notes.linked
    notes.linked |= linked
    for value, mentions in await bulk.by_keys(_HELD, linked):
        if value not in touched.rules.called_generic:
            (touched.generic if touched.rules.is_generic(value, mentions) else touched.values).add(value)
    touched.values |= decisions.meeting_places(await decisions.partners(bulk, linked))
    return bool(linked) or len(notes.numbers) > before


_LOOK = "SELECT number, kind, name FROM deferred"
_MATES = f"""{_LOOK} WHERE kind IN ('artifact', 'linked') AND (name IN {{keys}}
    OR name IN (SELECT artifact FROM members WHERE component IN {{keys}})){{skip}}"""  # noqa: S608
_HELD = """SELECT DISTINCT v.value, COALESCE(r.mentions, 0) FROM artifact_values v
    LEFT JOIN reference_values r ON r.value = v.value WHERE v.artifact IN {keys}"""


def _add(notes: Notes, touched: Touched, rows: Iterable[Sequence[Any]]) -> None:
    into = _kinds(touched)
    for number, kind, name in rows:
        notes.numbers.add(number)
        into[kind].add(name)
    touched.artifacts |= touched.linked


def _kinds(touched: Touched) -> dict[str, set[str]]:
    return {
        "artifact": touched.artifacts,
        "linked": touched.linked,
        "value": touched.values,
        "generic": touched.generic,
        "identity": touched.identities,
    }


async def drop(bulk: Bulk, notes: Notes) -> None:
    """These are worked off."""
    await bulk.by_numbers("DELETE FROM deferred WHERE number IN {numbers}", notes.numbers)


async def put_off(bulk: Bulk, notes: Notes) -> None:
    """What follows from these cannot be written: they wait until somebody asks for what is refused. What is noted of
    the same meanwhile does not wait."""
    await bulk.by_numbers(_PUT_OFF, notes.numbers)


async def ask_refused(connection: AsyncConnection) -> None:
    """Have it tried again."""
    kind = tables.deferred.c.kind
    wanted = update(tables.deferred).where(kind.in_([f"{_REFUSED}{one}" for one in KINDS]))
    await connection.execute(wanted.values(kind=func.substr(kind, len(_REFUSED) + 1)))


async def span(connection: AsyncConnection) -> tuple[int, int]:
    """The numbers of the oldest and the newest note; of none: a number above all, and 0.

    What is noted when something is seen to be merged is worked off when the oldest number has passed the newest of
    then.
    """
    columns = tables.deferred.c
    wanted = select(func.min(columns.number), func.max(columns.number)).where(columns.kind.in_(KINDS))
    oldest, newest = (await connection.execute(wanted)).one()
    return (2**63 - 1, 0) if oldest is None else (oldest, newest)


async def any_left(connection: AsyncConnection) -> bool:
    """Whether something merged is not understood yet; what was left aside of very large components does not count."""
    columns = tables.deferred.c
    return bool((await connection.execute(select(columns.name).where(columns.kind.in_(KINDS)).limit(1))).first())
