"""One issue that Jira lists and never shows stops no other."""

from typing import Any

import pytest

from connectors.contract import Page, RetryLater
from connectors.jira import connector, doubts
from connectors.jira.cursor import Cursor
from connectors.jira.doubts import ASKED
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig
from tests.connectors.rig import events_of, fold, read

BOTH = pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])


async def polled(rig: JiraRig, cursor: dict[str, Any] | None, **more: Any) -> tuple[list[Page], str]:
    """One poll by a source of its own, as after every failure: its pages, and why it stopped."""
    pages: list[Page] = []
    async with connector.open("c-test", rig.options(**more), rig.surroundings()) as source:
        try:
            async for page in source.pages(cursor, None):
                pages.append(page)
        except RetryLater as later:
            return pages, str(later)
    return pages, ""


async def read_on(rig: JiraRig, cursor: dict[str, Any] | None = None, polls: int = 40) -> tuple[list[Page], list[str]]:
    """Polls until one goes well: all pages, and why the others stopped."""
    pages: list[Page] = []
    stopped: list[str] = []
    for _ in range(polls):
        more, why = await polled(rig, pages[-1].cursor if pages else cursor)
        pages += more
        if not why:
            return pages, stopped
        stopped.append(why)
    raise AssertionError(stopped)


async def stuck(rig: JiraRig, cursor: dict[str, Any] | None, polls: int) -> dict[str, Any] | None:
    """So many polls, of which none goes well and none brings or sets aside anything: the last cursor."""
    for _ in range(polls):
        pages, why = await polled(rig, cursor)
        assert why
        assert [page for page in pages if page.set_aside or page.events] == []
        cursor = pages[-1].cursor if pages else cursor
    return cursor


def damage(rig: JiraRig, artifact: str, kind: str) -> str:
    """Break a kind of thing of an issue, after making so much of it that it has to be asked for by itself: its id."""
    issue = rig.issue(artifact)
    for number in range(21 if kind == "comment" else 0):
        rig.jira.comment(issue, f"Word {number}", at=rig.now(), by=rig.anna)
    if kind == "expanded":
        rig.change(artifact)
        rig.fake.answers.listed_histories = 0
    rig.fake.broken.add(f"{issue.id}/{'' if kind == 'expanded' else kind}")
    return issue.id


def others(rig: JiraRig, made: list[str], bad: set[str]) -> set[str]:
    return {*made, f"c-test/issue/{rig.target.id}"} - bad


def artifacts(pages: list[Page]) -> set[str]:
    return {event.artifact for event in events_of(pages)}


def asked_for(rig: JiraRig) -> list[int]:
    """How many whole issues each search asked for."""
    return [
        int(given["maxResults"]) for _, path, given in rig.fake.requests
        if path.startswith("search") and "*all" in given["fields"]
    ]  # fmt: skip


def aside(pages: list[Page]) -> list[str]:
    return [one.native_id for page in pages for one in page.set_aside]


@pytest.mark.parametrize(
    ("rig_type", "kind", "says"),
    [
        (CloudRig, "comment", "the comments of this issue"),
        (CloudRig, "remotelink", "the remote links of this issue"),
        (CloudRig, "changelog", "the history of this issue"),
        (DataCenterRig, "comment", "the comments of this issue"),
        (DataCenterRig, "remotelink", "the remote links of this issue"),
        (DataCenterRig, "expanded", "does not show this issue"),
    ],
)
async def test_all_others_are_read_and_it_is_set_aside(rig_type: type[JiraRig], kind: str, says: str) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(12)]
        bad = damage(rig, made[6], kind)
        rig.settle()
        pages, stopped = await read_on(rig)
        assert artifacts(pages) == others(rig, made, {made[6]})
        assert aside(pages) == [bad]
        (letter,) = [one for page in pages for one in page.set_aside]
        assert says in letter.reason
        assert "`connections reread`" in letter.reason
        words = [
            f"over issue {rig.issue(made[6]).key} (time {time} of 5, then it is set aside)" for time in range(1, 5)
        ]
        assert [why[why.index("over issue") :] for why in stopped] == words
        assert "doubts" not in pages[-1].cursor
        assert pages[-1].true_up_to is not None


