"""What is noticed of connections, as commands show it; and the wish for a comparison."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from connectors.contract import Noticed
from pipelines.store.engine import reading, writing
from schemas.errors import Misconfigured
from services.cli import connections, probes, watched
from services.cli.app import app
from services.cli.status import status
from services.feed import beside, budgets, failures, hours, notices, reconciling, silence, watching
from services.feed.budgets import Budget
from services.feed.failures import Failed
from services.feed.reconciling import Result
from services.feed.silence import Silence
from services.feed.tables import connections as connection_table
from services.feed.told import Difference
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk

AT = NOW.astimezone(UTC)


async def noticed(desk: Desk) -> None:
    """Let all that can be noticed have been noticed of jira-acme."""
    name, hour = "jira-acme", timedelta(hours=1)
    budget = Budget(0.25, 600, 0.4, 300, 350, "waiting 30 s for Jira's rate limit", AT + timedelta(seconds=30), AT)
    broken = Silence(AT - 5 * hour, 40, "broken", AT - hour, "sign-in: Jira no longer knows this token")
    ends = Noticed("ends", "GET /rest/api/3/search", "The maker switches GET /rest/api/3/search off",
                   "Upgrade the hub before", datetime(2026, 12, 31, tzinfo=UTC))  # fmt: skip
    async with writing(desk.engine) as connection:
        for back, events in ((1, 8), (2, 1), (30, 99)):
            await hours.count(connection, name, events, AT - back * hour)
        await beside.put(
            connection, name, place="issues changed up to 2026-03-09 10:00 UTC", heard_at=AT - hour, polled=25,
            received_at=AT - 30 * hour, budget=budgets.dump(budget), silence=silence.dump(broken),
        )  # fmt: skip
        await notices.note(connection, name, [ends], AT - hour)
        for _ in range(3):
            failed = Failed("wait", "The tool cannot answer now (HTTP 503)", "It comes back by itself", None)
            await failures.note(connection, name, failed, AT)
        result = Result(compared=120, missing=2, extra=1)
        found = [Difference("missing", f"jira-acme/issue/{number}", AT, None) for number in (1, 2)]
        await reconciling.ended(connection, name, result, found, AT - hour)
        expires = (AT + timedelta(days=11)).date().isoformat()
        options = update(connection_table).where(connection_table.c.id == name)
        await connection.execute(options.values(options=json.dumps({"auth": {"expires": expires}})))


@BOTH
async def test_show_tells_all_that_was_noticed(desk: Desk) -> None:
    await noticed(desk)
    await connections.show(desk.made, "jira-acme", NOW, desk.screen, for_programs=False)
    printed = " ".join(desk.printed.split())
    for words in (
        "Has read issues changed up to 2026-03-09 10:00 UTC",
        "9 events",
        "polls have found 25 events since",
        "40% of its 600 requests a minute (a share of 25%) used; the tool says 300 of 350 are left; waiting 30 s",
        "sign-in: Jira no longer knows this token",
        "its credential ends in",
        "of 120 things in the tool 2 are missing here, 1 are here and not in the tool",
        "jira-acme/issue/1 missing here",
        "The maker switches GET /rest/api/3/search off on 2026-12-31. Upgrade the hub before",
        "The tool cannot answer now (HTTP 503) (3 times, first at",
    ):
        assert words in printed, words


async def test_programs_are_told_the_same(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await noticed(desk)
    await connections.show(desk.made, "jira-acme", NOW, desk.screen, for_programs=True)
    told = json.loads(capsys.readouterr().out)["watched"]
    assert (told["state"], told["silence"]["verdict"], told["reconciled"]["missing"]) == (
        "needs attention",
        "broken",
        2,
    )
    assert told["failures"][0]["count"] == 3
    await connections.list_all(desk.made, NOW, desk.screen, for_programs=True)
    told = {row["id"]: row["watched"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told["crm"]["warnings"] == []
    assert len(told["jira-acme"]["warnings"]) == 5


async def test_lists_warn_though_reading_goes_on(desk: Desk) -> None:
    await noticed(desk)
    await connections.list_all(desk.made, NOW, desk.screen, for_programs=False)
    assert "its webhooks seem to have stopped" in " ".join(desk.printed.split())
    await status(desk.made, NOW, desk.screen, for_programs=False)
    assert "its credential ends in" in " ".join(desk.printed.split())


async def test_a_comparison_is_a_wish_that_a_hub_carries_out(desk: Desk) -> None:
    await watched.reconcile(desk.made, "jira-acme", desk.screen, mend=True)
    assert "jira-acme is compared with its tool and fetched again where it differs" in desk.printed.replace("\n", " ")
    async with reading(desk.engine) as connection:
        assert await reconciling.wish(connection, "jira-acme") is True
        assert await reconciling.wish(connection, "crm") is None
        told = await watching.told(connection, "jira-acme", AT)
    assert told is not None
    assert told.reconciled is not None
    assert watched.compared(told.reconciled, NOW).startswith("asked for")
    async with writing(desk.engine) as connection:
        await reconciling.began(connection, "jira-acme", AT, 400)
        await reconciling.came_to(connection, "jira-acme", 120)
    await connections.show(desk.made, "jira-acme", NOW, desk.screen, for_programs=False)
    assert "under way: 120 of about 400" in desk.printed
    with pytest.raises(Misconfigured, match="no connection nobody"):
        await watched.reconcile(desk.made, "nobody", desk.screen, mend=False)


async def test_readyz_names_connections_and_no_more(desk: Desk) -> None:
    await noticed(desk)
    says = await probes.connections(desk.engine, NOW)
    assert says == "look at crm, jira-acme: `throughline connections list` says why"


def test_the_picture_has_a_bar_for_each_hour() -> None:
    counts = [
        (AT.replace(minute=0, second=0, microsecond=0) - timedelta(hours=back), back) for back in range(30, 0, -1)
    ]
    drawn, said = watched.picture(counts, NOW).split(" ", 1)
    assert len(drawn) == 23
    assert said.strip() == f"{sum(range(1, 24))} events"
    assert drawn[0] == "█"


def test_the_command_is_there() -> None:
    answer = CliRunner().invoke(app, ["connections", "reconcile", "--help"])
    assert answer.exit_code == 0
    assert "--mend" in answer.output
