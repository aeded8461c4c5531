"""What a reader does beside reading: looks whether the tool is as it was, notices silence, compares."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from connectors.contract import HubError, NamesFields, Page, Source, Step
from connectors.inventories import covers, inventory
from pipelines.store.engine import reading, writing
from pipelines.store.tables import artifacts
from services.feed import beside, connections, failures, hours, looking, notices, pages, reconciling, silence
from services.feed.asking import Unforeseen, asked
from services.feed.comparison import Comparison, Scope
from services.feed.notices import Noticeboard
from services.feed.silence import Silence, Verdict

logger = logging.getLogger("throughline.feed")

LOOK = timedelta(hours=24)
CHECK_AGAIN = timedelta(hours=1)
"""A silence that goes on is checked again after it."""
_LOOKS, _BETWEEN = 20, 0.1
_FETCHED = 50
"""Hints fetched at once when mending."""
Publish = Callable[[Page], Awaitable[None]]


@dataclass(slots=True)
class Lookout:
    """Beside one reader. guard is called in each transaction: it raises where somebody else reads the connection."""

    engine: AsyncEngine
    name: str
    now: Callable[[], datetime]
    guard: Callable[[AsyncConnection], Awaitable[None]]
    board: Noticeboard = field(default_factory=Noticeboard)

    async def round(self, source: Source) -> None:
        """After a poll that went well. Raises RetryLater, Misconfigured."""
        now = self.now()
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await notices.note(connection, self.name, self.board.take(now), now)
            await failures.went_on(connection, self.name)
            row = await beside.row_of(connection, self.name)
            heard = dict(await hours.hours(connection, self.name, now - hours.KEPT))
        if row is None or row.looked_at is None or now - row.looked_at >= LOOK:
            await self.look(source)
        await self._listen(source, silence.read(row.silence) if row is not None else None, heard)

    # --- is the tool as it was? ---

    async def look(self, source: Source) -> None:
        """The steps of the check, and the tool's fields; once a day, and after a person must mend something."""
        seen = await self._steps(source)
        found = None
        if isinstance(source, NamesFields) and all(step.ok or step.of_fields for step in seen):
            try:
                found = await source.fields()
            except HubError as error:
                logger.info("connection.fields.unread", extra={"connection": self.name, "kind": type(error).__name__})
        now = self.now()
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await looking.steps(connection, self.name, seen, now)
            if found is not None:
                await looking.fields(connection, self.name, found, now)
            await beside.put(connection, self.name, looked_at=now)
            for old in (hours, notices, failures):
                await old.prune(connection, self.name, now)

    async def _steps(self, source: Source) -> list[Step]:
        try:
            async with aclosing(asked(source.check())) as steps:
                return [step async for step in steps]
        except (HubError, Unforeseen) as error:
            return [Step("check", ok=False, says=str(error))]

    # --- silence ---

    async def _listen(self, source: Source, stored: Silence | None, heard: dict[datetime, int]) -> None:
        """Is it unusually quiet? Then ask the tool, and only then call it quiet or broken."""
        now = self.now()
        found = silence.unusual(heard, now)
        if found is None:
            if stored is not None:
                await self._keep(None)
            return
        again = stored is None or stored.since != found.since or stored.checked_at is None
        if not again and stored is not None and stored.checked_at is not None:
            again = now - stored.checked_at >= CHECK_AGAIN
        if again:
            verdict, says = await self._asked(source)
            logger.warning("connection.silent", extra={"connection": self.name, "verdict": verdict})
            await self._keep(Silence(found.since, found.usual, verdict, self.now(), says))

    async def _keep(self, one: Silence | None) -> None:
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await beside.put(connection, self.name, silence=silence.dump(one) if one else None)

    async def _asked(self, source: Source) -> tuple[Verdict, str]:
        """Sign in, and see the newest things that are known."""
        seen = await self._steps(source)
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await looking.steps(connection, self.name, seen, self.now())
        bad = next((step for step in seen if not step.ok), None)
        if bad is not None:
            return "broken", f"{bad.name}: {bad.says}"
        hints = await self._newest()
        if hints and not await self._shown(source, hints):
            return "broken", (
                f"it can be signed in to, and none of the newest {len(hints)} things that are known can be read there: "
                "look whether the account lost a permission or the filter is too narrow"
            )
        return "quiet", "it can be signed in to, and nothing new is there"

    async def _newest(self) -> list[str]:
        """By what the newest things that reading brought can be fetched."""
        async with reading(self.engine) as connection:
            row = await beside.row_of(connection, self.name)
            names = orjson.loads(row.newest) if row is not None and row.newest else []
            keys = select(artifacts.c.natural_key).where(
                artifacts.c.id.in_(names), artifacts.c.natural_key.is_not(None)
            )
            return list((await connection.execute(keys)).scalars())

    async def _shown(self, source: Source, hints: list[str]) -> bool:
        """Whether the tool still tells any of them; what cannot be asked now is taken as told."""
        try:
            async with aclosing(asked(source.fetch(hints))) as told:
                return any([bool(page.events) async for page in told])
        except (HubError, Unforeseen):
            return True

    # --- comparing ---

    async def schedule(self) -> None:
        """After a census: compare."""
        async with writing(self.engine) as connection:
            await self.guard(connection)
            await reconciling.schedule(connection, self.name)

    async def compare(self, source: Source, publish: Publish, between: Callable[[], Awaitable[None]]) -> bool:
        """Carry out the wish for a comparison, if there is one. between: what else is due, after each part.

        True where a census is due, as something is to be asked for directly. Raises RetryLater, Misconfigured, after
        which the wish still stands.
        """
        async with reading(self.engine) as connection:
            mend = await reconciling.wish(connection, self.name)
        # What is not understood yet would be missing.
        if mend is None or not await self._understood():
            return False
        async with reading(self.engine) as connection:
            stored = await connections.get(connection, self.name)
        if stored is None:
            return False
        now = self.now()
        begin = covers(source, stored.since, now)
        scope = Scope(self.name, stored.since, stored.true_up_to, begin is None, now)
        one = Comparison(self.engine, scope, self.guard)
        one.result.mended, one.result.since = mend, begin
        await one.begin()
        try:
            await self._compare(one, source, publish, between)
        except Unforeseen as error:
            logger.exception("connection.compare.failed", extra={"connection": self.name})
            one.result.problem = str(error)
        await one.end(self.now())
        return one.asks_directly

    async def _understood(self) -> bool:
        """Whether everything that was published is applied; it is waited for, but not for long."""
        for _ in range(_LOOKS):
            async with reading(self.engine) as connection:
                if not await pages.any_open(connection, self.name):
                    return True
            await asyncio.sleep(_BETWEEN)
        return False

    async def _compare(
        self, one: Comparison, source: Source, publish: Publish, between: Callable[[], Awaitable[None]]
    ) -> None:
        async with aclosing(asked(inventory(source, one.scope.since))) as parts:
            async for part in parts:
                hints = await one.take(part)
                if one.result.mended:
                    await self._fetch(one, source, hints, publish)
                await between()
        await one.extras()

    async def _fetch(self, one: Comparison, source: Source, hints: list[str], publish: Publish) -> None:
        for start in range(0, len(hints), _FETCHED):
            async with aclosing(asked(source.fetch(hints[start : start + _FETCHED]))) as told:
                async for page in told:
                    await publish(page)
                    one.result.fetched += len({event.artifact for event in page.events})
