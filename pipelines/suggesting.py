"""What may belong together although nothing says so: looked for in the background, leased, in bounded steps.

Whatever changes a request marks it in its own transaction (`understanding`). Here what is marked is looked at and put
into blocks; what shares blocks is compared; what is likely is suggested. Similarity never joins anything: a person's
answer does, as a decision. Reads and computes outside of any transaction that writes, and writes in short ones, so
that ingest never waits for it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar

import orjson
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import decisions, leases, people, stamps, suggestions, unit_people
from pipelines.store.bulk import Bulk
from pipelines.store.engine import AWAY, reading, writing
from pipelines.store.leases import Lease
from pipelines.store.suggestions import Looked, Members
from pipelines.suggest import blocks
from pipelines.suggest.apart import Apart
from pipelines.suggest.faces import Unit, unit
from pipelines.suggest.features import Sizes
from pipelines.suggest.model import Model, load
from pipelines.suggest.people import keys
from pipelines.suggest.scoring import Suggestion, suggestion
from pipelines.waiting import Waiting
from pipelines.watching import UNWATCHED, Watch
from schemas.artifacts import participants_in
from schemas.canonical import canonical_json

T = TypeVar("T")
Work: TypeAlias = Callable[[list[T], Lease], Coroutine[Any, Any, None]]

logger = logging.getLogger("throughline.suggesting")

LEASE = "suggest"
A_DAY = 20
"""New suggestions that are offered in 24 hours, unless settings say otherwise."""
LOOKED_AT, COMPARED = 50, 20
"""Units a step."""
OFFERS = 60.0
"""Seconds between two looks at what may be offered, while there is other work."""
_FORM = 2
"""Counts up when units or blocks are made otherwise."""


class Suggesting:
    """Looks for suggestions, as long as it holds the lease.

    a_day: how many new ones are offered in 24 hours. behind: whether ingest has work waiting; then this waits.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        now: Callable[[], datetime],
        holder: str,
        *,
        model: Model | None = None,
        a_day: int = A_DAY,
        behind: Callable[[], bool] = lambda: False,
        watch: Watch = UNWATCHED,
    ) -> None:
        self.engine = engine
        self.now = now
        self.holder = holder
        self.model = model or load()
        self.a_day = a_day
        self.behind = behind
        self.watch = watch

    async def run(self, idle: float = 2.0, breath: float = 0.05) -> None:
        """Work for ever; an outage of the database only waits. Begins anew with everything after an upgrade."""
        begun, clock = False, asyncio.get_running_loop().time
        waiting = Waiting("suggesting", "suggesting.waits", "suggesting.goes.on", logger)
        offered = clock()
        while True:
            done = 0
            try:
                if not self.behind():
                    begun = begun or await self.begin()
                    done = await self.once()
                    if not done or clock() - offered > OFFERS:
                        await self.offer()
                        offered = clock()
                    waiting.over()
            except leases.LeaseLost:
                pass
            except AWAY as error:
                waiting.away(error)
            await asyncio.sleep(breath if done else idle)

    async def begin(self) -> bool:
        """Have everything looked at where another release or other weights did it before."""
        async with writing(self.engine) as connection:
            if await stamps.change(connection, LEASE, f"{_FORM}.{self.model.version}"):
                await suggestions.mark_everything(connection)
        return True

    async def once(self) -> int:
        """One step. Returns how many marks were looked at or units compared; 0 also where another one does it."""
        async with reading(self.engine) as connection:
            marks = await suggestions.marks(connection, LOOKED_AT)
            waiting = [] if marks else await suggestions.next_uncompared(connection, COMPARED)
        if not marks and not waiting:
            return 0
        lease = await self._lease()
        if lease is None:
            return 0
        if marks:
            await self._carefully(self._look, self._unlook, [(row[0], row[1]) for row in marks], lease)
        else:
            await self._carefully(self._compare, self._uncompare, waiting, lease)
        return len(marks) or len(waiting)

    async def _carefully(self, work: Work[T], leave: Work[T], what: list[T], lease: Lease) -> None:
        """Work on all; where something unforeseen happens, find by halves whose fault it is, and leave that one."""
        try:
            await work(what, lease)
        except (*AWAY, leases.LeaseLost):
            raise
        except Exception as error:
            if len(what) == 1:
                logger.exception("suggesting.unit.failed", extra={"error": type(error).__name__})
                await leave(what, lease)
                return
            half = len(what) // 2
            for part in (what[:half], what[half:]):
                await self._carefully(work, leave, part, lease)

    async def _unlook(self, marks: list[tuple[int, str]], lease: Lease) -> None:
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            await suggestions.done(Bulk(connection), [number for number, _ in marks], ())

    async def _uncompare(self, names: list[str], lease: Lease) -> None:
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            await suggestions.replace(Bulk(connection), names, (), self.model.version, self.now())

    async def offer(self) -> int:
        """Offer the worthiest new ones, as many as the day still allows. Returns how many."""
        now = self.now()
        async with reading(self.engine) as connection:
            left = self.a_day - await suggestions.offered_since(connection, now - timedelta(days=1))
            if left <= 0 or not await suggestions.any_new(connection):
                return 0
        lease = await self._lease()
        if lease is None:
            return 0
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            return await suggestions.offer(connection, left, now)

    async def _lease(self) -> Lease | None:
        async with writing(self.engine) as connection:
            return await leases.take(connection, LEASE, self.holder, self.now())

    async def _look(self, marks: list[tuple[int, str]], lease: Lease) -> None:
        """Look at what is marked; what is as it was needs no comparing."""
        marked = {name for _, name in marks}
        many = {name for name in marked if name.startswith(suggestions.PASS)}
        persons = {name for name in many if name.startswith(unit_people.PERSON)}
        passes, names = sorted(many - persons), marked - many
        async with reading(self.engine) as connection:
            bulk = Bulk(connection)
            more, going_on = await unit_people.units_of(bulk, persons, suggestions.PAGE)
            names |= set(more)
            if passes:  # one page of one pass; what else is marked keeps its mark's turn
                more, following = await suggestions.page(connection, passes[0])
                names |= set(more)
                going_on += [*passes[1:], *([following] if following else [])]
            found, taking_part = await units_now(bulk, names)
            before = await suggestions.load(bulk, names)
        changed = {name: one for name, one in found.items() if before.get(name) != one.body}
        with self.watch.span("units", changed=len(changed)):
            async with writing(self.engine) as connection:
                await leases.check(connection, lease)
                bulk = Bulk(connection)
                await suggestions.write_units(bulk, changed, before.keys() - found.keys())
                await unit_people.keep(bulk, names, taking_part)
                await suggestions.done(bulk, [number for number, _ in marks], going_on)

    async def _compare(self, names: list[str], lease: Lease) -> None:
        async with reading(self.engine) as connection:
            found = await self.found(Bulk(connection), names)
        async with writing(self.engine) as connection:
            await leases.check(connection, lease)
            await suggestions.replace(Bulk(connection), names, found, self.model.version, self.now())

    async def found(self, bulk: Bulk, names: list[str]) -> list[Suggestion]:
        """What is to be suggested of these units, by what is stored of them."""
        pairs = await suggestions.candidates(bulk, names)
        pairs -= await suggestions.rejected(bulk, {name for pair in pairs for name in pair})
        bodies = await suggestions.load(bulk, {name for pair in pairs for name in pair})
        # In threads: whoever shares the loop gets turns meanwhile.
        known = await asyncio.to_thread(_read, bodies)
        keys_of = await asyncio.to_thread(lambda: {key for one in known.values() for key in blocks.keys(one)})
        sizes = Sizes(await suggestions.sizes(bulk, keys_of))
        held, unit_of = await suggestions.decided(bulk, known)
        there = [(known[left], known[right]) for left, right in sorted(pairs) if left in known and right in known]
        return await asyncio.to_thread(_score, there, sizes, self.model, Apart(held.held, unit_of))


