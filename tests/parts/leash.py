"""Run a command that ends when the process that started it ends, even by kill -9: `python leash.py COMMAND…`.

Stdin is the leash: when it closes, the command gets kill -9. Its keeper also collects what the command leaves behind,
so that "ended" means that no process, not even a dead one, still holds its files.

Python code of our own needs no keeper, and has the process id that was started: `tied` has it hold the leash itself.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO

ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_PR_SET_CHILD_SUBREAPER = 36


class Leashed:
    """A child process on a leash."""

    def __init__(self, command: Sequence[str], log: Path, cwd: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).resolve()), *command],
                stdin=subprocess.PIPE, stdout=out, stderr=out, cwd=cwd, start_new_session=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """kill -9 the command; returns when it and its children are gone."""
        stdin: IO[bytes] | None = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.close()
        self._process.wait(20)

    def terminate(self, signal_number: int, seconds: float) -> None:
        """Ask the command to stop; by force after `seconds`."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])


@cache
def leash() -> int:
    """For `pass_fds` of what is tied: a pipe that closes when this process is gone."""
    held, _ = os.pipe()  # nobody ever closes the other end
    return held


def tied(code: str, *words: str) -> list[str]:
    """A command for Python code with arguments that ends, by kill -9, when this process is gone; start it with
    `pass_fds=(leash(),)`."""
    return [sys.executable, "-c", f"from tests.parts.leash import hold; hold({leash()}); {code}", *words]


def hold(held: int) -> None:
    """End this process when the leash is cut. Raises OSError where it was not passed on."""
    os.fstat(held)

    def until_it_is_cut() -> None:
        while os.read(held, 1024):
            pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=until_it_is_cut, daemon=True, name="leash").start()


def _keep(command: Sequence[str]) -> int:
    for number in ASKING:
        signal.signal(number, lambda *_: None)  # ours to pass over; the command gets them as by default
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def until_the_leash_is_cut() -> None:
        while os.read(0, 1024):
            pass
        child.kill()

    threading.Thread(target=until_the_leash_is_cut, daemon=True).start()
    code = child.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return code


if __name__ == "__main__":
    os._exit(_keep(sys.argv[1:]) & 0xFF)
