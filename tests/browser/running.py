"""Commands of Throughline in processes of their own, as people start them: a hub, the sandbox's tools, or both."""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.parts.leash import leash, tied
from tests.parts.presence import wait_until

PATIENCE = 60_000
"""Milliseconds for which a page or a process is waited for; tools are asked meanwhile, on a busy machine."""
_ENDING = 20
"""Seconds that a process has to end by itself."""


class Command:
    """One command, which may be started again as it was."""

    def __init__(self, folder: Path, said: str, *words: str, **settings: str) -> None:
        """folder: its data. said: what it says once it is ready, as a pattern."""
        told = {"DATA_DIR": str(folder), "LOG_LEVEL": "warning", **settings}
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self._environment |= {f"THROUGHLINE_{name}": value for name, value in told.items()}
        self._words = words
        self._log = folder / "log"
        self._said = said
        self._process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None
        """How it ended, once it has."""

    def start(self) -> "re.Match[str]":
        """What it said when it was ready."""
        with self._log.open("w") as output:
            process = subprocess.Popen(
                _tied(self._words), stdout=output, stderr=subprocess.STDOUT, env=self._environment, pass_fds=(leash(),)
            )
        self._process = process
        wait_until(lambda: self._ready() is not None, PATIENCE / 1000, lambda: process.poll() is None, self.output)
        found = self._ready()
        assert found
        return found

    def stop(self) -> None:
        """End it, as Ctrl-C would; where it does not, kill it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.code = self._process.returncode

    def once(self, *words: str, **more: str) -> str:
        """What it prints, or another command with its settings, that ends well by itself. more: of its environment."""
        done = subprocess.run(
            _tied(words or self._words), env=self._environment | more, pass_fds=(leash(),), capture_output=True,
            text=True, check=False, timeout=PATIENCE / 1000,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def output(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def _ready(self) -> "re.Match[str] | None":
        return re.search(self._said, self.output())


def _tied(words: Sequence[str]) -> list[str]:
    return tied("from services.cli import main; main()", *words)


@contextmanager
def running(command: Command) -> Iterator["re.Match[str]"]:
    """It runs meanwhile; what it said when it was ready."""
    try:
        yield command.start()
    finally:
        command.stop()


@contextmanager
def company(folder: Path, requests: int) -> Iterator[str]:
    """The address of a hub with the sandbox company, once all that it had at the beginning is read; open to this
    machine."""
    words = ("up", "--sandbox", "--pace", "0", "--requests", str(requests))
    said = r"Open (http://[\d.:]+) in a browser"
    with running(Command(folder, said, *words, API_PORT="0", WEBHOOK_PORT="0")) as began:
        asyncio.run(_read(began[1]))
        yield began[1]


async def _read(address: str) -> None:
    async with asyncio.timeout(PATIENCE / 1000), httpx2.AsyncClient(base_url=address, timeout=60) as http:
        while True:
            answer = (await http.get("/v1/connections")).json()["items"]
            if len(answer) == 3 and all(one["first_read_done"] and one["true_up_to"] for one in answer):
                return
            await asyncio.sleep(0.2)
