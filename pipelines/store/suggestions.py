"""What is compared and suggested, as stored: units, their blocks, the suggestions, and what people answered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, exists, func, insert, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import decisions, unit_people
from pipelines.store.bulk import Bulk
from pipelines.store.components import stands
from pipelines.store.decisions import Decisions
from pipelines.store.encoding import reference_of
from pipelines.store.suggestion_tables import (
    block_sizes,
    suggestion_answers,
    suggestions,
    uncompared,
    unit_blocks,
    unit_marks,
    units,
)
from pipelines.suggest import blocks
from pipelines.suggest.faces import Told
from pipelines.suggest.scoring import Suggestion
from schemas.artifacts import Reference
from schemas.canonical import canonical_json, instant

PASS = "*"  # noqa: S105 - no password
"""How a mark begins that stands for many units: `*<what>|<after>`, with where a pass over them has come to."""
PASSES = ("requests", "artifacts", "units")
PAGE = 500
"""Units that a pass asks for at once."""
OLDEST = 30
"""Artifacts of a request that are looked at."""

_MINE = """WITH mine AS (SELECT artifact, request AS unit FROM members WHERE request IN {keys}
    UNION ALL SELECT artifact, artifact FROM members WHERE artifact IN {keys} AND request IS NULL)"""
"""Artifacts of some units, with their unit."""

_OLDEST = f"""{_MINE} SELECT * FROM (
    SELECT mine.unit, mine.artifact, COUNT(*) OVER (PARTITION BY mine.unit) AS size,
        ROW_NUMBER() OVER (PARTITION BY mine.unit ORDER BY a.created_at IS NULL, a.created_at, a.id) AS place
    FROM mine JOIN artifacts a ON a.id = mine.artifact) AS placed WHERE place <= {OLDEST} ORDER BY unit, place"""  # noqa: S608

_DECIDED_IN = f"""{_MINE} SELECT DISTINCT m.unit, d.number FROM decided d
    JOIN mine m ON m.artifact = d.name WHERE d.active"""  # noqa: S608 - no input

_DECIDED = f"""{_MINE} SELECT DISTINCT m.artifact, m.unit FROM decided d
    JOIN mine m ON m.artifact = d.name WHERE d.active"""  # noqa: S608 - no input

_CASES = " ".join(f"WHEN a.block LIKE '{kind}|%' THEN {weight}" for kind, weight in blocks.WEIGHTS.items())
_WEIGHT = f"""SUM(CASE WHEN a.block LIKE 'person|%' THEN 0 {_CASES} END)
    + MAX(CASE WHEN a.block LIKE 'person|%' THEN {blocks.WEIGHTS["person"]} ELSE 0 END)"""
"""As `blocks.WEIGHTS` say; a person counts once, in however many windows two units meet."""

_CANDIDATES = f"""SELECT a.unit, b.unit FROM unit_blocks a
    JOIN block_sizes s ON s.block = a.block AND s.units BETWEEN 2 AND {blocks.LIMIT}
    JOIN unit_blocks b ON b.block = a.block AND b.unit <> a.unit
    WHERE a.unit IN {{keys}} GROUP BY a.unit, b.unit HAVING {_WEIGHT} >= {blocks.ENOUGH}"""  # noqa: S608 - no input


async def mark(bulk: Bulk, names: Iterable[str]) -> None:
    """Have these units looked at; in the transaction that changed them. Never waits for who looks."""
    await bulk.insert(unit_marks, [(name,) for name in names])


async def mark_everything(connection: AsyncConnection) -> None:
    """Have all units looked at, in bounded steps."""
    await connection.execute(insert(unit_marks), [{"unit": f"{PASS}{what}|"} for what in PASSES])


async def marks(connection: AsyncConnection, limit: int) -> Sequence[Any]:
    """The oldest marks: (number, unit)."""
    wanted = select(unit_marks.c.number, unit_marks.c.unit).order_by(unit_marks.c.number).limit(limit)
    return (await connection.execute(wanted)).all()


async def page(connection: AsyncConnection, told: str) -> tuple[list[str], str | None]:
    """The next units of a pass, and the mark with which it goes on; None at its end."""
    what, _, after = told.removeprefix(PASS).partition("|")
    if what == unit_people.REST:
        identity, place = orjson.loads(after)
        return await unit_people.rest(connection, identity, place, PAGE)
    sql = {
        "requests": "SELECT id FROM requests WHERE id > :after ORDER BY id",
        "artifacts": "SELECT artifact FROM members WHERE artifact > :after AND request IS NULL ORDER BY artifact",
        "units": "SELECT unit FROM units WHERE unit > :after ORDER BY unit",
    }[what]
    names = list((await connection.execute(text(f"{sql} LIMIT :most"), {"after": after, "most": PAGE})).scalars())
    return names, f"{PASS}{what}|{names[-1]}" if len(names) == PAGE else None


@dataclass(slots=True)
class Members:
    """What is in a unit now."""

    size: int
    told: list[Told] = field(default_factory=list)
    """The oldest."""
    decided: set[int] = field(default_factory=set)
    """Decisions that name something of it."""


async def members(bulk: Bulk, names: Iterable[str]) -> dict[str, Members]:
    """Units with what is in them now; those that are gone are left out."""
    names = set(names)
    rows = await bulk.by_keys(_OLDEST, names)
    told = await _told(bulk, {row[1] for row in rows})
    found: dict[str, Members] = {}
    for unit, artifact, size, _ in rows:
        if artifact in told:
            found.setdefault(unit, Members(size)).told.append(told[artifact])
    for unit, number in await bulk.by_keys(_DECIDED_IN, names):
        if unit in found:
            found[unit].decided.add(number)
    return found


async def _told(bulk: Bulk, artifacts: set[str]) -> dict[str, Told]:
    rows = await bulk.by_keys("SELECT id, connector, kind, fields FROM artifacts WHERE id IN {keys}", artifacts)
    fields = {row[0]: orjson.loads(row[3]) for row in rows}
    named: dict[str, list[Reference]] = {row[0]: [] for row in rows}
    sql = """SELECT artifact, part, "order", candidates FROM parts WHERE artifact IN {keys} AND candidates <> '[]'
        ORDER BY artifact, part"""
    for artifact, part, order, candidates in await bulk.by_keys(sql, artifacts):
        if stands(part, order, fields[artifact]):
            named[artifact] += (reference_of(row) for row in orjson.loads(candidates))
    return {
        name: Told(name, connector, kind, {key: each[2] for key, each in fields[name].items()}, named[name])
        for name, connector, kind, _ in rows
    }


@dataclass(frozen=True, slots=True)
class Looked:
    """What is stored of a unit that was looked at."""

    body: str
    """What is compared of it, as canonical text."""
    blocks: frozenset[str]


async def load(bulk: Bulk, names: Iterable[str]) -> dict[str, str]:
    """The bodies of units as they were looked at last."""
    rows = await bulk.by_keys("SELECT unit, body FROM units WHERE unit IN {keys}", names)
    return {row[0]: row[1] for row in rows}


async def write_units(bulk: Bulk, changed: Mapping[str, Looked], gone: Iterable[str]) -> None:
    """Store units with their blocks; forget those that are gone. What follows for others is marked as uncompared."""
    gone = set(gone)
    names = set(changed) | gone
    before = {(row[0], row[1]) for row in await bulk.by_keys(
        "SELECT block, unit FROM unit_blocks WHERE unit IN {keys}", names
    )}  # fmt: skip
    after = {(key, name) for name, unit in changed.items() for key in unit.blocks}
    await bulk.by_keys("DELETE FROM units WHERE unit IN {keys}", gone)
    await bulk.insert(units, [(name, unit.body) for name, unit in changed.items()], "replace")
    await bulk.by_pairs("DELETE FROM unit_blocks WHERE (block, unit) IN {pairs}", before - after)
    await bulk.insert(unit_blocks, after - before)
    crossed = await _resize(bulk, before, after)
    holders = await bulk.by_keys("SELECT DISTINCT unit FROM unit_blocks WHERE block IN {keys}", crossed)
    await _forget(bulk, gone)
    await bulk.insert(uncompared, {(name,) for name in set(changed) | {row[0] for row in holders}})


async def _resize(bulk: Bulk, before: set[tuple[str, str]], after: set[tuple[str, str]]) -> list[str]:
    """Count blocks anew. Returns those whose size changes what follows for the units in them."""
    delta: dict[str, int] = {}
    for key, _ in after - before:
        delta[key] = delta.get(key, 0) + 1
    for key, _ in before - after:
        delta[key] = delta.get(key, 0) - 1
    counted = await bulk.insert(block_sizes, [one for one in delta.items() if one[1]], "add", "block, units")
    empty = [key for key, size in counted if size <= 0]
    await bulk.by_keys("DELETE FROM block_sizes WHERE block IN {keys}", empty)
    return [key for key, size in counted if blocks.crossed(key, size - delta[key], size)]


async def _forget(bulk: Bulk, names: set[str]) -> None:
    await bulk.by_keys("DELETE FROM suggestions WHERE left_unit IN {keys} OR right_unit IN {keys}", names)
    await bulk.by_keys("DELETE FROM uncompared WHERE unit IN {keys}", names)


async def done(bulk: Bulk, numbers: Sequence[int], going_on: Iterable[str]) -> None:
    """These marks were looked at; passes go on with new ones."""
    await bulk.connection.execute(delete(unit_marks).where(unit_marks.c.number.in_(numbers)))
    await mark(bulk, going_on)


async def next_uncompared(connection: AsyncConnection, limit: int) -> list[str]:
    """Some units to compare."""
    wanted = select(uncompared.c.unit).order_by(uncompared.c.unit).limit(limit)
    return list((await connection.execute(wanted)).scalars())


async def candidates(bulk: Bulk, names: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of units that share enough blocks, each in order; one of each is among the names."""
    rows = await bulk.by_keys(_CANDIDATES, names)
    return {(min(row[0], row[1]), max(row[0], row[1])) for row in rows}


