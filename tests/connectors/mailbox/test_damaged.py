"""One mail that its server cannot hand out, or one folder that it does not open, stops no other."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.contract import Page, RetryLater
from connectors.mailbox.doubts import ASKED
from services.sandbox.mailbox import MailServer
from tests.connectors.mailbox.letters import NOON, letter
from tests.connectors.mailbox.servers import SandboxPost
from tests.connectors.mailbox.test_servers import opened
from tests.connectors.rig import events_of

BOTH = pytest.mark.parametrize("hang_up", [False, True])


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer() as running:
        for number in range(52):
            running.mailbox.append("INBOX", letter(f"Mail {number + 1}", number=number).as_bytes(), NOON)
        yield running


async def polled(server: MailServer, cursor: dict[str, Any] | None) -> tuple[list[Page], str]:
    """One poll by a source of its own, as after every failure: its pages, and why it stopped."""
    pages: list[Page] = []
    async with opened(SandboxPost(server)) as mailbox:
        try:
            async for page in mailbox.pages(cursor, None):
                pages.append(page)
        except RetryLater as later:
            return pages, str(later)
    return pages, ""


async def read_on(server: MailServer, polls: int = 40) -> tuple[list[Page], list[str]]:
    """Polls until one goes well: all pages, and why the others stopped."""
    pages: list[Page] = []
    stopped: list[str] = []
    for _ in range(polls):
        more, why = await polled(server, pages[-1].cursor if pages else None)
        pages += more
        if not why:
            return pages, stopped
        stopped.append(why)
    raise AssertionError(stopped)


def subjects(pages: list[Page]) -> list[str]:
    return [event.payload["headers"]["subject"] for event in events_of(pages)]


@BOTH
async def test_all_others_are_read_and_it_is_set_aside(server: MailServer, hang_up: bool) -> None:
    server.mailbox.append("INBOX", letter("Large", "Long text.\n" * 30_000, 200).as_bytes(), NOON)
    server.manners.damaged |= {("INBOX", 3), ("INBOX", 4), ("INBOX", 53)}
    server.manners.hang_up = hang_up
    pages, stopped = await read_on(server)
    assert len(events_of(pages)) == 50
    aside = [one for page in pages for one in page.set_aside]
    assert [one.native_id for one in aside] == ["INBOX/3", "INBOX/4", "INBOX/53"]
    assert all("hands out others, but not this mail" in one.reason and not one.raw for one in aside)
    assert len(stopped) == 3 * ASKED + 2
    assert "over mail 3 of the folder INBOX (time 1 of 5" in stopped[1]
    assert pages[-1].true_up_to is not None
    assert "doubts" not in pages[-1].cursor
    assert pages[-1].cursor["folders"]["INBOX"][1] == 53


@BOTH
async def test_what_comes_back_is_read(server: MailServer, hang_up: bool) -> None:
    server.manners.damaged, server.manners.hang_up = {("INBOX", 40)}, hang_up
    pages, cursor = [], None
    for _ in range(ASKED):  # one together, the others alone: one time less than is needed
        more, why = await polled(server, cursor)
        assert why
        pages += more
        cursor = pages[-1].cursor
    server.manners.damaged = set()
    more, why = await polled(server, cursor)
    assert why == ""
    assert len(events_of(pages + more)) == 52
    assert [page for page in pages + more if page.set_aside] == []


async def test_a_server_that_hands_out_no_mail_at_all_loses_none(server: MailServer) -> None:
    server.manners.damaged = {("INBOX", uid) for uid in range(1, 53)}
    cursor = None
    for _ in range(3 * ASKED):
        pages, why = await polled(server, cursor)
        assert why
        assert [page for page in pages if page.set_aside] == []
        cursor = pages[-1].cursor if pages else cursor
    server.manners.damaged = set()
    pages, why = await polled(server, cursor)
    assert (len(events_of(pages)), why) == (52, "")


async def test_a_busy_server_is_waited_for(server: MailServer) -> None:
    server.manners.damaged, server.manners.refusal = {("INBOX", 3)}, b"[UNAVAILABLE] later"
    cursor = None
    for _ in range(ASKED + 2):
        pages, why = await polled(server, cursor)
        assert "has no time for this account right now" in why
        cursor = pages[-1].cursor if pages else cursor
        assert cursor is None or "doubts" not in cursor


async def test_a_folder_that_is_not_opened_stops_no_other(server: MailServer) -> None:
    for name in ("Archive", "Zebra"):
        server.mailbox.add_folder(name)
        server.mailbox.append(name, letter(f"In {name}", number=300).as_bytes(), NOON)
    server.manners.shut = {"Archive"}
    pages, why = await polled(server, None)
    assert "does not open the folder Archive" in why
    assert "leave_out_folders" in why
    assert len(events_of(pages)) == 53
    assert all(page.true_up_to is None for page in pages)
    server.manners.shut = set()
    pages, why = await polled(server, pages[-1].cursor)
    assert ([event.payload["folder"] for event in events_of(pages)], why) == (["Archive"], "")
    assert pages[-1].true_up_to is not None


@BOTH
async def test_an_inventory_passes_it_over(server: MailServer, hang_up: bool) -> None:
    server.manners.damaged, server.manners.hang_up = {("INBOX", 9)}, hang_up
    server.mailbox.folders["INBOX"].mails = [
        type(mail)(mail.uid, mail.raw, datetime.now(UTC) - timedelta(hours=1))
        for mail in server.mailbox.folders["INBOX"].mails
    ]
    async with opened(SandboxPost(server)) as mailbox:
        listed = [one async for some in mailbox.inventory() for one in some]
    assert len({one.artifact for one in listed}) == 51
