"""What a person must mend before anything runs: one sentence with the mend, and exit code 3."""

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.terminal import EXIT_MISCONFIGURED, EXIT_UNAVAILABLE
from tests.parts.postgres import Postgres
from tests.parts.presence import free_port


def throughline(environ: dict[str, str], *words: str) -> tuple[int, str]:
    """Exit code, and what was said on standard error."""
    command = [sys.executable, "-c", "from services.cli import main; main()", *words]
    bare = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environ
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, " ".join(done.stderr.split())


@pytest.mark.parametrize("words", [("up",), ("connections", "list"), ("status",), ("migrate",)])
def test_a_file_that_is_no_database(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "throughline.db").write_text("This is no database, though its name says so. " * 50)
    code, said = throughline({"THROUGHLINE_DATA_DIR": str(tmp_path)}, *words)
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "The database cannot be used: its file is no SQLite database. Correct THROUGHLINE_DATABASE_URL" in said


def test_a_database_that_is_away_is_no_fault_of_a_migration(tmp_path: Path) -> None:
    url = f"postgresql://hub:s3cret@127.0.0.1:{free_port()}/hub"
    code, said = throughline({"THROUGHLINE_DATA_DIR": str(tmp_path), "THROUGHLINE_DATABASE_URL": url}, "migrate")
    assert (code, "Traceback" in said) == (EXIT_UNAVAILABLE, False)
    assert "The database cannot be used now: it does not answer. Look whether it runs" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("words", [("up",), ("migrate",)])
def test_a_database_of_a_newer_release(tmp_path: Path, words: tuple[str, ...]) -> None:
    with sqlite3.connect(tmp_path / "throughline.db") as newer:
        newer.execute("CREATE TABLE alembic_version (version_num TEXT)")
        newer.execute("INSERT INTO alembic_version VALUES ('9999')")
    code, said = throughline({"THROUGHLINE_DATA_DIR": str(tmp_path)}, *words)
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "The database is at 9999, this release knows" in said
    assert "Start the newer release that made it, or put back the backup from before the upgrade" in said


@pytest.mark.postgres
@pytest.mark.parametrize("words", [("run", "query"), ("migrate",)])
def test_a_database_whose_user_may_make_nothing_in_it(
    postgres: Postgres, tmp_path: Path, words: tuple[str, ...]
) -> None:
    database = postgres.create_database()
    user = f"low_{database}"
    postgres.sql(f"CREATE USER {user}")
    url = f"postgresql://{user}@127.0.0.1:{postgres.port}/{database}"
    environ = {"THROUGHLINE_DATA_DIR": str(tmp_path), "THROUGHLINE_DATABASE_URL": url,
               "THROUGHLINE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}  # fmt: skip
    code, said = throughline(environ, *words)
    postgres.drop_database(database)
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "this user may not do what is needed; it has to own the database" in said


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    code, said = throughline({"THROUGHLINE_DATA_DIR": str(tmp_path / "data")}, "up")
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "data cannot be made (it is a file). Set THROUGHLINE_DATA_DIR to a folder" in said


def test_a_data_directory_that_nobody_can_make() -> None:
    code, said = throughline({"THROUGHLINE_DATA_DIR": "/proc/nope"}, "up")
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "The data directory /proc/nope cannot be made" in said


@pytest.mark.parametrize(("taken", "free"), [("API", "WEBHOOK"), ("WEBHOOK", "API")])
def test_a_taken_port_is_named_with_its_setting(tmp_path: Path, taken: str, free: str) -> None:
    """The embedded broker's cannot be: the system gives it one that is free."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        environ = {"THROUGHLINE_DATA_DIR": str(tmp_path / "data"), f"THROUGHLINE_{taken}_PORT": str(port),
                   f"THROUGHLINE_{free}_PORT": "0"}  # fmt: skip
        code, said = throughline(environ, "up")
    assert code == EXIT_MISCONFIGURED
    mend = f"Stop what listens there, or set THROUGHLINE_{taken}_PORT to another port"
    assert f"Nothing can listen at 127.0.0.1:{port}. {mend}" in said
    assert said.startswith("Cannot go on"), "no library speaks first"


def test_an_address_that_is_not_of_this_machine(tmp_path: Path) -> None:
    environ = {"THROUGHLINE_DATA_DIR": str(tmp_path / "data"), "THROUGHLINE_WEBHOOK_HOST": "192.0.2.1",
               "THROUGHLINE_API_PORT": "0"}  # fmt: skip
    code, said = throughline(environ, "up")
    assert code == EXIT_MISCONFIGURED
    assert "Nothing can listen at 192.0.2.1:" in said
    assert "Set THROUGHLINE_WEBHOOK_HOST to an address of this machine" in said