@BOTH
async def test_it_is_asked_for_again_only_when_it_changes(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(3)]
        bad = damage(rig, made[1], "remotelink")
        rig.settle()
        cursor = (await read_on(rig))[0][-1].cursor
        rig.fake.requests.clear()
        pages, why = await polled(rig, cursor)
        assert (artifacts(pages), aside(pages), why) == (set(), [], "")
        assert [path for _, path, _ in rig.fake.requests if path.startswith("issue/")] == []
        rig.change(made[1])
        rig.settle()
        pages, stopped = await read_on(rig, pages[-1].cursor)
        assert (aside(pages), len(stopped)) == ([bad], ASKED - 1)
        rig.fake.broken.clear()
        rig.change(made[1])
        rig.settle()
        pages, why = await polled(rig, pages[-1].cursor)
        assert (artifacts(pages), aside(pages), why) == ({made[1]}, [], "")


async def test_each_version_that_is_set_aside_has_a_letter_of_its_own() -> None:
    async with CloudRig() as rig:
        artifact = rig.create("Damaged")
        damage(rig, artifact, "remotelink")
        raws = []
        cursor = None
        for _ in range(2):
            rig.settle()
            pages, _ = await read_on(rig, cursor)
            cursor = pages[-1].cursor
            raws += [one.raw for page in pages for one in page.set_aside]
            rig.change(artifact)
        assert len(set(raws)) == 2


@BOTH
async def test_a_failure_that_passes_loses_nothing(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(12)]
        damage(rig, made[6], "remotelink")
        rig.settle()
        first, why = await polled(rig, None)
        assert "time 1 of 5" in why
        second, why = await polled(rig, first[-1].cursor)
        assert "time 2 of 5" in why
        rig.fake.broken.clear()
        third, why = await polled(rig, second[-1].cursor)
        pages = first + second + third
        assert (why, aside(pages)) == ("", [])
        assert fold(connector, events_of(pages)).state() == fold(connector, events_of(await read(rig))).state()
        assert "doubts" in second[-1].cursor
        assert [page for page in third if "doubts" in page.cursor] == []
        assert len(third) > 1
        assert artifacts(pages) == others(rig, made, set())


@BOTH
async def test_several_on_one_page_go_one_after_the_other(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(9)]
        bad = {damage(rig, made[place], "remotelink") for place in (0, 1, 2, 7)}
        rig.settle()
        pages, stopped = await read_on(rig)
        assert sorted(aside(pages)) == sorted(bad)
        assert artifacts(pages) == others(rig, made, {made[place] for place in (0, 1, 2, 7)})
        assert len(stopped) >= 4 * (ASKED - 1)


@BOTH
async def test_a_kill_between_tries_loses_a_count_at_most(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(7)]
        damage(rig, made[3], "remotelink")
        rig.settle()
        cursor: dict[str, Any] | None = None
        seen: set[str] = set()
        letters: list[str] = []
        for time in range(12):
            pages, _ = await polled(rig, cursor)
            kept = pages[:-1] if time == 2 else pages  # killed before the last page was safe
            seen |= artifacts(kept)
            letters += aside(kept)
            cursor = kept[-1].cursor if kept else cursor
            counted_so_far = Cursor.load(cursor, rig.options().scope_jql).doubts
            assert sum(counted_so_far.values()) == (max(0, time if time >= 2 else time + 1) if time < ASKED else 0)
        assert letters == [rig.issue(made[3]).id]
        assert seen == others(rig, made, {made[3]})


@BOTH
async def test_a_jira_that_is_down_loses_none(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(7)]
        rig.settle()
        rig.fault("500", on=True)
        cursor = await stuck(rig, None, 3 * ASKED)
        rig.fault("500", on=False)
        pages, why = await polled(rig, cursor)
        assert (artifacts(pages), why) == (others(rig, made, set()), "")


