"""Output that cannot be written, and questions that nobody is there to answer."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.terminal import EXIT_INTERRUPTED, EXIT_MISCONFIGURED, EXIT_WRONG_USE
from tests.services.cli.conftest import Desk

FULL = Path("/dev/full")
COMMAND = [sys.executable, "-c", "from services.cli import main; main()"]
KNOWN = "PAY-12"


def run(desk: Desk, *words: str, into: int | None = None, typed: int | None = None) -> tuple[int, str]:
    """Exit code, and what was said on standard error. into: standard output; typed: standard input, else none."""
    done = subprocess.run(
        [*COMMAND, *words], env={"PATH": os.environ["PATH"]} | desk.environ, timeout=60, check=False, text=True,
        stdin=subprocess.DEVNULL if typed is None else typed, stdout=subprocess.DEVNULL if into is None else into,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    return done.returncode, " ".join(done.stderr.replace("│", " ").split())


WRITING = [("requests",), ("requests", "--json"), ("changes",), ("lookup", KNOWN), ("openapi",), ("--help",)]


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", WRITING, ids=" ".join)
async def test_an_output_that_is_full_is_told_in_one_sentence(desk: Desk, words: tuple[str, ...]) -> None:
    with FULL.open("wb") as full:
        code, said = run(desk, *words, into=full.fileno())
    assert (code, said) == (
        EXIT_MISCONFIGURED,
        "Cannot go on: The output cannot be written (No space left on device). "
        "Make room where it goes, or send it elsewhere",
    )


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
async def test_a_reader_that_has_seen_enough_ends_it_quietly(desk: Desk, words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        assert run(desk, *words, into=write) == (0, "")
    finally:
        os.close(write)


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
async def test_remarks_that_cannot_be_written_stop_nothing(desk: Desk) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "connections", "pause", "crm"], env={"PATH": os.environ["PATH"]} | desk.environ, timeout=60,
            check=False, text=True, stdout=subprocess.PIPE, stderr=full,
        )  # fmt: skip
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["crm", "is", "paused."])


@pytest.mark.parametrize("words", [("remove", "crm"), ("add", "jira")], ids=" ".join)
async def test_a_question_that_nobody_answers_says_what_to_pass(desk: Desk, words: tuple[str, ...]) -> None:
    code, said = run(desk, "connections", *words)
    assert code == EXIT_WRONG_USE
    assert "There is nobody to answer that question. Without a terminal, " in said
    assert ("pass --yes to agree." if words[0] == "remove" else "give a file: --file connection.yaml") in said
    assert "Aborted" not in said


async def test_a_secret_that_nobody_can_type_is_asked_for_in_one_sentence(desk: Desk) -> None:
    code, said = run(desk, "connections", "change", "crm", "--secret", "token")
    assert (code, "Warning" in said) == (EXIT_WRONG_USE, False)
    assert "Without a terminal, give a file: --file connection.yaml" in said


async def test_a_password_that_nobody_can_type_is_asked_for_in_one_sentence(desk: Desk) -> None:
    code, said = run(desk, "accounts", "add", "Anna Berg")
    assert (code, "Warning" in said) == (EXIT_WRONG_USE, False)
    assert "Without a terminal, pass --password-from env:NAME or file:PATH." in said
    code, said = run(desk, "accounts", "add", "Anna Berg", "--role", "boss")
    assert (code, "choose of viewer, editor, admin" in said) == (EXIT_WRONG_USE, True)  # before a password is typed


async def test_ctrl_c_at_a_question_ends_the_command(desk: Desk) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "connections", "remove", "crm"], env={"PATH": os.environ["PATH"]} | desk.environ, stdin=theirs,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        os.set_blocking(process.stderr.fileno(), True)
        asked = process.stderr.read(len("Remove crm?"))
        process.send_signal(signal.SIGINT)
        assert (process.wait(20), asked) == (EXIT_INTERRUPTED, b"Remove crm?")
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(theirs)
