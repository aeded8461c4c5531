"""What stands beside a first read's bar: an estimate where there is a pace, and what is waited for, until when."""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from rich.console import Console

from pipelines.store.engine import reading, writing
from services.cli import pace
from services.cli.bars import bars
from services.feed import beside, budgets, connections, pages
from services.feed.budgets import Budget
from tests.services.cli.company import NOW
from tests.services.cli.conftest import BOTH, Desk

UNTIL = NOW + timedelta(minutes=3)


async def told(desk: Desk, now: datetime = NOW) -> str | None:
    """Beside the bar of `inbox`, which has read 120 of about 400 things."""
    async with reading(desk.engine) as connection:
        return (await pace.beside(connection, await connections.every(connection), now)).get("inbox")


async def read(desk: Desk, *every: tuple[float, int]) -> None:
    """Pages: (seconds ago, events)."""
    async with writing(desk.engine) as connection:
        for ago, events in every:
            await pages.record(connection, "inbox", {}, None, [], "one", events, NOW - timedelta(seconds=ago))


@BOTH
@pytest.mark.parametrize(
    ("every", "words"),
    [
        ([], None),
        ([(120, 60), (60, 60)], None),
        ([(30, 0), (20, 0), (10, 0)], None),
        ([(130, 40), (70, 40), (10, 40)], "about 7 minutes more at this pace"),
        ([(60, 20), (40, 50), (20, 50)], "about 1 minute more at this pace"),
        ([(13, 40), (7, 40), (1, 40)], "less than a minute more at this pace"),
        ([(400, 40), (300, 40), (200, 40)], None),
    ],
    ids=["nothing", "too few pages", "empty pages", "equal pages", "a short first page", "soon", "stalled"],
)
async def test_an_estimate_stands_only_where_there_is_a_pace(
    desk: Desk, every: Sequence[tuple[float, int]], words: str | None
) -> None:
    await read(desk, *every)
    assert await told(desk) == words


async def test_without_a_known_total_nothing_is_estimated(desk: Desk) -> None:
    await read(desk, (130, 40), (70, 40), (10, 40))
    async with writing(desk.engine) as connection:
        await connections.change(connection, "inbox", progress_total=None)
    assert await told(desk) is None


async def test_a_wait_for_the_rate_limit_says_until_when(desk: Desk) -> None:
    await read(desk, (130, 40), (70, 40), (10, 40))
    waits = "waiting 180 s for Mailbox's rate limit, until 12:45:00 UTC"
    async with writing(desk.engine) as connection:
        one = Budget(0.25, 60, 1.0, 0, 100, waits, UNTIL, NOW)
        await beside.put(connection, "inbox", budget=budgets.dump(one))
    assert await told(desk) == waits
    assert await told(desk, UNTIL) != waits


async def test_a_failure_says_when_it_is_tried_again(desk: Desk) -> None:
    async with writing(desk.engine) as connection:
        await connections.change(connection, "inbox", problem="The mail server is busy", retry_at=UNTIL)
    assert await told(desk) == "The mail server is busy; tried again at 12:45 UTC"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_show_all_of_the_words_however_narrow(width: int) -> None:
    paper = io.StringIO()
    screen = Console(file=paper, width=width)
    words = "waiting 180 s for HubSpot's rate limit, until 12:45:00 UTC"
    progress = bars(screen)
    progress.add_task("HubSpot", total=400, completed=120, what=words)
    screen.print(progress.get_renderable())
    lines = paper.getvalue().splitlines()
    assert "120/400" in lines[0]
    assert {*words.split()} <= {*" ".join(lines).split()}


def test_bars_are_no_lines_in_a_file() -> None:
    paper = io.StringIO()
    with bars(Console(file=paper, width=80)) as progress:
        progress.add_task("HubSpot", total=400, completed=120, what="things read")
    assert paper.getvalue().strip() == ""
