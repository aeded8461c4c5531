"""`up` as a person sees it begin and end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import httpx2
import pytest

from pipelines.store.engine import writing
from services import migrations
from services.cli.beginning import said_to_run
from services.cli.installation import Installation
from services.cli.processes import ROLES
from services.feed import connections
from tests.parts.leash import leash, tied


def up(folder: Path, **settings: str) -> "subprocess.Popen[str]":
    told = {"DATA_DIR": str(folder), "API_PORT": "0", "WEBHOOK_PORT": "0"} | settings
    return subprocess.Popen(
        tied("from services.cli import main; main()", "up"), stderr=subprocess.PIPE, text=True, pass_fds=(leash(),),
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | {f"THROUGHLINE_{k}": v for k, v in told.items()},
    )  # fmt: skip


@pytest.mark.parametrize(("roles", "where", "said"), [
    (ROLES, ["the API at http://a"], "The hub runs: the API at http://a. Ctrl-C ends it."),
    (["ingest"], [], "The role ingest of the hub runs. Ctrl-C ends it."),
    (["feed", "ingest", "feed"], ["probes at http://b"],
     "The roles feed and ingest of the hub run: probes at http://b. Ctrl-C ends them."),
])  # fmt: skip
def test_what_runs_is_said_as_it_is(roles: Sequence[str], where: list[str], said: str) -> None:
    assert said_to_run(roles, where, whole=set(roles) == set(ROLES)) == said


def test_it_says_in_one_line_where_it_listens_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    process = up(tmp_path / "data", OPEN_TO_THIS_MACHINE="true")
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("The hub runs: the API at http://127.0.0.1:")
        assert said.endswith(". Ctrl-C ends it.\n")
        address = said.partition("the API at ")[2].partition(",")[0]
        assert httpx2.get(f"{address}/livez", timeout=30).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def test_the_first_start_tells_a_link_that_makes_the_first_account_once(tmp_path: Path) -> None:
    process = up(tmp_path / "data")
    try:
        assert process.stderr is not None
        address = process.stderr.readline().partition("the API at ")[2].partition(",")[0]
        assert process.stderr.readline().startswith("No account exists yet. Within 24 hours")
        link = process.stderr.readline().strip()
        assert link.startswith(f"{address}/set-up?key=")
        get, post = partial(httpx2.get, timeout=30), partial(httpx2.post, timeout=30)
        assert get(f"{address}/v1/requests").status_code == 401
        body = {"key": link.partition("key=")[2], "name": "Anna Berg", "password": "correct horse battery"}
        made = post(f"{address}/v1/set-up", json=body)
        assert (made.status_code, made.json()["role"]) == (200, "admin")
        assert post(f"{address}/v1/set-up", json=body | {"name": "Eve"}).status_code == 403
        signed_in = {"Cookie": made.headers["Set-Cookie"].partition(";")[0]}
        assert get(f"{address}/v1/requests", headers=signed_in).status_code == 200
        added = {"connector": "jira", "name": "j", "unchecked": True, "options": {
            "base_url": "https://jira.invalid",
            "auth": {"kind": "api_token", "email": "hub@acme.example", "token": "t"}}}  # fmt: skip
        answer = post(f"{address}/v1/connections", json=added, headers=signed_in | {"Origin": address})
        assert answer.status_code == 201, answer.text
        told = get(f"{address}/v1/connections/j/webhook", headers=signed_in).json()
        assert post(told["webhook"]["url"], json={}).status_code == 401
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at how a process ends")
async def test_a_mail_server_that_hangs_holds_up_no_end(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    asked, folder = asyncio.Event(), tmp_path / "data"
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    made = Installation.of({"THROUGHLINE_DATA_DIR": str(folder)})
    told = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "security": "plain",
            "auth": {"kind": "password", "user": "u", "password": "p"}}  # fmt: skip
    async with made.engine() as engine:
        await migrations.upgrade(engine)
        options = connections.parse_options(made.catalogue["mailbox"].Options, told)
        async with writing(engine) as connection:
            await connections.add(connection, "inbox", "mailbox", "Inbox", options, None, made.keys)
    process = up(folder, ALLOW_LOOPBACK_TOOLS="true")
    try:
        async with asyncio.timeout(60):
            await asked.wait()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 60) == 0
        assert time.monotonic() - began < 15
    finally:
        process.kill()
        process.communicate()
        server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks at process groups")
@pytest.mark.parametrize("after", [0.1, 0.25, 0.45, 0.75])
@pytest.mark.parametrize("words", [("up", "--sandbox"), ("status",)], ids=" ".join)
def test_ctrl_c_while_it_loads_ends_it_without_a_word(tmp_path: Path, words: tuple[str, ...], after: float) -> None:
    told = {"DATA_DIR": str(tmp_path / "data"), "API_PORT": "0", "WEBHOOK_PORT": "0"}
    begun, begins = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os; from services.cli import main; os.write({begins}, b'.'); main()", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | {f"THROUGHLINE_{k}": v for k, v in told.items()},
        stderr=subprocess.PIPE, text=True, pass_fds=(begins,),
        start_new_session=True, preexec_fn=_mind_ctrl_c,  # noqa: PLW1509 - no thread of ours holds a lock then
    )  # fmt: skip
    os.close(begins)
    assert os.read(begun, 1) == b"."  # what Python itself says of Ctrl-C before that is not ours
    os.close(begun)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "Traceback" not in said


def _mind_ctrl_c() -> None:
    """Whoever runs the tests in the background may have had it ignored, which every child inherits."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_release_is_told() -> None:
    command = [sys.executable, "-c", "from services.cli import main; main()", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"throughline {version('throughline')}\n"
