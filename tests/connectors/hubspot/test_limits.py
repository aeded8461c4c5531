"""HubSpot's request limits: those that its headers tell, and the searches' own that they do not."""

from random import Random
from typing import Any

import pytest

from connectors.contract import Page, RetryLater, Surroundings
from connectors.hubspot.client import HubSpot
from connectors.limiter import Limiter
from connectors.transport import Answer, Network, Policy
from tests.connectors.hubspot.company import Company
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import events_of, read


async def read_on(rig: HubSpotRig, passed: list[float], share: float, **options: Any) -> list[Page]:
    """The first read with this share; its waits move the clock `passed`."""

    async def sleep(seconds: float) -> None:
        passed[0] += seconds

    limiter = Limiter(share=share, clock=lambda: passed[0], sleep=sleep)
    around = Surroundings(rig.now, Network(Policy(allow_loopback=True), limiter))
    async with rig.connector.open("c-test", rig.options(**options), around) as source:
        return [page async for page in source.pages(None, None)]


async def test_the_daily_limit_is_left_to_others_before_it_is_used_up(rig: HubSpotRig, company: Company) -> None:
    rig.server.limits.on, rig.server.limits.daily, rig.server.limits.today = True, 1000, 960
    with pytest.raises(RetryLater, match="daily limit") as caught:
        await read(rig)
    assert caught.value.after == 900


@pytest.mark.parametrize(("share", "rate"), [(0.5, 2.5), (0.9, 4.0), (1.0, 4.0)])
async def test_searches_keep_their_own_limit_that_no_header_tells(
    rig: HubSpotRig, company: Company, share: float, rate: float
) -> None:
    """On one clock, over a network that brings some requests up to 0.09 s late: evenly, and none refused."""
    passed, late = [0.0], Random(5)
    rig.server.limits.on, rig.server.limits.clock = True, lambda: passed[0] + late.uniform(0, 0.09)
    searches = len(await read_on(rig, passed, share, page_size=1))
    assert searches > 10
    assert rig.server.limits.refused == []
    assert passed[0] >= (searches - 1) / rate - 0.01


async def test_a_search_that_is_refused_for_the_second_s_limit_is_asked_once_more(
    rig: HubSpotRig, company: Company
) -> None:
    """Another app of the account has taken all of a second's searches: two seconds later there is room again."""
    passed = [0.0]
    limits = rig.server.limits
    limits.on, limits.clock = True, lambda: passed[0]
    for _ in range(limits.searches):
        assert limits.refusal(search=True) is None
    events = events_of(await read_on(rig, passed, 1.0))
    assert limits.refused == ["SECONDLY"]
    assert {event.native_id for event in events} >= {company.open}


async def test_429_names_its_policy_and_is_waited_for(rig: HubSpotRig) -> None:
    rig.server.limits.on, rig.server.limits.requests = True, 1
    with pytest.raises(RetryLater):
        await read(rig)
    assert set(rig.server.limits.refused) == {"TEN_SECONDLY_ROLLING"}


@pytest.mark.parametrize("stated", ["Mon, 02 Mar 2026 09:00:00", "Mon, 02 Mar 2026 09:00:00 -0000", "soon", ""])
async def test_a_time_of_answering_without_a_zone_stops_nothing(stated: str, rig: HubSpotRig) -> None:
    """HubSpot says GMT; a proxy before it may not."""
    hubspot = HubSpot(None, rig.options())  # type: ignore[arg-type]
    hubspot._heard(Answer(200, {"date": stated}, {}))
    assert hubspot.answered_at is None or hubspot.answered_at == rig.now()
    assert (hubspot.answered_at is None) == (stated in ("soon", ""))
