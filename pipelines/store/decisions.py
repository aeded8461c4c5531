"""Decisions as stored. `decisions` holds each as it was said, `decided` finds those that name an artifact or identity.

Both are inputs: nothing derives them, a rebuild reads them, and what is removed from the facts leaves them alone.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.explain import named
from pipelines.correlate.parts import Parts
from pipelines.references import own
from pipelines.store import tables
from pipelines.store.bulk import Bulk
from schemas.canonical import canonical_json
from schemas.decisions import ABOUT_PEOPLE, Decision, DecisionKind

_REACH = """WITH RECURSIVE reach(name) AS (
    SELECT name FROM decided WHERE name IN {keys} AND active
    UNION SELECT o.name FROM reach r JOIN decided m ON m.name = r.name AND m.active AND m.joins
        JOIN decided o ON o.number = m.number AND o.active AND o.joins)"""
"""What the given names are said to belong to, over any number of decisions, and the names themselves if any decision
names them."""


_PARTNERS = _REACH + " SELECT name FROM reach"  # noqa: S608 - no input in it
_CONCERNED = f"""{_REACH} SELECT * FROM decisions WHERE number IN
    (SELECT number FROM decided WHERE active AND name IN (SELECT name FROM reach))"""  # noqa: S608 - no input in it


@dataclass(slots=True)
class Decisions:
    """Decisions that hold, of some artifacts."""

    held: tuple[Decision, ...] = ()
    _classes: Parts = field(default_factory=Parts)
    _by_class: dict[str, list[Decision]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, those: Iterable[Decision]) -> "Decisions":
        """These, put in order."""
        found = cls(tuple(sorted(those, key=lambda one: one.number)))
        for one in found.held:
            for end in one.joined[1:]:
                found._classes.join(one.joined[0], end)
        for one in found.held:
            for root in {found._classes.of(end) for end in one.left + one.right}:
                found._by_class[root].append(one)
        return found

    def edges(self, artifacts: Iterable[str]) -> list[tuple[str, str]]:
        """(artifact, what it shares by decision) of those that a decision joins with something."""
        joined = {end for one in self.held for end in one.joined}
        return [(name, f"decided|{self._classes.of(name)}") for name in artifacts if name in joined]

    def joined_with(self, names: set[str]) -> set[str]:
        """These, and what they are said to belong to."""
        return names | {end for one in self.among(names) for end in one.joined}

    def among(self, artifacts: Iterable[str]) -> tuple[Decision, ...]:
        """Those that concern any of these artifacts."""
        if not self.held:
            return ()
        found = {one.number: one for name in artifacts for one in self._by_class.get(self._classes.of(name), ())}
        return tuple(found[number] for number in sorted(found))


async def load(bulk: Bulk, names: Iterable[str]) -> Decisions:
    """All that hold and concern these artifacts or identities, or what they are said to belong to."""
    return Decisions.of(decision_of(row) for row in await bulk.by_keys(_CONCERNED, names))


async def partners(bulk: Bulk, names: Iterable[str]) -> set[str]:
    """What these are said to belong to, stored or not."""
    return {row[0] for row in await bulk.by_keys(_PARTNERS, names)}


def meeting_places(artifacts: Iterable[str]) -> set[str]:
    """The values at which workers meet that bring two artifacts a decision speaks of: each one's own request id."""
    return {own(name).key for name in artifacts}


