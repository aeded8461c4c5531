"""Removing a connection with all that it brought: its source events go, and everything is computed anew without them.

Carried out in bounded steps by whoever runs it (a hub, or the command); the wish is a row, so that who comes after a
kill goes on. Decisions of people stay. What is in use is whole at every moment: it changes at once, at the end.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Select, case, delete, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pipelines.rebuild import Progress, Rebuild
from pipelines.store import configuration
from pipelines.store.engine import AWAY, reading, writing
from pipelines.store.facts import Telling
from pipelines.store.leases import LeaseLost
from pipelines.store.tables import artifacts, dead_letters, members, source_events
from pipelines.waiting import Waiting
from schemas.errors import HubError
from schemas.events import SourceEvent
from services.feed import connections
from services.feed.tables import connections as connection_table
from services.feed.tables import removals

logger = logging.getLogger("throughline.removal")

EVENTS, ANEW, FINISHED = "events", "anew", "finished"
CHUNK = 2_000
"""Source events that go in one transaction."""
LATE = timedelta(days=3)
"""So long it is looked for what was still under way when a connection was removed."""
_REPORT = 1.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What would be lost with what a connection brought."""

    things: dict[str, int]
    """Kind to how many that no other connection reads."""
    events: int
    requests: int
    """That hold any of these."""
    end: int
    """Of them: that hold nothing else, and are no request any more."""
    other_id: int
    """Of the rest: those that are known by a thing that goes, and go on under another id."""

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "things": self.things, "events": self.events, "requests": self.requests, "end": self.end,
            "other_id": self.other_id, "shorter": self.requests - self.end,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Removing:
    """How far the removal of one connection is."""

    connection: str
    asked_at: datetime
    step: str
    done: int
    total: int
    problem: str | None
    finished_at: datetime | None


async def loss(connection: AsyncConnection, name: str) -> Loss:
    """Count what would go."""
    other = source_events.alias()
    shared = exists().where(other.c.artifact == source_events.c.artifact, other.c.connection != name)
    gone = select(source_events.c.artifact).where(source_events.c.connection == name, ~shared).distinct().cte("gone")
    kinds = select(artifacts.c.kind, func.count()).join(gone, gone.c.artifact == artifacts.c.id)
    things = {row[0]: row[1] for row in await connection.execute(kinds.group_by(artifacts.c.kind))}
    counted = select(func.count()).where(source_events.c.connection == name)
    events = int((await connection.execute(counted)).scalar_one())
    rows = [(lost == held, anchors) for lost, held, anchors in await connection.execute(_losing(gone))]
    end = sum(whole for whole, _ in rows)
    other_id = sum(bool(anchors) and not whole for whole, anchors in rows)
    return Loss(things, events, len(rows), end, other_id)


def _losing(gone: CTE) -> Select[Any]:
    """Of each request that loses something: how many, of how many, and whether what it is known by is among them."""
    anchors = func.max(case((members.c.own_id == members.c.request, 1), else_=0)).label("anchors")
    some = select(members.c.request, func.count().label("lost"), anchors)
    some = some.join(gone, gone.c.artifact == members.c.artifact).where(members.c.request.is_not(None))
    part = some.group_by(members.c.request).subquery()
    every = select(members.c.request, func.count().label("held")).where(members.c.request.in_(select(part.c.request)))
    whole = every.group_by(members.c.request).subquery()
    return select(part.c.lost, whole.c.held, part.c.anchors).join(whole, whole.c.request == part.c.request)


async def ask(connection: AsyncConnection, name: str, now: datetime) -> None:
    """Forget the connection at once, and wish that what it brought goes."""
    total = select(func.count()).where(source_events.c.connection == name)
    await connections.remove(connection, name)
    await connection.execute(delete(dead_letters).where(dead_letters.c.connection == name))
    await connection.execute(delete(removals).where(removals.c.connection == name))
    await connection.execute(
        insert(removals).values(
            connection=name, asked_at=now, step=EVENTS, done=0, total=(await connection.execute(total)).scalar_one()
        )
    )


async def every(connection: AsyncConnection) -> list[Removing]:
    """The removals that are under way, and those of the last days."""
    rows = await connection.execute(select(removals).order_by(removals.c.asked_at, removals.c.connection))
    return [
        Removing(one.connection, one.asked_at, one.step, one.done, one.total, one.problem, one.finished_at)
        for one in rows
    ]