async def sizes(bulk: Bulk, keys: Iterable[str]) -> dict[str, int]:
    """Block key to how many units share it; none for nobody."""
    rows = await bulk.by_keys("SELECT block, units FROM block_sizes WHERE block IN {keys}", keys)
    return {row[0]: row[1] for row in rows}


async def decided(bulk: Bulk, names: Iterable[str]) -> tuple[Decisions, dict[str, str]]:
    """Decisions about artifacts of these units, and the artifacts they name with the unit of each."""
    unit_of = {row[0]: row[1] for row in await bulk.by_keys(_DECIDED, names)}
    return await decisions.load(bulk, unit_of), unit_of


async def rejected(bulk: Bulk, names: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of these units of which somebody rejected a suggestion."""
    sql = f"""{_MINE} SELECT l.unit, r.unit FROM suggestion_answers a JOIN mine l ON l.artifact = a."left"
        JOIN mine r ON r.artifact = a."right" WHERE a.answer = 'rejected'"""  # noqa: S608 - no input
    rows = await bulk.by_keys(sql, names)
    return {(min(row[0], row[1]), max(row[0], row[1])) for row in rows}


async def replace(bulk: Bulk, compared: Iterable[str], found: Iterable[Suggestion], model: int, at: datetime) -> None:
    """Put what was found in place of what was suggested of these units before."""
    names = set(compared)
    await _forget(bulk, names)
    await bulk.insert(suggestions, [_row(one, model, at) for one in found], "replace")


def _row(one: Suggestion, model: int, at: datetime) -> tuple[Any, ...]:
    features, change = canonical_json(dict(one.features)), canonical_json(dict(one.change))
    return (
        one.left_unit, one.right_unit, one.id, one.left, one.right, one.probability, one.worth, features, change,
        one.evidence, model, instant(at),
    )  # fmt: skip


async def offered_since(connection: AsyncConnection, at: datetime) -> int:
    """How many were offered since then; those that fell away before anybody answered do not count."""
    answers, found = suggestion_answers.c, suggestions.c
    stands = exists().where((found.left == answers.left) & (found.right == answers.right))
    wanted = select(func.count()).where(answers.offered_at > at, or_(answers.answer.is_not(None), stands))
    return int((await connection.execute(wanted)).scalar_one())


def _never_offered() -> Any:
    """Suggestions that were never offered, by pair of artifacts."""
    answers, found = suggestion_answers.c, suggestions.c
    same = (answers.left == found.left) & (answers.right == found.right)
    wanted = select(found.left, found.right, found.id, found.probability, found.evidence)
    return wanted.outerjoin(suggestion_answers, same).where(answers.left.is_(None))


async def any_new(connection: AsyncConnection) -> bool:
    """Whether one waits that was never offered."""
    return bool((await connection.execute(_never_offered().limit(1))).first())


async def offer(connection: AsyncConnection, limit: int, now: datetime) -> int:
    """Offer the worthiest that were never offered. Returns how many it was."""
    wanted = _never_offered().order_by(suggestions.c.worth.desc(), suggestions.c.id).limit(limit)
    rows = (await connection.execute(wanted)).all()
    values = [
        {"left": row.left, "right": row.right, "id": row.id, "offered_at": now, "probability": row.probability,
         "evidence": row.evidence}
        for row in rows
    ]  # fmt: skip
    if values:
        await connection.execute(insert(suggestion_answers), values)
    return len(values)


@dataclass(frozen=True, slots=True)
class Asked:
    """A suggestion that may be answered: one that stands, or that was offered or answered before."""

    id: str
    left: str
    right: str
    probability: float
    evidence: str
    stands: bool
    answer: str | None
    by: str | None


async def asked(connection: AsyncConnection, name: str) -> Asked | None:
    """The suggestion with this id; None: there was never one."""
    sql = """SELECT COALESCE(s."left", a."left"), COALESCE(s."right", a."right"),
        COALESCE(s.probability, a.probability), COALESCE(s.evidence, a.evidence), s.id IS NOT NULL, a.answer, a."by"
        FROM (SELECT CAST(:id AS TEXT) AS id) w LEFT JOIN suggestions s ON s.id = w.id
        LEFT JOIN suggestion_answers a ON a.id = w.id WHERE s.id IS NOT NULL OR a.id IS NOT NULL"""
    row = (await connection.execute(text(sql), {"id": name})).first()
    return None if row is None else Asked(name, row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6])


async def answered(
    connection: AsyncConnection, one: Asked, answer: str, by: str, at: datetime, until: datetime | None
) -> None:
    """Keep what somebody answered; what is rejected is suggested no more."""
    told = {
        "answer": answer, "by": by, "at": at, "until": until, "evidence": one.evidence, "probability": one.probability,
    }  # fmt: skip
    made = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = made(suggestion_answers).values(left=one.left, right=one.right, id=one.id, offered_at=at, **told)
    await connection.execute(statement.on_conflict_do_update(index_elements=["left", "right"], set_=told))
    if answer == "rejected":
        await connection.execute(delete(suggestions).where(suggestions.c.id == one.id))


async def every(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """The next of all units there are or were looked at, in order."""
    sql = """SELECT unit FROM (SELECT id AS unit FROM requests UNION SELECT artifact FROM members WHERE request IS NULL
        UNION SELECT unit FROM units) AS every WHERE unit > :after ORDER BY unit LIMIT :most"""
    return list((await connection.execute(text(sql), {"after": after, "most": limit})).scalars())


async def waiting(bulk: Bulk, names: Iterable[str]) -> set[str]:
    """Those of these units that are to be looked at or compared."""
    sql = "SELECT unit FROM unit_marks WHERE unit IN {keys} UNION SELECT unit FROM uncompared WHERE unit IN {keys}"
    return {row[0] for row in await bulk.by_keys(sql, names)}


async def going_over_all(connection: AsyncConnection) -> bool:
    """Whether all units are being looked at."""
    marked = select(unit_marks.c.unit).where(unit_marks.c.unit.startswith(PASS, autoescape=True)).limit(1)
    return bool((await connection.execute(marked)).first())


async def of_units(bulk: Bulk, names: Iterable[str]) -> dict[tuple[str, str], tuple[str, float, str]]:
    """What is suggested of these units: pair of units to the id, the probability and what the evidence is."""
    sql = """SELECT left_unit, right_unit, id, probability, evidence FROM suggestions
        WHERE left_unit IN {keys} OR right_unit IN {keys}"""
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in await bulk.by_keys(sql, names)}
