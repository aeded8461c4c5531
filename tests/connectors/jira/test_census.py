"""What is gone, what only looks gone, and remote links, which move no time stamp."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.contract import Misconfigured, Page
from connectors.jira import connector
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig
from tests.connectors.rig import events_of, fold, read

BOTH = pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])


async def census(
    rig: JiraRig, known: set[str], cursor: dict[str, Any] | None = None, **more: Any
) -> AsyncIterator[Page]:
    """One census with these options."""
    async with connector.open("c-test", rig.options(**more), rig.surroundings()) as source:
        async for page in source.census(dict.fromkeys(known, ""), cursor):
            yield page


async def counted(rig: JiraRig, known: set[str], cursor: dict[str, Any] | None = None, **more: Any) -> list[Page]:
    """All pages of one census."""
    return [page async for page in census(rig, known, cursor, **more)]


async def gather(rig: JiraRig, known: set[str], pages: list[Page]) -> None:
    """One census, its pages laid down as they come."""
    async for page in census(rig, known):
        pages.append(page)


def presence(pages: list[Page]) -> dict[str, str]:
    """Issue's artifact to what was told of it."""
    return {event.artifact: event.payload["told"] for event in events_of(pages) if event.kind == "presence"}


async def known_after_reading(rig: JiraRig) -> set[str]:
    rig.settle()
    return {event.artifact for event in events_of(await read(rig))}


@BOTH
async def test_a_permission_lost_is_no_delete(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        lost, kept = rig.create("Hidden soon"), rig.create("Moves")
        rig.jira.move(rig.issue(kept), "OPS", at=rig.now(), by=rig.anna)
        known = await known_after_reading(rig)
        rig.fake.state.hidden_projects.add("PAY")
        with pytest.raises(Misconfigured):
            await read(rig)
        assert presence(await counted(rig, known, projects=(), gone_limit=1.0)) == {}
        rig.fake.state.hidden_projects.clear()
        assert lost in await known_after_reading(rig)


@BOTH
async def test_without_a_list_of_projects_the_first_census_only_learns(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        first, second, third = (rig.create(f"Thing {number}") for number in range(3))
        known = await known_after_reading(rig)
        rig.delete(first)
        rig.settle()
        pages = await counted(rig, known, projects=())
        assert presence(pages) == {}
        pages = await counted(rig, known, pages[-1].cursor, projects=())
        assert presence(pages) == {first: "deleted"}
        rig.fake.state.hidden_projects.add("OPS")
        rig.delete(second)
        rig.settle()
        assert presence(await counted(rig, known, pages[-1].cursor, projects=())) == {}
        assert third in known


async def test_out_of_the_filter_and_back() -> None:
    async with CloudRig() as rig:
        artifact = rig.create("Wanders")
        known = await known_after_reading(rig)
        rig.jira.move(rig.issue(artifact), "OPS", at=rig.now(), by=rig.anna)
        rig.settle()
        pages = await counted(rig, known - {f"c-test/issue/{rig.target.id}"}, projects=("PAY",))
        assert presence(pages) == {artifact: "out_of_scope"}
        rig.advance(60)
        rig.jira.move(rig.issue(artifact), "PAY", at=rig.now(), by=rig.anna)
        rig.settle()
        again = await counted(rig, known - {f"c-test/issue/{rig.target.id}"}, pages[-1].cursor, projects=("PAY",))
        assert presence(again) == {artifact: "present"}
        assert fold(connector, events_of(again)).value(artifact, "out_of_scope") is False


async def test_not_yet_indexed_is_neither_gone_nor_out() -> None:
    async with CloudRig() as rig:
        known = await known_after_reading(rig)
        fresh = {rig.create(f"New {number}") for number in range(5)}
        assert presence(await counted(rig, known | fresh)) == {}


class _Later(list[Any]):
    """Requests to the fake Jira; with the one for an issue itself, its index has caught up."""

    def __init__(self, rig: JiraRig, issue_id: str) -> None:
        super().__init__()
        self._rig, self._path = rig, f"issue/{issue_id}"

    def append(self, one: Any) -> None:
        super().append(one)
        if one[1] == self._path:
            self._rig.settle()


@BOTH
async def test_with_a_further_filter_what_a_list_left_out_is_asked_for_by_itself(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        known = await known_after_reading(rig)
        left_out = rig.create("Not in the list")
        rig.fake.requests = _Later(rig, rig.issue(left_out).id)
        assert presence(await counted(rig, known | {left_out}, extra_jql="labels != never")) == {}
        told = presence(await counted(rig, {left_out}, extra_jql="labels = never"))
        assert told == {left_out: "out_of_scope"}


async def test_too_many_gone_at_once_wait_for_a_person() -> None:
    async with CloudRig() as rig:
        made = [rig.create(f"Thing {number}") for number in range(40)]
        known = await known_after_reading(rig)
        for artifact in made[:11]:
            rig.delete(artifact)
        rig.settle()
        pages: list[Page] = []
        with pytest.raises(Misconfigured) as caught:
            await gather(rig, known, pages)
        assert caught.value.field == "gone_limit"
        assert presence(pages) == {}
        assert len(pages) == 1
        told = presence(await counted(rig, known, gone_limit=1.0))
        assert told == dict.fromkeys(made[:11], "deleted")


async def test_a_delete_is_told_once() -> None:
    async with CloudRig() as rig:
        artifact = rig.create("Gone")
        known = await known_after_reading(rig)
        rig.delete(artifact)
        rig.settle()
        pages = await counted(rig, known)
        assert presence(pages) == {artifact: "deleted"}
        assert presence(await counted(rig, known, pages[-1].cursor)) == {}


async def test_only_changed_remote_links_are_told_again() -> None:
    async with CloudRig() as rig:
        artifact = rig.create("Linked")
        number = rig.jira.remote_link(rig.issue(artifact), "https://wiki.example/1", "Notes")
        known = await known_after_reading(rig)
        cursor = (await counted(rig, known))[-1].cursor
        seen = []
        for step in ("nothing", "away", "back", "nothing"):
            rig.advance(3600)
            if step == "away":
                rig.jira.remove_remote_link(rig.issue(artifact), number)
            if step == "back":
                rig.jira.remote_link(rig.issue(artifact), "https://wiki.example/1", "Notes")
            pages = await counted(rig, known, cursor)
            cursor = pages[-1].cursor
            seen.append([len(event.payload["links"]) for event in events_of(pages) if event.kind == "remotelinks"])
        assert seen == [[], [0], [1], []]


async def test_a_census_that_is_killed_goes_on() -> None:
    async with CloudRig() as rig:
        made = [rig.create(f"Thing {number}") for number in range(45)]
        for artifact in made:
            rig.jira.remote_link(rig.issue(artifact), "https://wiki.example/1", "Notes")
        known = await known_after_reading(rig)
        whole = await counted(rig, known)
        assert len(whole) > 2
        for place, page in enumerate(whole[:-1]):
            told = {event.artifact for event in events_of(whole[: place + 1]) if event.kind == "remotelinks"}
            rest = await counted(rig, known, page.cursor)
            told |= {event.artifact for event in events_of(rest) if event.kind == "remotelinks"}
            assert set(made) <= told


async def test_a_stranger_gets_no_census() -> None:
    async with CloudRig() as rig:
        known = await known_after_reading(rig)
        rig.fault("anonymous", on=True)
        with pytest.raises(Misconfigured, match="credentials"):
            await counted(rig, known)