async def under_way(connection: AsyncConnection, name: str) -> bool:
    """Whether what a connection of this name brought is being removed. One that is finished is forgotten."""
    step = (await connection.execute(select(removals.c.step).where(removals.c.connection == name))).scalar()
    if step == FINISHED:
        await connection.execute(delete(removals).where(removals.c.connection == name))
    return step not in (None, FINISHED)


class Removal:
    """Carries removals out. telling: what an event says (`Ingest.telling`). holder: of leases, unique to this process.

    changed: called when records changed. progress: told how far it is.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        telling: Callable[[SourceEvent], Telling],
        now: Callable[[], datetime],
        holder: str,
        changed: Callable[[], None] = lambda: None,
        progress: Callable[[Removing], None] = lambda _: None,
    ) -> None:
        self.engine, self.telling, self.now, self.holder = engine, telling, now, holder
        self.changed, self.progress = changed, progress

    async def run(self, idle: float = 5.0) -> None:
        """For ever; whatever stops it only makes it wait, and is told."""
        waiting = Waiting("removing", "removal.waits", "removal.goes.on", logger)
        while True:
            try:
                left = await self.once()
                waiting.over()
                if left:
                    continue
            except LeaseLost:
                pass
            except AWAY as error:
                waiting.away(error)
            except HubError as error:
                logger.warning("removal.waits", extra={"problem": str(error)})
                await self._waits(str(error))
            await asyncio.sleep(idle)

    async def once(self) -> bool:
        """Carry the oldest removal out. False: there is none. Raises HubError, LeaseLost: then it goes on later."""
        async with writing(self.engine) as connection:
            await self._late(connection)
            names = [one.connection for one in await every(connection) if one.step != FINISHED]
        if not names:
            return False
        await self._finish(names[0])
        return True

    async def until_finished(self, name: str) -> None:
        """Carry out this one. Raises HubError, LeaseLost."""
        await self._finish(name)

    async def _late(self, connection: AsyncConnection) -> None:
        """What was published before and landed after; and old removals are forgotten."""
        gone = removals.c.finished_at < self.now() - LATE
        await connection.execute(delete(removals).where(gone))
        again = exists().where(source_events.c.connection == removals.c.connection)
        anew = exists().where(connection_table.c.id == removals.c.connection)
        late = update(removals).where(removals.c.step == FINISHED, again, ~anew)
        await connection.execute(late.values(step=EVENTS, done=0, finished_at=None))

    async def _finish(self, name: str) -> None:
        left = True
        while left:
            left = await self._some_events(name)
        await self._anew(name)
        async with writing(self.engine) as connection:
            done = {"step": FINISHED, "problem": None, "finished_at": self.now()}
            await connection.execute(update(removals).where(removals.c.connection == name).values(**done))
        self.changed()
        await self._tell(name)

    async def _some_events(self, name: str) -> bool:
        """False when none is left; then what it adds to the rules is gone, too."""
        some = select(source_events.c.landed).where(source_events.c.connection == name).limit(CHUNK)
        async with writing(self.engine) as connection:
            landed = (await connection.execute(some)).scalars().all()
            here = removals.c.connection == name
            if landed:
                await connection.execute(delete(source_events).where(source_events.c.landed.in_(landed)))
                step: dict[str, Any] = {"step": EVENTS, "done": removals.c.done + len(landed)}
            else:
                await configuration.forget(connection, name)
                step = {"step": ANEW, "done": 0}
            await connection.execute(update(removals).where(here).values(**step))
        await self._tell(name)
        return bool(landed)

    async def _anew(self, name: str) -> None:
        latest = Progress(0, 0)

        def note(progress: Progress) -> None:
            nonlocal latest
            latest = progress

        async def report() -> None:
            while True:
                await asyncio.sleep(_REPORT)
                await self._set(name, done=latest.done, total=latest.total)
                await self._tell(name)

        reporting = asyncio.create_task(report())
        try:
            await Rebuild(self.engine, self.telling, self.now, self.holder, note).swap()
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)

    async def _set(self, name: str, **values: Any) -> None:
        async with writing(self.engine) as connection:
            await connection.execute(update(removals).where(removals.c.connection == name).values(**values))

    async def _waits(self, problem: str) -> None:
        async with writing(self.engine) as connection:
            await connection.execute(update(removals).where(removals.c.step != FINISHED).values(problem=problem))

    async def _tell(self, name: str) -> None:
        async with reading(self.engine) as connection:
            found = [one for one in await every(connection) if one.connection == name]
        for one in found:
            self.progress(one)
