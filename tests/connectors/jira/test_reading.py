"""Oddities of reading: each one loses data somewhere in the world."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Misconfigured, Surroundings
from connectors.jira import connector
from connectors.jira.cursor import Cursor
from connectors.jira.options import JiraOptions, ScopedToken
from connectors.jira.search import local_minute
from schemas.artifacts import ActivityKind, State
from services.sandbox.jira import FakeJira
from tests.connectors.jira.rigs import CloudRig, DataCenterRig, JiraRig, network
from tests.connectors.rig import events_of, fold, read

BOTH = pytest.mark.parametrize("rig_type", [CloudRig, DataCenterRig])


async def look(rig: JiraRig, **more: Any) -> list[Any]:
    """All pages of a first read with these options."""
    options = rig.options(**more)
    async with connector.open("c-test", options, rig.surroundings()) as source:
        return [page async for page in source.pages(None, None)]


@BOTH
async def test_long_histories_and_many_comments_are_read_whole(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        issue = rig.issue(rig.create("Busy"))
        for number in range(130):
            rig.advance(1)
            rig.jira.assign(issue, rig.anna if number % 2 else None, at=rig.now(), by=rig.anna)
        for number in range(105):
            rig.jira.comment(issue, f"Word {number}", at=rig.now(), by=rig.anna)
        rig.settle()
        events = [event for event in events_of(await read(rig)) if event.artifact.endswith(f"/{issue.id}")]
        assert sum(event.kind == "changelog" for event in events) == 2
        activities = [activity for event in events for activity in connector.map(event).activities]
        kinds = [activity.kind for activity in activities]
        assert kinds.count(ActivityKind.ASSIGNED) == 130
        assert kinds.count(ActivityKind.COMMENTED) == 105


async def test_histories_are_asked_for_one_by_one_where_the_bulk_is_refused() -> None:
    async with CloudRig() as rig:
        issue = rig.issue(rig.create("Busy"))
        for number in range(130):
            rig.advance(1)
            rig.jira.assign(issue, rig.anna if number % 2 else None, at=rig.now(), by=rig.anna)
        rig.settle()
        at_once = await read(rig)
        rig.fault("no-bulk", on=True)
        one_by_one = await read(rig)
        assert [event.id for event in events_of(one_by_one)] == [event.id for event in events_of(at_once)]


async def test_an_address_without_a_jira_says_so() -> None:
    async with CloudRig() as rig:
        with pytest.raises(Misconfigured) as caught:
            await look(rig, base_url=f"{rig.fake.url}/wrong")
        assert caught.value.field == "base_url"


async def test_many_issues_in_one_minute_on_data_center() -> None:
    """Times have minutes there, and a page holds five."""
    async with DataCenterRig() as rig:
        made = {rig.create(f"Bulk {number}") for number in range(40)}
        rig.settle()
        assert made <= {event.artifact for event in events_of(await read(rig))}


async def test_touched_while_counting_rows_on_data_center() -> None:
    """An issue that is touched in the middle of a read moves to the end; nobody behind it may be skipped."""
    async with DataCenterRig() as rig:
        made = []
        for number in range(30):
            made.append(rig.create(f"Row {number}"))
            rig.advance(61)
        rig.settle()
        seen = set()
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            async for page in source.pages(None, None):
                seen |= {event.artifact for event in page.events}
                for artifact in made[:4]:
                    rig.change(artifact)
        assert set(made) <= seen


@BOTH
async def test_the_accounts_time_zone_loses_no_hours(rig_type: type[JiraRig]) -> None:
    for zone in ("Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata"):
        async with rig_type() as rig:
            rig.fake.state.users[rig.fake.account].zone = zone
            rig.create("Before")
            rig.settle()
            pages = await read(rig)
            rig.advance(5)
            late = rig.create("After")
            rig.settle()
            assert late in {event.artifact for event in events_of(await read(rig, pages[-1].cursor))}, zone


@given(
    at=st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_a_local_minute_is_never_after_the_instant_it_stands_for(at: datetime, zone: str) -> None:
    text = local_minute(int(at.timestamp() * 1000), ZoneInfo(zone))
    local = datetime.strptime(text, "%Y/%m/%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    for fold_ in (0, 1):
        reading = local.replace(fold=fold_).astimezone(UTC)
        assert reading <= at
        assert at - reading <= timedelta(hours=2)


def test_the_hour_that_happens_twice() -> None:
    second_time = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 for the second time in Berlin
    first_time = second_time - timedelta(hours=1)
    berlin = ZoneInfo("Europe/Berlin")
    assert local_minute(int(second_time.timestamp() * 1000), berlin) == "2026/10/25 02:30"
    assert local_minute(int(first_time.timestamp() * 1000), berlin) == "2026/10/25 01:30"


async def test_a_history_whose_pages_lead_around_in_a_circle_is_asked_for_alone() -> None:
    async with CloudRig() as rig:
        issue = rig.issue(rig.create("Busy"))
        for number in range(3_500):
            rig.jira.assign(issue, rig.anna if number % 2 else None, at=rig.now(), by=rig.anna)
        rig.settle()
        whole = [event.id for event in events_of(await read(rig))]
        rig.fault("circling-tokens", on=True)
        async with asyncio.timeout(30):
            assert [event.id for event in events_of(await read(rig))] == whole


async def test_another_filter_reads_from_the_beginning() -> None:
    async with CloudRig() as rig:
        rig.settle()
        cursor = (await look(rig, projects=("PAY",)))[-1].cursor
        assert Cursor.load(cursor, 'project in ("PAY")').high == cursor["high"]
        async with connector.open("c-test", rig.options(), rig.surroundings()) as source:
            events = [event async for page in source.pages(cursor, None) for event in page.events]
        assert f"c-test/issue/{rig.target.id}" in {event.artifact for event in events}


@BOTH
async def test_a_flag_is_told_and_taken_back(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        artifact = rig.create("Stuck")
        by = {"by": rig.anna}
        rig.jira.change(rig.issue(artifact), custom={"Flagged": [{"value": "Impediment"}]}, at=rig.now(), **by)
        rig.settle()
        pages = await read(rig)
        assert fold(connector, events_of(pages)).value(artifact, "waiting") == {"reason": "blocked", "since": None}
        rig.jira.change(rig.issue(artifact), custom={"Flagged": None}, at=rig.now(), **by)
        rig.settle()
        pages += await read(rig, pages[-1].cursor)
        assert fold(connector, events_of(pages)).value(artifact, "waiting") is None


@BOTH
async def test_a_history_tells_what_it_sets_and_of_what_kind_its_statuses_are(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        issue = rig.issue(rig.create("Signed by whom"))
        rig.fake.state.statuses["Signed off"] = ("20900", "done")
        rig.jira.transition(issue, "With the lawyers", at=rig.now(), by=rig.anna)
        rig.jira.transition(issue, "Signed off", at=rig.now(), by=rig.anna, resolution="Won't Do")
        rig.jira.change(issue, custom={"Flagged": [{"value": "Impediment"}]}, at=rig.now(), by=rig.anna)
        rig.settle()
        done = [one for event in events_of(await read(rig)) for one in connector.map(event).activities]
        moves = [one for one in done if one.kind is ActivityKind.STATUS]
        assert [(one.from_category, one.to_category) for one in moves] == [
            (State.NEW, State.ACTIVE),
            (State.ACTIVE, State.DONE),
        ]
        assert [one for each in done for one in each.sets] == [
            ("resolution", None, "Won't Do"),
            ("outcome", None, "cancelled"),
            ("waiting", None, "blocked"),
        ]


async def test_since_leaves_out_what_is_older() -> None:
    async with CloudRig() as rig:
        old = rig.create("Old")
        rig.advance(3600)
        new = rig.create("New")
        rig.settle()
        told = {event.artifact for event in events_of(await read(rig, since=rig.now() - timedelta(minutes=10)))}
        assert new in told
        assert old not in told


async def test_progress_of_a_first_read_is_honest() -> None:
    async with CloudRig() as rig:
        for number in range(11):
            rig.create(f"Old {number}")
        rig.settle()
        pages = await look(rig)
        assert [(page.progress.done, page.progress.total) for page in pages if page.progress] == [
            (5, 12),
            (10, 12),
            (12, 12),
        ]
        assert [page.true_up_to is None for page in pages] == [True, True, False]


@BOTH
async def test_restricted_content_leaves_jira_only_if_the_connection_says_so(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        rig.fake.state.add_project("HELP", "Help desk", desk=True)
        request = rig.jira.create("HELP", "Cannot pay", at=rig.now(), by=rig.anna)
        rig.jira.comment(request, "Internal: known customer", at=rig.now(), by=rig.anna, internal=True)
        rig.jira.comment(request, "We look into it", at=rig.now(), by=rig.anna)
        rig.jira.comment(rig.target, "Only admins", at=rig.now(), by=rig.anna, role="Administrators")
        secret = rig.jira.create("PAY", "Secret plan", at=rig.now(), by=rig.anna, security="Board")
        rig.settle()
        projects = ("PAY", "OPS", "HELP")
        text = "".join(event.model_dump_json() for event in events_of(await look(rig, projects=projects)))
        assert [word for word in ("known customer", "Only admins", "Secret plan") if word in text] == []
        assert "We look into it" in text
        pages = await look(rig, projects=projects, read_restricted=True)
        folded = fold(connector, events_of(pages))
        assert folded.value(f"c-test/issue/{secret.id}", "title") == "Secret plan"
        levels = {activity.text: activity.audience.level for _, activity in folded.activities.values() if activity.text}
        assert levels == {
            "Internal: known customer": "internal",
            "We look into it": "open",
            "Only admins": "restricted",
        }


async def test_an_issue_that_becomes_restricted_takes_back_what_it_said() -> None:
    async with CloudRig() as rig:
        artifact = rig.create("Plan for OPS-4")
        rig.settle()
        pages = await read(rig)
        rig.jira.restrict(rig.issue(artifact), "Board", at=rig.now(), by=rig.anna)
        rig.settle()
        pages += await read(rig, pages[-1].cursor)
        folded = fold(connector, events_of(pages))
        assert folded.value(artifact, "title") is None
        assert "Plan for OPS-4" not in folded.says(artifact)


@BOTH
async def test_a_moved_issue_keeps_its_id_and_its_old_key(rig_type: type[JiraRig]) -> None:
    async with rig_type() as rig:
        artifact = rig.create("Wanders")
        rig.settle()
        pages = await read(rig)
        old = rig.issue(artifact).key
        rig.jira.move(rig.issue(artifact), "OPS", at=rig.now(), by=rig.anna)
        rig.settle()
        pages += await read(rig, pages[-1].cursor)
        folded = fold(connector, events_of(pages))
        assert folded.value(artifact, "natural_key") == "OPS-2"
        assert {f"jira.key|{old}", "jira.key|OPS-2"} <= folded.says(artifact)


async def test_a_scoped_token_works_only_at_the_gateway() -> None:
    with FakeJira(scoped=True) as fake:
        fake.state.add_project("PAY", "Payments")
        token = {"email": fake.email, "token": fake.token}
        auth = ScopedToken.model_validate({**token, "gateway": fake.url})
        options = JiraOptions(base_url=fake.url, auth=auth, cloud_id=fake.cloud_id)
        surroundings = Surroundings(lambda: datetime.now(UTC), network())
        async with connector.open("c", options, surroundings) as source:
            assert [step.ok async for step in source.check()] == [True, True, True, True]
        options = JiraOptions.model_validate(options.model_dump() | {"auth": {"kind": "api_token", **token}})
        async with connector.open("c", options, surroundings) as source:
            steps = [step async for step in source.check()]
        assert (steps[-1].ok, "401" in steps[-1].says) == (False, True)


async def test_check_says_what_is_wrong() -> None:
    async with CloudRig() as rig:
        async with connector.open("c", rig.options(projects=("PAY", "NONE")), rig.surroundings()) as source:
            steps = [(step.name, step.ok, step.says) async for step in source.check()]
        assert steps[-1][:2] == ("project NONE", False)
        assert "Browse Projects" in steps[-1][2]
        options = JiraOptions.model_validate(
            rig.options().model_dump()
            | {"edition": "datacenter", "auth": {"kind": "personal_access_token", "token": "x"}}
        )
        async with connector.open("c", options, rig.surroundings()) as source:
            steps = [(step.name, step.ok, step.says) async for step in source.check()]
        assert steps[-1][1] is False
        hour_off = Surroundings(lambda: rig.now() + timedelta(hours=1), network())
        async with connector.open("c", rig.options(), hour_off) as source:
            steps = [(step.name, step.ok, step.says) async for step in source.check()]
        assert steps[-1][:2] == ("clock", False)


async def test_a_filter_that_jira_refuses_names_its_option() -> None:
    async with CloudRig() as rig:
        with pytest.raises(Misconfigured) as caught:
            await look(rig, extra_jql="nonsense = 1")
        assert caught.value.field == "extra_jql"


async def test_a_hint_outside_the_filter_is_not_read() -> None:
    async with CloudRig() as rig:
        rig.settle()
        for more in ({"projects": ("PAY",)}, {"extra_jql": "labels = never"}):
            async with connector.open("c-test", rig.options(**more), rig.surroundings()) as source:
                pages = [page async for page in source.fetch([rig.target.id, "999999", "../myself"])]
            assert events_of(pages) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"base_url": "acme.atlassian.net"}, "https://"),
        ({"base_url": "https://u:p@acme.atlassian.net"}, "secrets"),
        ({"extra_jql": "status = Done ORDER BY key"}, "ORDER BY"),
        ({"extra_jql": "status = Done) OR (project = X"}, "bracket"),
        ({"extra_jql": 'summary ~ "open'}, "quotation"),
        ({"projects": ("pay",)}, "capitals"),
        ({"edition": "datacenter"}, "personal access token"),
        ({"auth": {"kind": "scoped_token", "email": "a@b.c", "token": "t"}}, "cloud_id"),
        ({"webhook_token": "short"}, "32"),
    ],
)
def test_options_refuse_with_the_mend(wrong: dict[str, Any], says: str) -> None:
    good = {"base_url": "https://a.example", "auth": {"kind": "api_token", "email": "a@b.c", "token": "t"}}
    JiraOptions.model_validate(good)
    with pytest.raises(ValueError, match=says):
        JiraOptions.model_validate(good | wrong)
