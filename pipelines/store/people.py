"""Identities as stored, with all that may be of one person: those with one address, and those a decision joins.

Who is one person in a record is said when it is folded (lifecycle.persons); this is what it is said from. Both
directions are kept in step: a record is made from `around` the identities it names and is found by each of them, so
whatever changes an identity leads over `concerned` to every record that would be made otherwise.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from pipelines.store import decisions, deferred
from pipelines.store.bulk import Bulk
from pipelines.store.decisions import Decisions
from pipelines.store.facts import Touched
from schemas.artifacts import Identity

MOST = 20
"""Identities that one address brings into a record that does not name them, the first by id: a person has fewer, and
an address that a tool gives to hundreds of accounts makes no record longer than this."""

_NAMED = "SELECT id, name, address, machine FROM identities WHERE id IN {keys}"
_WITH_ADDRESS = {
    # A range: of what is equal PostgreSQL expects as much as an address has on average, and may read all and sort it.
    "postgresql": f"""SELECT o.id, o.name, o.address, o.machine FROM {{keys}} AS k(address) CROSS JOIN LATERAL
        (SELECT id, name, address, machine FROM identities WHERE address >= k.address AND address <= k.address
        ORDER BY address, id LIMIT {MOST}) AS o ORDER BY o.address, o.id""",  # noqa: S608
    # Which has no LATERAL. The cross join has it begin with the addresses.
    "sqlite": f"""SELECT o.id, o.name, o.address, o.machine FROM {{keys}} AS k CROSS JOIN identities o WHERE o.id IN
        (SELECT id FROM identities WHERE address = k.value ORDER BY id LIMIT {MOST})
        ORDER BY o.address, o.id""",  # noqa: S608
}
_CONCERNED = f"""SELECT DISTINCT o.id FROM identities t JOIN identities o ON o.address = t.address
    WHERE t.id IN {{keys}} AND NOT EXISTS
    (SELECT 1 FROM identities b WHERE b.address = t.address AND b.id < t.id LIMIT 1 OFFSET {MOST - 1})"""  # noqa: S608

_FOLDING = 7315491
"""Number of the lock that who folds holds until its transaction ends; in this database only."""
_HOLD = text(f"SELECT pg_advisory_xact_lock_shared({_FOLDING})")
_FREE = text(f"SELECT CASE WHEN pg_try_advisory_lock({_FOLDING}) THEN pg_advisory_unlock({_FOLDING}) ELSE false END")


@dataclass(slots=True)
class Known:
    """What is known of some identities, and of all that may be of one person with any of them."""

    identities: dict[str, Identity] = field(default_factory=dict)
    decisions: Decisions = field(default_factory=Decisions)
    """About people, those that hold and concern any of them."""
    bearers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Address to the identities it brings in."""
    asked: set[str] = field(default_factory=set)
    """Around whom it was asked for, known or not."""

    def around(self, names: Iterable[str]) -> set[str]:
        """These, and all that may be of one person with any of them."""
        found: set[str] = set()
        new = set(names)
        while new:
            found |= new
            sharing = {one for name in new for one in self._bearers_beside(name)}
            new = (self.decisions.joined_with(new) | sharing) - found
        return found

    def same(self, other: "Known", names: Iterable[str]) -> bool:
        """Whether the same is known of these and around them, but for decisions."""
        around = self.around(names)
        return around == other.around(names) and all(
            self.identities.get(one) == other.identities.get(one) for one in around
        )

    def _bearers_beside(self, name: str) -> Iterable[str]:
        known = self.identities.get(name)
        return self.bearers.get(known.address, ()) if known and known.address else ()


async def named(bulk: Bulk, names: Iterable[str]) -> dict[str, Identity]:
    """What is known of these identities, by id."""
    return {row[0]: _identity(row) for row in await bulk.by_keys(_NAMED, names)}


async def load(bulk: Bulk, names: Iterable[str]) -> Known:
    """What is known around these identities. Three statements, and two for each step from decision to address on."""
    known = Known(asked=set(names))
    loaded: set[str] = set()
    new = known.asked
    while new:
        await _load(bulk, known, new)
        loaded |= new | known.identities.keys()
        known.decisions = await decisions.load(bulk, loaded)
        new = known.decisions.joined_with(loaded) - loaded
    return known


async def _load(bulk: Bulk, known: Known, names: set[str]) -> None:
    found = await named(bulk, names)
    addresses = {one.address for one in found.values() if one.address} - known.bearers.keys()
    known.identities |= found
    for row in await bulk.by_keys(_WITH_ADDRESS[bulk.dialect], addresses):
        one = _identity(row)
        known.identities[one.id] = one
        known.bearers[one.address or ""].append(one.id)


def _identity(row: Any) -> Identity:
    return Identity(row[0], row[1], row[2], bool(row[3]))


async def concerned(bulk: Bulk, names: Iterable[str]) -> set[str]:
    """These, and all around which a record may be made otherwise when one of these is known otherwise."""
    found: set[str] = set()
    new = set(names)
    while new:
        found |= new
        found |= {row[0] for row in await bulk.by_keys(_CONCERNED, new)}
        new = await decisions.partners(bulk, found) - found
    return found


async def hold(bulk: Bulk, touched: Touched) -> None:
    """Who reads identities from here on and writes records of them is seen by `settled` until the transaction ends."""
    if bulk.dialect == "postgresql" and not touched.beside:
        await bulk.connection.execute(_HOLD)


async def settle(bulk: Bulk, touched: Touched) -> None:
    """See to it that no record is missed which somebody writes at this moment, and read its identities for before these
    were known otherwise. It is not visible yet, so what was noted of identities is left for the next turn. What was not
    noted, a decision, is looked at now, and noted for when it can be seen. Waits for nobody.

    On SQLite what somebody computed meanwhile is not valid any more (see outcomes; of what is very large, portions).
    """
    if not touched.identities or bulk.dialect != "postgresql" or touched.beside:
        return
    if touched.notes is None:
        await deferred.again(bulk, touched.identities)
    elif not (await bulk.connection.execute(_FREE)).scalar_one():
        await deferred.again(bulk, touched.identities)
        touched.identities.clear()
