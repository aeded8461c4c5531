"""What a person must mend before anything runs: one sentence with the mend, and exit code 3."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.terminal import EXIT_MISCONFIGURED


def throughline(environ: dict[str, str], *words: str) -> tuple[int, str]:
    """Exit code, and what was said on standard error."""
    command = [sys.executable, "-c", "from services.cli import main; main()", *words]
    bare = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | environ
    done = subprocess.run(command, env=bare, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, " ".join(done.stderr.split())


@pytest.mark.parametrize("words", [("up",), ("connections", "list"), ("status",)])
def test_a_file_that_is_no_database(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "throughline.db").write_text("This is no database, though its name says so. " * 50)
    code, said = throughline({"THROUGHLINE_DATA_DIR": str(tmp_path)}, *words)
    assert (code, "Traceback" in said) == (EXIT_MISCONFIGURED, False)
    assert "The database cannot be used: its file is no SQLite database. Correct THROUGHLINE_DATABASE_URL" in said


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
