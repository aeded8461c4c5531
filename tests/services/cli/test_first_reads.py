"""`connections list --follow` shows first reads until none goes on any more."""

import asyncio
import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from pipelines.store import leases
from pipelines.store.engine import writing
from services.cli import first_reads
from services.feed import connections
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk
from tests.services.cli.test_commands import typed


class Followed:
    """The command at a terminal of its own, looking every few milliseconds."""

    def __init__(self, desk: Desk) -> None:
        self.paper = io.StringIO()
        screen = Console(file=self.paper, width=140, height=20, force_terminal=True, color_system=None)
        self.task = asyncio.create_task(first_reads.follow(desk.made, lambda: NOW, screen, every=0.005))

    async def shows(self, words: str) -> None:
        """Wait until it does."""
        async with asyncio.timeout(20):
            while words not in self.paper.getvalue():
                assert not self.task.done(), self.task.result()
                await asyncio.sleep(0.01)


async def change(desk: Desk, **values: Any) -> None:
    async with writing(desk.engine) as connection:
        await connections.change(connection, "inbox", **values)


async def test_bars_go_on_until_everything_is_read(desk: Desk) -> None:
    followed = Followed(desk)
    await followed.shows("120/400")
    await followed.shows("no hub reads now: start it with `throughline up`")
    async with writing(desk.engine) as connection:
        await leases.take(connection, "connection:inbox", "here", NOW)
    await followed.shows("things read")
    await change(desk, progress_done=300, problem="The mail server is busy", retry_at=NOW + timedelta(minutes=3))
    await followed.shows("300/400")
    await followed.shows("tried again at 12:45 UTC")
    await change(desk, progress_done=500)
    await followed.shows("500/?")
    await change(desk, progress_done=510, first_read_done=True)
    await asyncio.wait_for(followed.task, 20)
    shown = followed.paper.getvalue()
    assert "inbox" in shown
    assert "jira-acme" not in shown, "it was read long before"


@pytest.mark.parametrize(
    "values", [{"state": "paused"}, {"attention": True, "problem": "The password is refused"}], ids=["paused", "stuck"]
)
async def test_what_does_not_go_on_by_itself_ends_it(desk: Desk, values: dict[str, Any]) -> None:
    followed = Followed(desk)
    await followed.shows("120/400")
    await change(desk, **values)
    await asyncio.wait_for(followed.task, 20)
    assert followed.task.exception() is None


async def test_the_list_follows_the_bars(desk: Desk) -> None:
    await change(desk, first_read_done=True)
    told = typed(desk.environ, "connections", "list", "--follow")
    assert (told.returncode, told.stderr) == (0, "")
    assert "first read" not in told.stdout
    assert "inbox" in told.stdout
