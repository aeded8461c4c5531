"""The sandbox's own process side: what it keeps, ports, and the day that goes on."""

import asyncio
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.errors import Misconfigured
from services.sandbox.process import SandboxProcess
from services.sandbox.running import Wish, sandbox
from services.sandbox.standing import TOOLS, Folder, Standing
from tests.parts.presence import free_port


def _wish(folder: Path, **more: object) -> Wish:
    return replace(Wish(str(folder), pace=0, requests=6, months=1), **more)  # type: ignore[arg-type]


def _ports() -> dict[str, int]:
    """Those that the system does not give to others meanwhile."""
    return {tool: free_port() for tool in TOOLS}


async def test_the_same_company_comes_back_at_the_same_ports(tmp_path: Path) -> None:
    async with sandbox(_wish(tmp_path, ports=_ports())) as one:
        first = one.ready
    async with sandbox(_wish(tmp_path, seed=99)) as again:  # the folder knows better
        assert again.ready == first


async def test_what_was_lived_is_lived_again_at_its_times(tmp_path: Path) -> None:
    async with sandbox(_wish(tmp_path)) as one:
        living = asyncio.create_task(one.go_on(1e9))
        while len(one.folder.lived()) < 40:
            await asyncio.sleep(0.01)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        issues = one.player.jira.state.issues
        mails = [mail.raw for mail in one.player.mailbox.folders["INBOX"].mails]
    async with sandbox(_wish(tmp_path)) as again:
        assert again.player.jira.state.issues == issues
        assert [mail.raw for mail in again.player.mailbox.folders["INBOX"].mails] == mails


def test_a_line_cut_off_by_a_crash_did_not_happen(tmp_path: Path) -> None:
    with Folder.held(tmp_path) as folder:
        at = datetime(2026, 9, 1, tzinfo=UTC)
        folder.live(at)
        with (tmp_path / "lived.jsonl").open("a") as file:
            file.write("2026-09-0")
        assert folder.lived() == [at]
        assert folder.live(at)
        assert folder.lived() == [at, at]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is missing: a disk that is always full")
def test_a_full_disk_makes_the_companys_day_stand_still(tmp_path: Path) -> None:
    with Folder.held(tmp_path) as folder:
        (tmp_path / "lived.jsonl").symlink_to("/dev/full")
        assert not folder.live(datetime(2026, 4, 1, tzinfo=UTC))


async def test_a_port_that_somebody_else_took_is_replaced(tmp_path: Path) -> None:
    async with sandbox(_wish(tmp_path, ports=_ports())) as one:
        port = one.ready.mail_port
    with socket.create_server(("127.0.0.1", port)):
        async with sandbox(_wish(tmp_path)) as again:
            assert again.ready.mail_port != port
            assert again.ready.jira == one.ready.jira
        with pytest.raises(Misconfigured, match="mail is taken"):
            async with sandbox(_wish(tmp_path, ports={"mail": port})):
                pass


async def test_two_sandboxes_do_not_share_a_folder(tmp_path: Path) -> None:
    async with sandbox(_wish(tmp_path)):
        with pytest.raises(Misconfigured, match="Another sandbox"):
            async with sandbox(_wish(tmp_path)):
                pass


async def test_the_answer_lies_beside_it(tmp_path: Path) -> None:
    async with sandbox(_wish(tmp_path)) as one:
        answer = json.loads((tmp_path / "truth.json").read_text("utf-8"))
    assert len(answer) - 1 == one.ready.requests
    assert sum(one.ready.artifacts.values()) == sum(len(keys) for keys in answer.values())  # no deal is merged yet
    assert one.ready.examples[0] in {key.rpartition("/")[2] for keys in answer.values() for key in keys}


async def test_as_a_child_it_answers_and_ends_with_its_parent(tmp_path: Path) -> None:
    with Folder.held(tmp_path) as folder:
        folder.keep(Standing("2026-09-01T12:00:00+00:00", requests=6, months=1), {})
    with SandboxProcess(_wish(tmp_path)) as child:
        ready = await child.ready()
        reader, writer = await asyncio.open_connection(ready.mail_host, ready.mail_port)
        assert (await reader.readline()).startswith(b"* OK")
        writer.close()
        await writer.wait_closed()
        with SandboxProcess(_wish(tmp_path)) as second, pytest.raises(Misconfigured, match="Another sandbox"):
            await second.ready()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(ready.mail_host, ready.mail_port)
