"""What would follow from a decision about very much, computed before it is taken.

On SQLite, which has one writer at a time, others write meanwhile: the file is taken only to judge the decision and to
write what was computed, where nothing that it began from has changed since.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.correlate.rules import Rules
from pipelines.portions import Portions
from pipelines.references import own
from pipelines.store import aside, configuration, decisions
from pipelines.store.bulk import Bulk
from pipelines.store.configuration import Configuration
from pipelines.store.facts import Supposing, Touched
from pipelines.understanding import Outcome, look, write
from pipelines.watching import Watch
from schemas.decisions import Decision

_LARGEST = """SELECT max(c.size) FROM members m JOIN components c ON c.id = m.component WHERE m.artifact IN {keys}"""


@dataclass(frozen=True, slots=True)
class Supposed:
    """What follows from a decision, as long as nothing of it changes."""

    decision: Decision
    snapshot: Configuration
    outcome: Outcome

    async def holds(self, connection: AsyncConnection, decision: Decision) -> bool:
        """Whether it is this decision, and nothing changed meanwhile; asked before the decision is stored."""
        same = decision == self.decision and await configuration.load(connection) is self.snapshot
        return same and await Portions(self.outcome).untouched(Bulk(connection))

    async def written(self, bulk: Bulk) -> int:
        """Write it. Returns how many requests changed."""
        await write(bulk, self.outcome)
        return self.outcome.requests


def touched_by(names: Iterable[str], rules: Rules, *, people: bool) -> Touched:
    """Where correlation has to look again after a decision on these names."""
    if people:
        return Touched(rules, identities=set(names))
    values = {own(name).key for name in names}
    return Touched(rules, artifacts=set(names), values=values, however_large=True)


async def suppose(connection: AsyncConnection, decision: Decision, watch: Watch) -> Supposed | None:
    """What would follow; None: what it is about is not so large that somebody would wait. Reads only."""
    bulk, names = Bulk(connection), decision.left + decision.right
    size = (await bulk.by_keys(_LARGEST, names))[0][0]
    if size is None or size <= aside.LARGE or await decisions.about_people(connection, decision):
        return None
    snapshot = await configuration.load(connection)
    touched = touched_by(names, snapshot.rules, people=False)
    touched.supposing = await _supposing(connection, decision)
    return Supposed(decision, snapshot, await look(bulk, touched, snapshot, watch))


async def _supposing(connection: AsyncConnection, decision: Decision) -> Supposing:
    first, holds = await decisions.first(connection, decision)

    def then(held: tuple[Decision, ...]) -> Iterable[Decision]:
        others = [one for one in held if one.number != first.number]
        return [*others, first] if holds else others

    return then