@BOTH
@pytest.mark.parametrize("number", [1, 7])
async def test_what_jira_shows_of_no_issue_is_waited_for(rig_type: type[JiraRig], number: int) -> None:
    """Also once each of the page was in doubt."""
    async with rig_type() as rig:
        made = [rig.create(f"Thing {one}") for one in range(number)]
        rig.settle()
        rig.fake.broken |= {f"{issue}/remotelink" for issue in rig.fake.state.issues}
        cursor = await stuck(rig, None, 6 * ASKED)
        rig.fake.broken.clear()
        pages, why = await polled(rig, cursor)
        assert (artifacts(pages), why) == (others(rig, made, set()), "")
        assert "doubts" not in pages[-1].cursor


def test_each_time_other_issues_are_asked_for_first() -> None:
    issues: list[dict[str, Any]] = [{"id": f"{number}"} for number in range(1, 6)]
    issues.append({"id": "6", "fields": {"security": {"name": "Board"}}})
    assert doubts.others(issues, "1", {"1": ASKED, "2": 3}) == ["3", "4", "5", "2"]
    assert doubts.others(issues, "1", {"1": ASKED + 1, "2": 3}) == ["4", "5", "2", "3"]
    assert doubts.others(issues[:1], "1", {"1": ASKED + 1}) == []


async def test_an_only_issue_is_set_aside_where_jira_answers() -> None:
    async with CloudRig() as rig:
        bad = damage(rig, f"c-test/issue/{rig.target.id}", "remotelink")
        rig.settle()
        pages, stopped = await read_on(rig)
        assert (aside(pages), artifacts(pages), len(stopped)) == ([bad], set(), ASKED - 1)


@BOTH
async def test_a_page_that_is_too_much_is_asked_for_smaller(rig_type: type[JiraRig]) -> None:
    """At once, also after a restart; and larger again where that goes well."""
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(60)]
        rig.settle()
        rig.fake.answers.page_cap, rig.fake.answers.bearable = 100, 5
        async with connector.open("c-test", rig.options(page_size=32), rig.surroundings()) as source:
            first = await anext(aiter(source.pages(None, None)))
        assert 0 < len(artifacts([first])) <= 2
        rig.fake.requests.clear()
        pages, why = await polled(rig, first.cursor, page_size=32)
        assert (why, artifacts([first, *pages])) == ("", others(rig, made, set()))
        sizes = asked_for(rig)
        assert sizes[:10] == [2] * 9 + [8], sizes
        assert sizes.count(8) <= 1 + len(sizes) // 10, "a larger one is tried now and then"
        assert "narrowed" not in str(pages[-1].cursor)