async def alone(connection: AsyncConnection) -> None:
    """Let nobody else decide, or swap in a rebuild, until the transaction ends: decisions are judged against all."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text("LOCK TABLE decisions IN SHARE ROW EXCLUSIVE MODE"))


async def next_number(connection: AsyncConnection) -> int:
    """The number of the next decision; only for who is `alone`."""
    newest = await connection.execute(select(func.coalesce(func.max(tables.decisions.c.number), 0)))
    return int(newest.scalar_one()) + 1


async def newest(connection: AsyncConnection) -> int:
    """The number of the newest decision; 0: there is none."""
    return await next_number(connection) - 1


async def since(connection: AsyncConnection, number: int) -> tuple[Decision, ...]:
    """Every decision after a number."""
    wanted = select(tables.decisions).where(tables.decisions.c.number > number).order_by(tables.decisions.c.number)
    return tuple(decision_of(row) for row in await connection.execute(wanted))


async def by_key(connection: AsyncConnection, key: str) -> tuple[Decision, str, str] | None:
    """The decision that was stored under an idempotency key, the digest of what was asked, and what it did."""
    wanted = select(tables.decisions).where(tables.decisions.c.key == key)
    row = (await connection.execute(wanted)).first()
    return None if row is None else (decision_of(row), row.asked, row.did)


async def get(connection: AsyncConnection, number: int) -> tuple[Decision, int | None] | None:
    """A decision, and the number of the one that undid it."""
    wanted = select(tables.decisions).where(tables.decisions.c.number == number)
    row = (await connection.execute(wanted)).first()
    return None if row is None else (decision_of(row), row.undone_by)


async def first(connection: AsyncConnection, decision: Decision) -> tuple[Decision, bool]:
    """What a decision, itself or over any number of undos, is about; and whether that holds once this is taken."""
    depth = 0
    while decision.undoes is not None:
        found = await get(connection, decision.undoes)
        assert found is not None, "what is undone is never removed"
        decision, depth = found[0], depth + 1
    return decision, depth % 2 == 0


async def about_people(connection: AsyncConnection, decision: Decision) -> bool:
    """Whether it names identities of people; of an undo, whether what it undoes in the end does."""
    return (await first(connection, decision))[0].kind in ABOUT_PEOPLE


async def add(bulk: Bulk, decision: Decision, key: str | None, asked: str) -> None:
    """Store a decision, and what follows for the one it undoes. Touches the places where workers meet."""
    named = decision.left + decision.right
    body = canonical_json({"left": decision.left, "right": decision.right, "reason": decision.reason})
    told = (decision.number, decision.kind.value, body, decision.by, decision.at, decision.undoes)
    await bulk.connection.execute(tables.decisions.insert().values((*told, None, key, asked, None)))
    holds = decision.kind is not DecisionKind.UNDO
    joined = set(decision.joined)
    await bulk.insert(tables.decided, {(name, decision.number, name in joined, holds) for name in named})
    await bulk.insert(tables.reference_values, [(value, 0) for value in meeting_places(named)], "add")


async def note(connection: AsyncConnection, number: int, did: str) -> None:
    """Keep what a decision changed when it was taken, as JSON."""
    await connection.execute(update(tables.decisions).where(tables.decisions.c.number == number).values(did=did))


async def called(bulk: Bulk, those: Iterable[Decision]) -> Callable[[str], str]:
    """What people call what these decisions name: things by key or day, never by title; people by name and address.

    Where a decision names two that would be called the same, their ids tell them apart.
    """
    those = list(those)
    things = {name for one in those if one.kind not in ABOUT_PEOPLE for name in one.left + one.right}
    people = {name for one in those if one.kind in ABOUT_PEOPLE for name in one.left + one.right}
    sql = "SELECT id, kind, natural_key, created_at FROM artifacts WHERE id IN {keys}"
    words = {row[0]: named(*row[1:]) for row in await bulk.by_keys(sql, things) if row[2]}
    sql = "SELECT id, name, address FROM identities WHERE id IN {keys}"
    for name, called_, address in await bulk.by_keys(sql, people):
        words[name] = f"{called_} ({address or name})" if called_ else address or name
    words |= {name: f"{words[name]} [{name}]" for one in those for name in _alike(one, words)}
    return lambda name: words.get(name, name)


def _alike(decision: Decision, words: Mapping[str, str]) -> list[str]:
    """What the decision names under words that another of them has, too."""
    named_ = [name for name in decision.left + decision.right if name in words]
    often = Counter(words[name] for name in named_)
    return [name for name in named_ if often[words[name]] > 1]


async def undo(connection: AsyncConnection, number: int, by: int | None) -> None:
    """The decision no longer holds (by: the one that undoes it), or holds again (None); what it undid follows."""
    while True:
        columns = tables.decisions.c
        await connection.execute(update(tables.decisions).where(columns.number == number).values(undone_by=by))
        wanted = select(columns.kind, columns.undoes).where(columns.number == number)
        row = (await connection.execute(wanted)).one()
        if row.undoes is None:
            break
        number, by = row.undoes, number if by is None else None
    active = tables.decided.c.number == number
    await connection.execute(update(tables.decided).where(active).values(active=by is None))


def decision_of(row: Any) -> Decision:
    """The decision in a row of the table."""
    told = orjson.loads(row.body)
    return Decision(
        number=row.number,
        kind=DecisionKind(row.kind),
        left=tuple(told["left"]),
        right=tuple(told["right"]),
        by=row.by,
        reason=told["reason"],
        at=_at(row.at),
        undoes=row.undoes,
    )


def _at(stored: Any) -> datetime:
    at = datetime.fromisoformat(stored) if isinstance(stored, str) else stored  # text: a textual statement on SQLite
    assert isinstance(at, datetime)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
