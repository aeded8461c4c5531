"""A newcomer: clone into an empty folder, `make demo`, the commands that it prints, Ctrl-C, kill -9 and again."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.presence import alive, free_port, missing

TOP = Path(__file__).parents[2]
READY = re.compile(r"(\d+) requests after ([\d.]+) s, the first of them after ([\d.]+) s")
PATIENCE = 150


class Demo:
    """`make demo` in a clone of this checkout, with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "throughline"
        subprocess.run(["git", "clone", "--quiet", str(TOP), str(self.clone)], check=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("THROUGHLINE_", "VIRTUAL_"))}
        # Ports of our own: somebody may be trying the demo on this machine.
        ports = {"THROUGHLINE_API_PORT": str(free_port()), "THROUGHLINE_WEBHOOK_PORT": str(free_port())}
        self.environ = kept | ports | {"PYTHON": sys.executable}
        self.log = folder / "demo.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                ["make", "demo"], cwd=self.clone, env=self.environ, stdout=file, stderr=file, start_new_session=True
            )

    def ready(self) -> re.Match[str]:
        """Wait for the line that says how many requests there are."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := READY.search(self.log.read_text("utf-8", "replace")):
                return found
            time.sleep(0.1)
        raise AssertionError(f"the demo did not say that it is ready:\n{self.log.read_text()[-3000:]}")

    def children(self) -> list[int]:
        """Every process of the demo's session."""
        assert self.process is not None
        command = ["ps", "-o", "pid=", "-g", str(self.process.pid)]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)
        return [int(pid) for pid in listed.stdout.split()]

    def end(self, how: int) -> int:
        """Signal the whole session, as a terminal does at Ctrl-C."""
        assert self.process is not None
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(20)

    def run(self, command: str) -> str:
        shell = {"shell": True, "cwd": self.clone, "env": self.environ}
        done = subprocess.run(command, **shell, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    if not (TOP / ".git").exists():
        missing("a git checkout")
    made = Demo(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)


@pytest.mark.timeout(400)
def test_a_newcomer_sees_requests_and_nothing_is_left_behind(demo: Demo) -> None:
    demo.start()
    count = int(demo.ready()[1])
    assert count >= 30
    said = demo.log.read_text()
    commands = re.findall(r"^\s+(THROUGHLINE_DATA_DIR=\S+ \.venv/bin/throughline lookup .+)$", said, re.MULTILINE)
    assert len(commands) >= 2
    for command in commands:
        shown = demo.run(command)
        assert "alignment" in shown
        assert "Up to when" in shown
    listed = demo.run("THROUGHLINE_DATA_DIR=.demo .venv/bin/throughline requests --json --limit 100")
    assert len(listed.splitlines()) >= 30
    family = demo.children()
    assert len(family) >= 3
    os.killpg(demo.process.pid if demo.process else 0, signal.SIGKILL)
    demo.end(signal.SIGKILL)
    demo.start()
    again = demo.ready()
    assert abs(int(again[1]) - count) <= 5, "a start after a crash goes on where it was"
    family = demo.children()
    demo.end(signal.SIGINT)
    time.sleep(1)
    assert [pid for pid in family if alive(pid)] == []