@BOTH
async def test_one_that_is_too_much_now_makes_no_pages_small_for_ever(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        for number in range(60):
            rig.create(f"Thing {number}")
        rig.settle()
        rig.fake.answers.page_cap, rig.fake.answers.bearable = 100, 1
        async with connector.open("c-test", rig.options(page_size=8), rig.surroundings()) as source:
            first = await anext(aiter(source.pages(None, None)))
        rig.fake.answers.bearable = None
        rig.fake.requests.clear()
        assert (await polled(rig, first.cursor, page_size=8))[1] == ""
        sizes = asked_for(rig)
        assert sizes[8:12] == [1, 2, 2, 2], sizes
        assert 8 in sizes


@BOTH
async def test_one_that_no_search_shows_is_named_with_the_way_around_it(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        made = [rig.create(f"Thing {number}") for number in range(12)]
        bad = rig.issue(made[6])
        rig.settle()
        rig.fake.answers.unlisted.add(bad.id)
        pages, why = await polled(rig, None)
        assert artifacts(pages) == others(rig, made[:6], set())
        assert f"over issue {bad.key}, which it lists, in a search for it alone" in why
        assert f"add `key != {bad.key}` to the further filter (extra_jql)" in why
        again, why_again = await polled(rig, pages[-1].cursor)
        assert (again, why_again) == ([], why)
        pages, why = await polled(rig, pages[-1].cursor, extra_jql=f"key != {bad.key}")
        assert (artifacts(pages), why) == (others(rig, made, {made[6]}), "")


@BOTH
@pytest.mark.parametrize("fault", ["500", "429"])
async def test_what_jira_answers_to_nobody_makes_no_page_smaller(rig_type: type[JiraRig], fault: str) -> None:
    async with rig_type() as rig:
        rig.create("Thing")
        rig.settle()
        first, _ = await polled(rig, None)
        rig.fault(fault, on=True)
        pages, why = await polled(rig, first[-1].cursor)
        assert why
        assert pages == []
        rig.fault(fault, on=False)
        rig.fake.requests.clear()
        await polled(rig, first[-1].cursor, page_size=50)
        assert asked_for(rig) == [50]


async def test_no_content_of_a_restricted_issue_is_asked_for_to_compare() -> None:
    async with CloudRig() as rig:
        secret = rig.jira.create("PAY", "Secret plan", at=rig.now(), by=rig.anna, security="Board")
        bad = damage(rig, f"c-test/issue/{rig.target.id}", "comment")
        rig.settle()
        pages, _ = await read_on(rig)
        assert aside(pages) == [bad]
        asked = {path for _, path, _ in rig.fake.requests}
        assert {path for path in asked if path.startswith(f"issue/{secret.id}")} == set()


class _Unlucky(list[Any]):
    """Requests to the fake Jira; an issue is shown where it is asked for alone, and not among others."""

    def __init__(self, rig: JiraRig, issue_id: str) -> None:
        super().__init__()
        self._broken, self._id = rig.fake.broken, issue_id

    def append(self, one: Any) -> None:
        super().append(one)
        if one[1] == "search/jql":
            self._broken.add(f"{self._id}/remotelink")
        if one[1] == "changelog/bulkfetch" and one[2]["issueIdsOrKeys"] == [self._id]:
            self._broken.clear()


async def test_what_is_shown_alone_is_not_set_aside() -> None:
    async with CloudRig() as rig:
        made = [rig.create(f"Thing {number}") for number in range(3)]
        rig.settle()
        rig.fake.requests = _Unlucky(rig, rig.issue(made[1]).id)
        cursor = await stuck(rig, None, ASKED)
        assert "doubts" not in (cursor or {})
        cursor = await stuck(rig, cursor, 2 * ASKED + 1)
        assert Cursor.load(cursor, rig.options().scope_jql).doubts == {rig.issue(made[1]).id: 1}
        rig.fake.requests = []
        rig.fake.broken.clear()
        pages, why = await polled(rig, cursor)
        assert (artifacts(pages), why) == (others(rig, made, set()), "")


async def test_a_limit_is_no_doubt() -> None:
    async with CloudRig() as rig:
        rig.settle()
        rig.fake.requests = _Limiting(rig)
        for _ in range(2 * ASKED):
            rig.fault("429", on=False)
            pages, why = await polled(rig, None)
            assert "HTTP 429" in why
            assert pages == []


class _Limiting(list[Any]):
    """Requests to the fake Jira; from the first about a single issue on, it refuses all for its limit."""

    def __init__(self, rig: JiraRig) -> None:
        super().__init__()
        self._rig = rig

    def append(self, one: Any) -> None:
        super().append(one)
        if one[1].startswith("issue/"):
            self._rig.fault("429", on=True)


def test_a_cursor_of_before_still_loads() -> None:
    cursor = Cursor.load(None, "")
    assert "doubts" not in cursor.dump()
    assert Cursor.load(cursor.dump(), "").doubts == {}
    cursor.doubt("10001")
    assert Cursor.load(cursor.dump(), "").doubts == {"10001": 1}
