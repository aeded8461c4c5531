"""Components too large to be understood with every batch that touches them.

What touches one is left aside, once however often it is touched, and understood by recompute now and then; the rest of
its batch goes on. Whatever holds very many artifacts together is kept by name, so that a person can say it means
nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import pending, tables
from pipelines.store.bulk import Bulk
from pipelines.store.facts import Touched

LARGE = 1_000
"""Artifacts beyond which a component is not understood batch by batch."""
STEP = 10_000
"""Entries taken at once."""
NAMED = 5
"""Values kept by name of what holds a large component together."""
WAITS = "it hangs together with very many artifacts; what is new in it is worked in now and then"

_ARTIFACT, VALUE, _GENERIC = "large artifact", "large value", "large generic"
_WHOLE = pending.WHOLE
_KINDS = (_ARTIFACT, VALUE, _GENERIC, _WHOLE)

_IN_LARGE = "JOIN components c ON c.id = m.component WHERE c.size > :large"
_MEMBERS = f"SELECT m.artifact FROM members m {_IN_LARGE} AND m.artifact IN {{keys}}"  # noqa: S608
_HELD = f"""SELECT r.value FROM reference_values r WHERE r.value IN {{keys}} AND EXISTS (SELECT 1
    FROM artifact_values v JOIN members m ON m.artifact = v.artifact {_IN_LARGE} AND v.value = r.value"""  # noqa: S608
_REQUESTS = f"SELECT DISTINCT m.request FROM members m {_IN_LARGE} AND m.{{column}} IN {{{{keys}}}}"  # noqa: S608
_HOLDING = f"""SELECT DISTINCT m.request FROM members m JOIN artifact_values v ON v.artifact = m.artifact
    AND v.value IN {{keys}} {_IN_LARGE}"""  # noqa: S608
_WAITING = """UPDATE requests SET problem = :problem WHERE problem IS NULL AND id IN
    (SELECT request FROM members WHERE artifact IN {keys})"""


class Large(Exception):
    """Something is to be left aside: begin again where it can be written."""


async def put(bulk: Bulk, touched: Touched, large: set[str]) -> None:
    """Leave what touches these components; `touched` is what remains. Every fact of it is stored already.

    Raises Large where nothing can be left, because nothing is to be written.
    """
    if touched.reading:
        raise Large
    inside = {row[0] for row in await bulk.by_keys(_MEMBERS, touched.artifacts, large=LARGE)}
    values = await _held(bulk, touched.values, "")
    generic = await _held(bulk, touched.generic, "AND v.strong = TRUE")
    held = await _values_of(bulk, touched.artifacts)
    left = inside | {artifact for artifact, named in held.items() if not named.isdisjoint(values | generic)}
    brought = {value for artifact in left for value in held[artifact]}
    rows = [(_ARTIFACT, name) for name in left]
    rows += [(VALUE, name) for name in values | (brought & touched.values)]
    rows += [(_GENERIC, name) for name in generic | (brought & touched.generic)]
    rows += [(_WHOLE, name) for name in large & touched.components]
    await bulk.insert(tables.deferred, rows)
    await bulk.by_keys(_WAITING, left, problem=WAITS)
    if touched.identities:
        await pending.ask_named(bulk, touched.identities, LARGE)
    touched.artifacts -= left
    touched.values -= values
    touched.generic -= generic
    touched.left_aside |= left
    touched.too_large |= large


async def _held(bulk: Bulk, values: set[str], strong: str) -> set[str]:
    """Those of the values that hold an artifact of a large component."""
    return {row[0] for row in await bulk.by_keys(f"{_HELD} {strong})", values, large=LARGE)}


async def _values_of(bulk: Bulk, artifacts: set[str]) -> dict[str, set[str]]:
    sql = "SELECT DISTINCT artifact, value FROM artifact_values WHERE artifact IN {keys}"
    found: dict[str, set[str]] = defaultdict(set)
    for artifact, value in await bulk.by_keys(sql, artifacts):
        found[artifact].add(value)
    return found


async def look(bulk: Bulk, touched: Touched, limit: int = STEP) -> Sequence[Any]:
    """Add what was left aside to `touched`, to be understood however large. Returns the entries, for `done`.

    No entry is locked: whoever leaves the same again meanwhile does not wait.
    """
    columns = tables.deferred.c
    wanted = select(tables.deferred).where(columns.kind.in_(_KINDS)).order_by(columns.kind, columns.name).limit(limit)
    rows = (await bulk.connection.execute(wanted)).all()
    into = {_ARTIFACT: touched.artifacts, VALUE: touched.values, _GENERIC: touched.generic, _WHOLE: touched.components}
    for _, kind, name in rows:
        into[kind].add(name)
    touched.however_large = True
    touched.everything = any(kind == _WHOLE for _, kind, _ in rows)
    return rows


async def concerned(bulk: Bulk, touched: Touched) -> set[str]:
    """The requests of very large components that this touches."""
    places = ("artifact", touched.artifacts), ("component", touched.components)
    rows = [
        row for column, keys in places
        for row in await bulk.by_keys(_REQUESTS.format(column=column), keys, large=LARGE)
    ]  # fmt: skip
    rows += await bulk.by_keys(_HOLDING, touched.values | touched.generic, large=LARGE)
    return {row[0] for row in rows if row[0]}


async def done(bulk: Bulk, rows: Sequence[Any]) -> None:
    """Take these entries away; what was left again meanwhile has entries of its own."""
    await bulk.by_numbers("DELETE FROM deferred WHERE number IN {numbers}", (row.number for row in rows))


async def any_left(connection: AsyncConnection) -> bool:
    """Whether something waits here."""
    columns = tables.deferred.c
    return bool((await connection.execute(select(columns.name).where(columns.kind.in_(_KINDS)).limit(1))).first())


async def name_glue(
    bulk: Bulk, before: set[str], component_of: dict[str, str], edges: Iterable[tuple[str, str]], few: int
) -> None:
    """Keep by name what holds the large ones of these components together: values on more than `few` artifacts."""
    sizes = Counter(component_of.values())
    large = {name for name, size in sizes.items() if size > LARGE}
    await bulk.by_keys("DELETE FROM glue WHERE component IN {keys}", before | large)
    if not large:
        return
    found: dict[str, Counter[str]] = {name: Counter() for name in large}
    for artifact, value in set(edges):
        if (component := component_of.get(artifact)) in large:
            found[component][value] += 1
    rows = [
        (component, value, artifacts)
        for component, counted in found.items()
        for value, artifacts in sorted(counted.items(), key=lambda one: (-one[1], one[0]))[:NAMED]
        if artifacts > few
    ]
    await bulk.insert(tables.glue, rows, "replace")
