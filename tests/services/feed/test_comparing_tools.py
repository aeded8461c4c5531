"""Comparing with real connectors against their fakes: nothing differs after a read, and what was lost comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.addresses import Policy
from pipelines.ingest import Ingest
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, reading, writing
from services.feed import connections, reconciling, watching
from services.feed.feed import Feed
from services.feed.flow import Bus, Flow
from services.feed.reader import Reading
from services.feed.told import Told
from services.security import key_ring
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.jira.rigs import CloudRig, DataCenterRig
from tests.connectors.mailbox.test_contract import MailboxRig
from tests.connectors.rig import Rig
from tests.parts.copies import prepared
from tests.services.feed.conftest import Log


@dataclass
class Hub:
    """A feed that reads one fake tool, and the ingest beside it."""

    rig: Rig
    engine: AsyncEngine
    feed: Feed
    ingest: Ingest
    log: Log
    _applied: int = 0

    async def told(self) -> Told:
        async with reading(self.engine) as connection:
            one = await watching.told(connection, self.rig.connection, self.rig.now())
        assert one is not None
        return one

    async def until(self, holds: Callable[[Told], Awaitable[bool]]) -> Told:
        """Understand what comes until it is so."""
        task = asyncio.create_task(self.feed.run(tick=0.02))
        try:
            async with asyncio.timeout(60):
                while not await holds(told := await self.told()):
                    assert not task.done()
                    await self._understand()
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        return told

    async def _understand(self) -> None:
        new = self.log.records[self._applied :]
        if new:
            await self.ingest(new)
            self._applied += len(new)

    async def read(self) -> None:
        async def so(told: Told) -> bool:
            return told.first_read is None and told.true_up_to is not None

        await self.until(so)

    async def compare(self, *, mend: bool = False) -> Told:
        async with writing(self.engine) as connection:
            await reconciling.ask(connection, self.rig.connection, mend=mend)

        async def so(told: Told) -> bool:
            return told.reconciled is not None and told.reconciled.finished_at == self.rig.now()

        return await self.until(so)

    async def knows(self, artifact: str) -> bool:
        async with reading(self.engine) as connection:
            found = await connection.execute(tables.artifacts.select().where(tables.artifacts.c.id == artifact))
            return found.first() is not None

    async def lose(self, artifact: str) -> None:
        """As if its events had never arrived."""
        async with writing(self.engine) as connection:
            await connection.execute(delete(tables.source_events).where(tables.source_events.c.artifact == artifact))
            await connection.execute(delete(tables.artifacts).where(tables.artifacts.c.id == artifact))


@pytest.fixture(params=[CloudRig, DataCenterRig, HubSpotRig, MailboxRig], ids=lambda rig: rig.__name__)
async def hub(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Hub]:
    await prepared(database_url)
    engine = open_engine(database_url)
    keys, log = key_ring((), tmp_path / "secret.key"), Log()
    async with request.param() as rig:
        kind, name = rig.connector, rig.connection
        flow = Flow(engine, Bus(log.send, "", False), rig.now)
        policy = Policy(allow_loopback=True)
        shared = Reading(engine, flow, {kind.name: kind}, keys, policy, rig.now, timedelta(hours=1))
        async with writing(engine) as connection:
            await connections.add(connection, name, kind.name, name, rig.options(), None, keys)
            await write(connection, name, ConnectionConfiguration(kind.name))
        yield Hub(rig, engine, Feed(shared, "one"), Ingest(engine, {kind.name: kind.map}, rig.now, ""), log)
    await engine.dispose()


async def test_after_a_read_nothing_differs_and_what_was_lost_is_found_and_mended(hub: Hub) -> None:
    rig = hub.rig
    made = [rig.create(f"Thing {number}") for number in range(4)]
    for artifact in made:
        rig.advance(2)
        rig.change(artifact)
    rig.advance(600)  # beyond every overlap: a connection is true only up to it
    await hub.read()
    rig.advance(60)
    told = await hub.compare()
    assert told.reconciled is not None
    lately = " since 2026-02-16" if rig.connector.name == "mailbox" else ""
    assert told.reconciled.says == f"all of {told.reconciled.compared} things{lately} are the same"
    assert told.reconciled.compared >= len(made)
    assert told.place
    await hub.lose(made[1])
    rig.advance(60)
    told = await hub.compare()
    assert told.reconciled is not None
    assert (told.reconciled.missing, told.reconciled.different, told.reconciled.extra) == (1, 0, 0)
    async with reading(hub.engine) as connection:
        found = await watching.differences(connection, rig.connection)
    assert [(one.kind, one.artifact) for one in found] == [("missing", made[1])]
    rig.advance(60)
    told = await hub.compare(mend=True)
    assert told.reconciled is not None
    assert told.reconciled.fetched >= 1
    await hub.until(lambda _: hub.knows(made[1]))
    assert rig.writes == []
