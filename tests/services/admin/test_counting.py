"""Counts kept beside the answers: what they cost is bounded, however many connections and statuses there are."""

import asyncio

from pipelines.store import statuses
from pipelines.store.engine import reading
from services.admin.counting import KEPT, Counts
from tests.services.admin.conftest import NOW, Office
from tests.services.admin.test_mapping import STORIES
from tests.services.cli.company import read


async def test_the_counts_of_the_last_connections_are_kept(office: Office) -> None:
    counts, database = Counts(lambda: NOW), office.equipment.database
    names = ["jira-acme", *(f"other-{number}" for number in range(KEPT))]
    async with asyncio.timeout(30):
        for name in names:
            while counts.of(database, name) is None:
                await asyncio.sleep(0.01)
    assert all(counts.of(database, name) is not None for name in names[1:])
    assert counts.of(database, names[0]) is None


async def test_the_statuses_of_most_artifacts_are_told(office: Office) -> None:
    await read(office.engine, STORIES, first=100)
    async with reading(office.engine) as connection:
        every = await statuses.real(connection, "jira-acme")
        told = await statuses.real(connection, "jira-acme", most=1)
    assert (told.looked, told.of, told.sample) == (every.looked, every.of, False)
    (one,) = told.statuses
    assert one.status is not None
    assert (one.status.label, one.artifacts) == ("Awaiting board", 2)
    assert len(every.statuses) > 1
