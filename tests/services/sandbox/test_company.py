"""The company's story: deterministic, ordered, lazy, playable, with the shapes in which tools mislead."""

import itertools
import tracemalloc
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from services.sandbox.company import Company
from services.sandbox.hubspot_account import Account
from services.sandbox.jira import FakeJira
from services.sandbox.pen import Pen
from services.sandbox.playing import Player
from services.sandbox.plots import PLOTS
from services.sandbox.post import Mailbox
from services.sandbox.script import ARTIFACTS, Truth

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
BEGIN = datetime(2026, 2, 1, tzinfo=UTC)


def _player(jira: FakeJira) -> Player:
    return Player(jira, Account(lambda: NOW), Mailbox(lambda: NOW), BEGIN)


def _jira() -> FakeJira:
    return FakeJira(now=lambda: NOW, lag=timedelta(seconds=1))


def test_same_seed_same_story_other_seed_another() -> None:
    company = Company(7, NOW)
    assert list(company.past()) == list(company.past())
    assert list(company.past()) != list(Company(8, NOW).past())


def test_the_past_is_in_order_and_ends_now() -> None:
    past = list(Company(7, NOW).past())
    assert [one.at for one in past] == sorted(one.at for one in past)
    assert past[0].at >= NOW - timedelta(days=181)
    assert past[-1].at <= NOW


def test_the_future_goes_on_where_the_past_ends() -> None:
    company = Company(7, NOW)
    past = list(company.past())
    coming = list(itertools.islice(company.future(), 500))
    assert coming[0].at > NOW
    assert past + coming == list(itertools.islice(company.happenings(), len(past) + 500))


def test_as_many_requests_as_asked_for() -> None:
    truth = Truth.of(Company(7, NOW, requests=40).past())
    plotted = {name for name in truth.requests if name.startswith("r") and "-" not in name}
    assert 38 <= len(plotted) <= 41  # the last ones may begin after the week's end
    first = [[*things.values()].count("first") for things in truth.requests.values()]
    assert first == [1] * len(first)


def test_a_large_company_streams() -> None:
    tracemalloc.start()
    count = sum(1 for _ in Company(7, NOW, requests=1_000).past())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count > 20_000
    assert peak < 8_000_000  # a list of them would take five times as much


def test_nothing_is_named_before_it_is_there() -> None:
    known: set[str] = set()
    for happening in Company(7, NOW).past():
        if happening.what in ARTIFACTS:
            assert happening.name not in known
            known.add(happening.name)
        others = {str(happening.payload.get(one) or happening.name) for one in ("on", "other", "answers", "parent")}
        assert others | {happening.name} <= known


@pytest.mark.parametrize(
    "plot", range(len(PLOTS)), ids=[f"{place} {plot.__name__}" for place, plot in enumerate(PLOTS)]
)
def test_every_plot_can_be_played_to_its_end(plot: int) -> None:
    jira = _jira()
    with jira:
        player = _player(jira)
        for happening in itertools.islice(Company(1, NOW).past(), 60):  # the epic and a few others
            if happening.tool == "jira" and happening.name.startswith("c."):
                player.play(happening)
        pen = Pen(900 + plot, BEGIN, Random(plot))
        story = list(PLOTS[plot](pen))
        truth = Truth.of(story)
        for happening in story:
            player.play(happening)
        assert [one.at for one in story] == sorted(one.at for one in story)
        assert len(truth.requests[pen.name]) >= 3
        there = dict(player.natural(truth.requests[pen.name]))
        assert set(truth.requests[pen.name]) - set(there) <= {f"{pen.name}.double"}  # the one that is deleted


def test_played_twice_it_is_the_same_to_the_octet() -> None:
    worlds = []
    for _ in range(2):
        jira = _jira()
        with jira:
            player = _player(jira)
            for happening in Company(7, NOW).past():
                player.play(happening)
            mails = [mail.raw for folder in player.mailbox.folders.values() for mail in folder.mails]
            worlds.append(
                (mails, jira.state.issues, {key: one.properties for key, one in player.account.records.items()})
            )
    assert worlds[0] == worlds[1]


def test_the_shapes_that_mislead_are_there() -> None:
    with _jira() as jira:
        player = _player(jira)
        for happening in Company(7, NOW).past():
            player.play(happening)
        mails = b"\n".join(mail.raw for mail in player.mailbox.folders["INBOX"].mails)
        issues = list(jira.state.issues.values())
        records = player.account.records.values()
    for sign in (
        b"List-Id:",
        b"auto-replied",
        b"delivery-status",
        b"Forwarded message",
        b"UTF-8",
        b"COVID-19",
        b"\r\n--=20",
    ):
        assert sign in mails
    assert b"=?utf-8?" in mails  # names in other scripts
    shared = {mail.raw for mail in player.mailbox.folders["Payments"].mails}
    assert shared & {mail.raw for mail in player.mailbox.folders["INBOX"].mails}
    assert any(one.merged_into for one in records)
    assert any(item["field"] == "Key" for issue in issues for entry in issue.histories for item in entry["items"])
    assert any(comment.visibility for issue in issues for comment in issue.comments)
    assert any(comment.internal for issue in issues for comment in issue.comments)
    assert {"Won't Do", "Released", "Done", "In Progress"} <= {issue.status for issue in issues}
    assert max(len(children) for children in jira.state.children.values()) >= 8  # the programme