def _read(bodies: Mapping[str, str]) -> dict[str, Unit]:
    return {name: Unit.of(orjson.loads(body)) for name, body in bodies.items()}


def _score(pairs: list[tuple[Unit, Unit]], sizes: Sizes, model: Model, apart: Apart) -> list[Suggestion]:
    found = (suggestion(left, right, sizes, model, apart) for left, right in pairs)
    return [one for one in found if one]


async def units_now(bulk: Bulk, names: set[str]) -> tuple[dict[str, Looked], dict[str, frozenset[str]]]:
    """These units as they are now, and who takes part in them, by identity; those that are gone are left out, of the
    units those too of which nothing can be compared."""
    members = await suggestions.members(bulk, names)
    parts = {
        unit: frozenset(name for told in one.told for name in _people(told.fields)) for unit, one in members.items()
    }
    who = {name for names in parts.values() for name in names}
    known = await people.named(bulk, who)
    known_by = keys(known.values(), (await decisions.load(bulk, who)).held)
    return await asyncio.to_thread(_made, members, known_by), parts


def _made(members: Mapping[str, Members], people: Mapping[str, tuple[str, ...]]) -> dict[str, Looked]:
    made = {name: unit(name, one.size, one.told, people, one.decided) for name, one in members.items()}
    return {name: Looked(canonical_json(one.told()), blocks.keys(one)) for name, one in made.items() if one}


def _people(fields: Mapping[str, Any]) -> set[str]:
    named = {fields.get("requester"), fields.get("assignee")} | participants_in(fields.get("participants"))
    return {name for name in named if isinstance(name, str)}
