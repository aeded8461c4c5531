"""A database that takes no writes: commands say why and what to do, and status shows it while reading still works."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.cli import doctor, status, storage
from services.cli.installation import Installation
from services.cli.terminal import EXIT_MISCONFIGURED
from tests.services.cli.company import NOW
from tests.services.cli.conftest import Desk, environment
from tests.services.cli.test_unusable import throughline


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 30 MB large; needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk of its own cannot be mounted here (run the tests as root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def moved(desk: Desk, small_disk: Path, tmp_path: Path) -> dict[str, str]:
    """The company's hub with its database on the small disk: its environment."""
    file = storage.database_file(desk.made.settings)
    assert file is not None
    with closing(sqlite3.connect(file)) as there, closing(sqlite3.connect(small_disk / "hub.db")) as here:
        there.backup(here)
        here.execute("PRAGMA journal_mode=WAL")
    return environment(tmp_path, f"sqlite:///{small_disk / 'hub.db'}")


def read_only(folder: Path, *, now: bool = True) -> None:
    subprocess.run(["mount", "-o", f"remount,{'ro' if now else 'rw'}", str(folder)], check=True)


@pytest.mark.parametrize("words", [("status",), ("lookup", "PAY-12"), ("connections", "pause", "crm")], ids=" ".join)
async def test_a_file_system_that_can_only_be_read(
    moved: dict[str, str], small_disk: Path, words: tuple[str, ...]
) -> None:
    read_only(small_disk)
    code, said = throughline(moved, *words)
    assert (code, "Try again later" in said) == (EXIT_MISCONFIGURED, False)
    assert f"Let this user write to {small_disk / 'hub.db'} and its folder; a read-only file system must be" in said


async def test_status_and_doctor_show_a_full_disk(moved: dict[str, str], small_disk: Path, desk: Desk) -> None:
    made = Installation.of(moved)
    await status.status(made, NOW, desk.screen, for_programs=False)
    assert "takes no writes" not in desk.printed
    with closing(sqlite3.connect(small_disk / "hub.db")) as beside:  # as a hub that runs, it keeps the files it needs
        beside.execute("SELECT 1 FROM connections").fetchall()
        with (small_disk / "somebody elses").open("wb") as file:
            file.write(b"x" * (shutil.disk_usage(small_disk).free - 1_000_000))
        await status.status(made, NOW, desk.screen, for_programs=False)
        printed = " ".join(desk.printed.split())
        assert printed.startswith(
            "The database takes no writes: its disk is full (1 MB are free). Make room on the disk"
        )
        assert "jira-acme" in printed
        assert await doctor.doctor(made, NOW, desk.screen, for_programs=False) == EXIT_MISCONFIGURED
        assert "wrong database: The database takes no writes" in " ".join(desk.printed.split())


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_status_shows_a_server_that_can_only_be_read(desk: Desk) -> None:
    name = desk.engine.url.database
    async with desk.engine.connect() as connection:
        await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql(
            f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'
        )
    await status.status(desk.made, NOW, desk.screen, for_programs=False)
    assert "The database takes no writes: it can only be read. Give the address of one" in " ".join(
        desk.printed.split()
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_doctor_tells_a_damaged_file_with_what_to_do(desk: Desk) -> None:
    path = storage.database_file(desk.made.settings)
    assert path is not None
    assert await storage.damage(desk.made.settings, desk.engine) is None
    await desk.engine.dispose()
    with closing(sqlite3.connect(path)) as there:
        there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:  # as when a copy was put in its place beside another one's journal
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    assert await doctor.doctor(desk.made, NOW, desk.screen, for_programs=False) == EXIT_MISCONFIGURED
    printed = " ".join(desk.printed.split())
    assert "wrong database, " in printed
    assert printed.count("The database cannot be used: its file is damaged. Stop the hub, remove") == 1
