"""The real parts themselves: what they keep over kill -9, and that none outlives the tests."""

import asyncio
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services import migrations
from tests.conftest import Pair
from tests.parts.copies import prepared
from tests.parts.forking import parent
from tests.parts.postgres import Postgres
from tests.parts.presence import alive, within_seconds

OWNER = """
import os, subprocess, sys, time
from pathlib import Path
from tests.parts.leash import Leashed, leash, tied
folder = Path(sys.argv[1])
{begin}
print("ready", flush=True)
time.sleep(60)
"""
KEPT = """leashed = Leashed(["sh", "-c", "echo $$ > pid.new; mv pid.new pid; exec sleep 60"], folder / "log", folder)"""
HUB = """
import os, sys, time
from pathlib import Path
new = Path(sys.argv[1], "pid.new")
new.write_text(str(os.getpid()))
new.rename(new.with_name("pid"))
time.sleep(60)
"""
FORKING = f"from tests.parts.forking import serve; serve(); exec({HUB!r})"
FORKED = f"""
from tests.parts.forking import parent
with (folder / "log").open("wb") as log:
    hub = parent({FORKING!r}).fork((str(folder),), os.environ, log)
"""
TIED = f"hub = subprocess.Popen(tied({HUB!r}, str(folder)), pass_fds=(leash(),))"


@pytest.mark.postgres
async def test_postgres_keeps_what_was_committed_over_kill(postgres: Postgres, postgres_url: str) -> None:
    engine = create_async_engine(postgres_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE kept (n int)"))
        await connection.execute(text("INSERT INTO kept VALUES (7)"))
    await engine.dispose()
    await asyncio.to_thread(postgres.kill)
    assert not postgres.running
    await asyncio.to_thread(postgres.start)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT n FROM kept"))).scalar_one() == 7
    await engine.dispose()


async def test_each_database_is_new_and_empty(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE mine (n int)"))
    await engine.dispose()
    assert engine.dialect.name in database_url


async def numbered(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE numbers (n int)"))
        await connection.execute(text("INSERT INTO numbers VALUES (7)"))


async def test_what_is_written_into_a_copy_is_in_no_other(database_url: str) -> None:
    for _ in range(3):
        await prepared(database_url, numbered)
        engine = create_async_engine(database_url)
        assert await migrations.current(engine) == migrations.HEAD
        async with engine.begin() as connection:
            assert (await connection.execute(text("SELECT n FROM numbers"))).scalars().all() == [7]
            await connection.execute(text("INSERT INTO numbers VALUES (8)"))
        await engine.dispose()
        if engine.dialect.name == "sqlite":
            Path(engine.url.database or "").unlink()


def test_a_pair_belongs_together(pair: Pair) -> None:
    assert pair.kind == f"{pair.bus.kind}+{pair.database_url.partition('+')[0]}"
    assert pair.bus.settings.embedded == (pair.bus.embedded is not None) == (pair.postgres is None)


@pytest.mark.parametrize("begin", [KEPT, TIED, FORKED], ids=["a server", "a hub", "a forked hub"])
def test_what_the_tests_started_ends_when_they_are_killed(tmp_path: Path, begin: str) -> None:
    command = [sys.executable, "-c", OWNER.format(begin=begin), str(tmp_path)]
    owner = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    pid = tmp_path / "pid"
    assert within_seconds(pid.exists)
    number = int(pid.read_text())
    assert alive(number)
    owner.kill()
    owner.communicate()
    assert within_seconds(lambda: not alive(number))


TELLING = """
import os, sys, time
from tests.parts.forking import serve
serve()
print(os.environ["SAID"], *sys.argv[1:], flush=True)
if sys.argv[1] == "waits":
    time.sleep(60)
sys.exit(int(sys.argv[1]))
"""


def test_what_is_forked_off_has_words_environment_output_and_exit_code_of_its_own(tmp_path: Path) -> None:
    names = ("7", "0", "waits")
    logs = [tmp_path / name for name in names]
    with ExitStack() as files:
        started = [
            parent(TELLING).fork((name, "more"), {"SAID": f"to {name}"}, files.enter_context(log.open("wb")))
            for name, log in zip(names, logs, strict=True)
        ]
    assert [one.wait(20) for one in started[:2]] == [7, 0]
    waiting = started[2]
    assert within_seconds(lambda: logs[2].read_text() != "")
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    waiting.kill()
    assert waiting.wait(20) == -signal.SIGKILL
    assert not alive(waiting.pid)
    assert [log.read_text() for log in logs] == [f"to {name} {name} more\n" for name in names]
