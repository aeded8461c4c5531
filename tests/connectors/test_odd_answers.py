"""Answers that no tool should give: whatever becomes of them has a name, and no reading goes on for ever."""

import asyncio
import copy
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from connectors.contract import BadRecord, HubError, Misconfigured, Page, RetryLater, described
from connectors.inventories import inventory
from connectors.jira.session import Session
from connectors.outcomes import Forbidden, Limited, NotFound, Refused
from schemas.events import to_kafka
from services.sandbox.hubspot import HubSpotServer
from services.sandbox.jira import FakeJira
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig
from tests.connectors.rig import Rig
from tests.connectors.small_server import Script, serving

SEEDS = 12
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 3.5, 10**40, 1e308, "", "\x00", "x", "2026-13-45T99:99", "9" * 400, [], {}, [[]], {"a": None},
    [None, 1, "x", [{}]], {"id": {"id": []}}, -(2**31),
)  # fmt: skip


class Spoiler:
    """Now and then one piece of an answer is left out, or something else in its place."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.often = self.random.choice([0.02, 0.06, 0.15, 0.5])

    def __call__(self, answer: Any) -> Any:
        if self.random.random() > self.often:
            return answer
        if self.random.random() < 0.08:
            return self.random.choice(ODD)
        answer = copy.deepcopy(answer)
        self._spoil(answer)
        return answer

    def _spoil(self, place: Any) -> None:
        while steps := list(place) if isinstance(place, dict) else list(range(len(place))):
            step = self.random.choice(steps)
            if isinstance(place[step], dict | list) and place[step] and self.random.random() < 0.75:
                place = place[step]
            elif self.random.random() < 0.3:
                del place[step]
                return
            else:
                place[step] = self.random.choice(ODD)
                return


async def told(rig: Rig, pages: AsyncIterator[Page]) -> None:
    """Every page and event is fit to be kept and sent, or a bad record."""
    number = 0
    async for page in pages:
        number += 1
        assert number < 200, "it goes on for ever"
        assert json.loads(json.dumps(page.cursor)) == page.cursor
        assert isinstance(described(rig.connector, page.cursor), str)
        for event in page.events:
            to_kafka(event)
            with suppress(BadRecord):
                rig.connector.map(event)


async def listed(source: Any) -> None:
    assert len([some async for some in inventory(source, None)]) < 200


def tool_of(rig: Rig) -> FakeJira | HubSpotServer:
    if isinstance(rig, HubSpotRig):
        return rig.server
    assert isinstance(rig, JiraRig)
    return rig.fake


def fill(rig: Rig) -> list[str]:
    made = [rig.create(f"Thing {number}") for number in range(7)]
    for artifact in made:
        rig.advance(3)
        rig.change(artifact)
    for kind in rig.evidence:
        rig.add_evidence(kind, made[0])
    rig.settle()
    return made


async def asked(source: Any, rig: Rig, made: Iterable[str], seed: int) -> dict[str, Callable[[], Awaitable[Any]]]:
    known = {event.artifact: "" async for page in source.pages(None, None) for event in page.events}
    counted = [page.cursor async for page in source.census(known, None)][-1]
    hints = [artifact.partition("/")[2].removeprefix("issue/") for artifact in made]
    return {
        "pages": lambda: told(rig, source.pages(None, None)),
        "census": lambda: told(rig, source.census(known, counted if seed % 2 else None)),
        "fetch": lambda: told(rig, source.fetch(hints)),
        "inventory": lambda: listed(source),
        "fields": source.fields,
        "count": lambda: source.count(None),
    }


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig, HubSpotRig])
async def test_what_becomes_of_any_answer_has_a_name(rig_type: type[Rig], seed: int) -> None:
    async with rig_type() as rig:
        made = fill(rig)
        async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
            questions = await asked(source, rig, made, seed)
            tool_of(rig).spoil = Spoiler(seed)
            for name, question in questions.items():
                async with asyncio.timeout(20):
                    try:
                        await question()
                    except HubError:
                        continue
                    except Exception as error:
                        error.add_note(f"{name}, seed {seed}")
                        raise
            steps = [step async for step in source.check()]
            assert [step.ok for step in steps[:-1]] == [True] * (len(steps) - 1)


BODIES = (
    b"null", b"3.5", b'"gone"', b"[]", b'{"errorMessages": null, "errors": null}', b'{"errorMessages": [null, 1]}',
    b'{"message": {"a": 1}}', b"[" * 5_000, b"\xff\xfe", b"<html>", b"",
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
async def test_a_refusal_of_jira_has_its_outcome_whatever_stands_in_it(body: bytes) -> None:
    outcomes = {
        400: Refused, 401: Misconfigured, 403: Forbidden, 404: NotFound, 429: Limited, 500: RetryLater, 503: RetryLater,
    }  # fmt: skip
    with serving(Script(body=body)) as script:
        rig = CloudRig()
        options = rig.options(base_url=f"http://127.0.0.1:{script.port}")
        session = Session(options, rig.surroundings().network)
        try:
            for status, expected in outcomes.items():
                script.status = status
                with pytest.raises(HubError) as caught:
                    await session.get("myself")
                assert type(caught.value) is expected
        finally:
            await session.close()
