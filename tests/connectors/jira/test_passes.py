"""One pass over what changed, however long it takes: what comes meanwhile, and page tokens that end."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.contract import Misconfigured, Page, RetryLater
from connectors.jira import connector
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig
from tests.connectors.rig import events_of, read

BOTH = pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])


async def test_an_expired_page_token_goes_on_from_what_was_seen() -> None:
    async with CloudRig() as rig:
        made = [rig.create(f"Old {number}") for number in range(12)]
        rig.settle()
        first = await read(rig, at_most=1)
        rig.advance(8 * 24 * 3600)
        rest = await read(rig, first[-1].cursor)
        assert set(made) <= {event.artifact for event in events_of([*first, *rest])}


async def test_what_changes_in_a_long_read_says_nothing_of_how_far_an_expired_token_had_come() -> None:
    """The second page shows an update of today among the issues of last month."""
    async with CloudRig() as rig:
        made = []
        for number in range(20):
            made.append(rig.create(f"Old {number}"))
            rig.advance(24 * 3600)
        rig.settle()
        told: list[Page] = []
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            async for page in source.pages(None, None):
                told.append(page)
                if len(told) == 2:
                    break
                rig.advance(24 * 3600)
                rig.change(made[6])
                rig.settle()
        rig.advance(8 * 24 * 3600)
        told += await read(rig, told[-1].cursor)
        assert set(made) <= {event.artifact for event in events_of(told)}


@BOTH
async def test_a_long_read_loses_nothing_where_our_clock_is_ahead(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = []
        for number in range(20):
            made.append(rig.create(f"Old {number}"))
            rig.advance(60)
        rig.settle()
        ahead = replace(rig.surroundings(), now=lambda: rig.now() + timedelta(hours=2))
        told: list[Page] = []
        async with connector.open("c-test", rig.options(), ahead) as source:
            async for page in source.pages(None, None):
                told.append(page)
                if len(told) == 1:
                    rig.advance(1800)
                    made.append(rig.create("Meanwhile"))
                    rig.advance(1800)
                    rig.change(made[15])
                    rig.settle()
            rig.settle()
            told += [page async for page in source.pages(told[-1].cursor, None)]
        assert set(made) <= {event.artifact for event in events_of(told)}


@BOTH
async def test_a_token_that_ends_in_the_middle_of_a_read_is_not_the_end(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        for number in range(12):
            rig.create(f"Old {number}")
        rig.settle()
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            stream = source.pages(None, None)
            await anext(stream)
            rig.fault("anonymous", on=True)  # searches answer 200 and show nothing
            with pytest.raises(Misconfigured) as caught:
                await anext(stream)
        assert caught.value.field == "auth.token"


async def test_a_token_that_repeats_ends_the_pass() -> None:
    async with CloudRig() as rig:
        for number in range(12):
            rig.create(f"Old {number}")
        rig.settle()
        rig.fault("repeat-token", on=True)
        with pytest.raises(RetryLater, match="token"):
            await read(rig)


async def test_tokens_that_lead_around_in_a_circle_end_the_pass() -> None:
    """No page leads to itself, and none says that it is the last."""
    async with CloudRig() as rig:
        made = {rig.create(f"Old {number}") for number in range(30)}
        rig.settle()
        rig.fault("circling-tokens", on=True)
        async with asyncio.timeout(20):
            with pytest.raises(RetryLater, match="token"):
                await read(rig)
        rig.fault("circling-tokens", on=False)
        assert made <= {event.artifact for event in events_of(await read(rig))}


@pytest.mark.parametrize("page_size", [1, 2, 5])
async def test_however_far_rows_move_up_within_a_minute_none_is_skipped_on_data_center(page_size: int) -> None:
    """A bulk change gave all of them one minute; while they are read, those that were read change again."""
    async with DataCenterRig() as rig:
        made = [rig.create(f"Bulk {number}") for number in range(30)]
        rig.settle()
        told: list[Page] = []
        async with connector.open("c-test", rig.options(page_size=page_size), rig.surroundings()) as source:
            async for page in source.pages(None, None):
                told.append(page)
                assert len(told) < 200
                if len(told) in (3, 8):
                    for event in events_of(told):
                        if event.kind == "issue" and event.artifact in made:
                            rig.change(event.artifact)
                    rig.settle()
        assert set(made) <= {event.artifact for event in events_of(told)}
