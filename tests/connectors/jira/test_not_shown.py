"""Hints and the census where Jira does not show an issue, or breaks down on the way."""

from typing import Any

import pytest

from connectors.contract import Page, RetryLater
from connectors.jira import connector
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig
from tests.connectors.jira.test_census import counted
from tests.connectors.jira.test_doubts import artifacts, aside, damage
from tests.connectors.rig import events_of, read

BOTH = pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])


@BOTH
@pytest.mark.parametrize("kind", ["", "remotelink"])
async def test_a_hint_that_jira_does_not_show_is_left_to_the_polls(rig_type: type[JiraRig], kind: str) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(25)]
        for place in (3, 4, 22):
            damage(rig, made[place], kind)
        hints = [rig.issue(artifact).id for artifact in made]
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            pages = [page async for page in source.fetch(hints)]
        assert artifacts(pages) == set(made) - {made[place] for place in (3, 4, 22)}
        assert aside(pages) == []


class _Breaking(list[Any]):
    """Requests to the fake Jira; from a path on, all of it is down."""

    def __init__(self, rig: JiraRig, path: str) -> None:
        super().__init__()
        self._rig, self._path = rig, path

    def append(self, one: Any) -> None:
        super().append(one)
        if one[1] == self._path:
            self._rig.fault("500", on=True)


@BOTH
@pytest.mark.parametrize("path", ["myself", "issue/{}", "issue/{}/remotelink"])
async def test_hints_wait_for_a_jira_that_is_down(rig_type: type[JiraRig], path: str) -> None:
    """From the first request on, and where it goes down on the way."""
    async with rig_type() as rig:
        hints = [rig.issue(rig.create(f"Thing {number}")).id for number in range(3)]
        rig.fake.requests = _Breaking(rig, path.format(hints[1]))
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            with pytest.raises(RetryLater):
                [page async for page in source.fetch(hints)]


def told(pages: list[Page]) -> dict[str, int]:
    """Issue's artifact to how many remote links were told of it."""
    return {event.artifact: len(event.payload["links"]) for event in events_of(pages) if event.kind == "remotelinks"}


@BOTH
@pytest.mark.parametrize("known_before", [False, True])
async def test_a_census_passes_it_over_and_concludes_nothing(rig_type: type[JiraRig], known_before: bool) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(45)]
        numbers = {one: rig.jira.remote_link(rig.issue(one), "https://wiki.example/1", "Notes") for one in made}
        rig.settle()
        known = artifacts(await read(rig))
        cursor = (await counted(rig, known))[-1].cursor if known_before else None
        hidden = {made[0], made[20], made[44]}
        for artifact in hidden:
            damage(rig, artifact, "remotelink")
        rig.advance(3600)
        pages = await counted(rig, known, cursor)
        shown = dict.fromkeys(set(made) - hidden, 1) | {f"c-test/issue/{rig.target.id}": 0}
        assert told(pages) == ({} if known_before else shown)
        rig.fake.broken.clear()
        rig.jira.remove_remote_link(rig.issue(made[20]), numbers[made[20]])
        rig.advance(3600)
        pages = await counted(rig, known, pages[-1].cursor)
        unchanged = {} if known_before else {made[0]: 1, made[44]: 1}
        assert told(pages) == {made[20]: 0} | unchanged
        rig.advance(3600)
        assert told(await counted(rig, known, pages[-1].cursor)) == {}


@BOTH
async def test_a_census_waits_where_jira_shows_links_of_none(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(3)]
        rig.settle()
        known = artifacts(await read(rig))
        rig.fake.broken |= {f"{issue}/remotelink" for issue in rig.fake.state.issues}
        with pytest.raises(RetryLater):
            await counted(rig, known)
        rig.fake.broken.clear()
        rig.fake.requests = _Breaking(rig, f"issue/{rig.issue(made[1]).id}/remotelink")
        with pytest.raises(RetryLater):
            await counted(rig, known)


async def test_a_census_tells_nothing_of_an_unlisted_issue_that_is_not_shown() -> None:
    async with CloudRig() as rig:
        hidden, gone = rig.create("Hidden"), rig.create("Gone")
        rig.settle()
        known = artifacts(await read(rig))
        rig.jira.move(rig.issue(hidden), "OPS", at=rig.now(), by=rig.anna)
        rig.delete(gone)
        rig.fake.broken.add(rig.issue(hidden).id)
        rig.create("Listed")
        rig.settle()
        pages = await counted(rig, known, projects=("PAY",))
        assert {event.artifact for event in events_of(pages) if event.payload.get("told")} == {
            gone,
            f"c-test/issue/{rig.target.id}",
        }
        rig.fake.requests = _Breaking(rig, f"issue/{rig.issue(hidden).id}")
        with pytest.raises(RetryLater):
            await counted(rig, known, projects=("PAY",))
