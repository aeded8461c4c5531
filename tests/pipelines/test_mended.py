"""Mending it in the tool: a link or an association that is taken away there stops joining here."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.rebuild import Rebuild
from pipelines.store import configuration, tables
from pipelines.store.engine import open_engine, reading, writing
from pipelines.why import why
from schemas.events import SourceEvent
from services.feed.rules import configuration_of, scopes_in
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.jira.rigs import CloudRig
from tests.connectors.rig import Rig, events_of, read
from tests.parts.copies import prepared
from tests.pipelines.memos import records
from tests.pipelines.test_ingest import rows

TOOLS = [(CloudRig, "link"), (CloudRig, "parent"), (HubSpotRig, "association")]


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    await prepared(database_url)
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


class Desk:
    """One tool, read into a hub: polled, and compared with what is known."""

    def __init__(self, rig: Rig, engine: AsyncEngine) -> None:
        self.rig, self.engine = rig, engine
        self.ingest = Ingest(engine, {rig.connector.name: rig.connector.map}, rig.now, "one")
        self.known: dict[str, str] = {}
        self.told = 0

    async def look(self) -> None:
        """Take in what a poll and a census tell."""
        self.rig.settle()
        told = events_of(await read(self.rig))
        self.known |= dict.fromkeys((event.artifact for event in told), "")
        async with self.rig.connector.open(self.rig.connection, self.rig.options(), self.rig.surroundings()) as source:
            told += events_of([page async for page in source.census(self.known, None)])
        self.rig.advance(60)
        if not self.told:
            await self._configure(told)
        await self.ingest(records(told, first=self.told))
        self.told += len(told)

    async def _configure(self, told: list[SourceEvent]) -> None:
        """As the feed does: what addresses call the tool may stand in no option."""
        seen = scopes_in(self.rig.connector.map(event).fields.get("url") for event in told)
        own = configuration_of(self.rig.connector, self.rig.options(), seen)
        async with writing(self.engine) as connection:
            await configuration.write(connection, self.rig.connection, own)

    async def request_of(self, artifact: str) -> str | None:
        return {row.artifact: row.request for row in await rows(self.engine, tables.members)}.get(artifact)

    async def others_of(self, artifact: str) -> set[str]:
        """What is in one request with it."""
        request = await self.request_of(artifact)
        found = await rows(self.engine, tables.members)
        return {row.artifact for row in found if row.request == request and row.artifact != artifact}


@pytest.mark.parametrize(("tool", "kind"), TOOLS, ids=[f"{tool.__name__} {kind}" for tool, kind in TOOLS])
async def test_what_is_taken_away_in_the_tool_joins_no_more(engine: AsyncEngine, tool: type[Rig], kind: str) -> None:
    async with tool() as rig:
        desk = Desk(rig, engine)
        artifact = rig.create("Payslips in the portal")
        await desk.look()
        assert await desk.request_of(artifact)
        assert await desk.others_of(artifact) == set()
        rig.add_evidence(kind, artifact)
        await desk.look()
        (other,) = await desk.others_of(artifact)
        rig.remove_evidence(kind, artifact)
        await desk.look()
        assert await desk.others_of(artifact) == set()
        assert await desk.request_of(other) not in {None, await desk.request_of(artifact)}
        answer = await why(lambda: reading(engine), artifact, other)
        assert not answer.reason.together
        assert await Rebuild(engine, desk.ingest.telling, rig.now, "two").check() == []
        assert rig.writes == []
