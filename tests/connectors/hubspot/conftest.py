"""The small HubSpot, which nothing may be written to, and the company in it."""

from collections.abc import AsyncIterator

import pytest

from tests.connectors.hubspot.company import Company, build
from tests.connectors.hubspot.rig import HubSpotRig


@pytest.fixture
async def rig() -> AsyncIterator[HubSpotRig]:
    async with HubSpotRig() as rig:
        yield rig
        assert rig.writes == []


@pytest.fixture
def company(rig: HubSpotRig) -> Company:
    made = build(rig.account)
    rig.settle()
    return made
