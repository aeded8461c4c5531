"""One comparison of what a tool has with what is here, in steps of bounded size; reconciling.py keeps the outcome.

Missing: the tool lists it, and it is not here. Different: it changed later in the tool than here, or is deleted here
and not there. Extra: it is here, and the tool does not list it. What changed after the time up to which the connection
is true, or before the time from which it is read, counts as neither: it has not been read yet, or never is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.contract import Listed
from pipelines.store.engine import reading, writing
from pipelines.store.tables import artifacts
from schemas.canonical import parse_instant
from services.feed import connections, reconciling
from services.feed.pages import LONG_AGO
from services.feed.reconciling import LISTED, Kind, Result
from services.feed.told import Difference
from services.feed.watch_tables import listed as listed_table

BATCH = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared."""

    name: str
    since: datetime | None
    """The connection reads what changed since then; None: everything."""
    true_up_to: datetime | None
    """Everything before it is here."""
    whole: bool
    """The tool lists everything, so that what it does not list is not there."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class _Ours:
    """What is known of an artifact."""

    changed_at: datetime | None
    deleted: bool
    away: bool
    """Deleted, out of scope or merged: no list holds it."""


@dataclass(slots=True)
class Comparison:
    """Holds at most LISTED differences of each kind in memory, however much is compared.

    guard is called in each transaction that writes: it raises where somebody else reads the connection now.
    """

    engine: AsyncEngine
    scope: Scope
    guard: Callable[[AsyncConnection], Awaitable[None]]
    result: Result = field(default_factory=Result)
    _kept: dict[Kind, dict[str, Difference]] = field(
        default_factory=lambda: {"missing": {}, "different": {}, "extra": {}}
    )

    async def begin(self) -> None:
        """Forget what an earlier one, that was not ended, left."""
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await self._forget(connection)
            expected = await reconciling.known(connection, self.scope.name)
            await reconciling.began(connection, self.scope.name, self.scope.started_at, expected)

    async def take(self, some: Sequence[Listed]) -> list[str]:
        """Compare a part of the tool's list, BATCH at a time. Returns the hints of what is missing or different."""
        hints = []
        for start in range(0, len(some), BATCH):
            hints += await self._batch({one.artifact: one for one in some[start : start + BATCH]})
        return hints

    async def _batch(self, batch: dict[str, Listed]) -> list[str]:
        """Four statements beside the guard's."""
        async with writing(self.engine) as connection:
            await self.guard(connection)
            new = await self._mark(connection, list(batch))
            rows = await connection.execute(
                select(artifacts.c.id, artifacts.c.fields).where(artifacts.c.id.in_(sorted(new)))
            )
            ours = {row.id: _ours(row.fields) for row in rows}
            self.result.compared += len(new)
            await reconciling.came_to(connection, self.scope.name, self.result.compared)
        found = [batch[name] for name in batch if name in new and self._judge(batch[name], ours.get(name))]
        return [one.hint for one in found if one.hint]

    async def _mark(self, connection: AsyncConnection, names: Sequence[str]) -> set[str]:
        """Note what was listed; returns what was not listed before in this comparison."""
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        rows = insert(listed_table).values([{"connection": self.scope.name, "artifact": name} for name in names])
        done = await connection.execute(rows.on_conflict_do_nothing().returning(listed_table.c.artifact))
        return set(done.scalars())

    def _judge(self, one: Listed, ours: _Ours | None) -> bool:
        """Whether it is missing or different, and noted as that."""
        at, scope = one.changed_at, self.scope
        if at is not None and (
            (scope.since and at < scope.since)
            or (scope.true_up_to and _thousandths(at) > _thousandths(scope.true_up_to))
        ):
            return False
        if ours is None:
            return self._keep(Difference("missing", one.artifact, at, None))
        later = at is not None and ours.changed_at is not None and _thousandths(at) > _thousandths(ours.changed_at)
        return (later or ours.deleted) and self._keep(Difference("different", one.artifact, at, ours.changed_at))

    def _keep(self, difference: Difference) -> bool:
        kind = difference.kind
        setattr(self.result, kind, getattr(self.result, kind) + 1)
        if len(self._kept[kind]) < LISTED:
            self._kept[kind][difference.artifact] = difference
        return True

    async def extras(self) -> None:
        """Find what is here and was not listed, BATCH at a time."""
        last, more = "", self.scope.whole
        while more:
            async with reading(self.engine) as connection:
                rows = (await connection.execute(self._unlisted(last))).all()
            for row in rows:
                ours = _ours(row.fields)
                newer = ours.changed_at is not None and ours.changed_at >= self.scope.started_at
                if not ours.away and not newer:
                    self._keep(Difference("extra", row.id, None, ours.changed_at))
            more = len(rows) == BATCH
            last = rows[-1].id if rows else last

    def _unlisted(self, after: str) -> Any:
        mine = listed_table.c.connection == self.scope.name
        there = exists().where(mine, listed_table.c.artifact == artifacts.c.id)
        wanted = select(artifacts.c.id, artifacts.c.fields).where(
            artifacts.c.connection == self.scope.name, artifacts.c.id > after, ~there
        )
        return wanted.order_by(artifacts.c.id).limit(BATCH)

    async def end(self, at: datetime) -> None:
        """Store what came out. What arrived while it was compared is missing no more; what is to be mended and is extra
        is asked for directly, as a census does, which is due then."""
        async with writing(self.engine) as connection:
            await self.guard(connection)
            if not self.result.mended:
                await self._leave_out_arrived(connection)
            await self._forget(connection)
            found = [one for kept in self._kept.values() for one in kept.values()]
            await reconciling.ended(connection, self.scope.name, self.result, found, at)
            if self.asks_directly:
                await connections.change(connection, self.scope.name, census_at=LONG_AGO, wanted=True)

    @property
    def asks_directly(self) -> bool:
        """Whether something that is extra is to be mended: it is called deleted only after a direct read."""
        return self.result.mended and self.result.extra > 0

    async def _leave_out_arrived(self, connection: AsyncConnection) -> None:
        missing = self._kept["missing"]
        here = select(artifacts.c.id).where(artifacts.c.id.in_(sorted(missing)))
        for name in (await connection.execute(here)).scalars():
            del missing[name]
            self.result.missing -= 1

    async def _forget(self, connection: AsyncConnection) -> None:
        await connection.execute(delete(listed_table).where(listed_table.c.connection == self.scope.name))


def _ours(fields: str) -> _Ours:
    told: dict[str, Any] = {name: value[-1] for name, value in orjson.loads(fields).items()}
    at, deleted = told.get("updated_at"), told.get("deleted") is True
    away = deleted or told.get("out_of_scope") is True or bool(told.get("merged_into"))
    return _Ours(parse_instant(at) if isinstance(at, str) else None, deleted, away)


def _thousandths(at: datetime) -> int:
    """Milliseconds: the finest that tools agree with themselves on."""
    return int(at.timestamp() * 1000)
