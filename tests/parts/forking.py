"""Processes forked from one that has imported already what they need: to import it anew takes longer than to run it.

Python code of our own that is started often says what it imports, then `serve()`, then what each process does. `serve`
comes back in every process that is forked off, with arguments, environment and output of its own.
"""

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import IO

from tests.parts.leash import hold, leash

_LARGEST = 65_536


class Forked:
    """A process that was forked off; its methods are those of subprocess.Popen."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        """told: where its exit code comes."""
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._taking = threading.Lock()

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            with self._taking:
                if self.returncode is None:
                    self.returncode = int(self._told.recv(_LARGEST))
                    self._told.close()
        return self.returncode


class Parent:
    """The process that has imported, and forks off others. It ends with the process that started it."""

    def __init__(self, code: str) -> None:
        self._asked, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-c", code, str(number), str(leash())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(number, leash()))
        self._asking = threading.Lock()

    def fork(self, words: Sequence[str], environ: Mapping[str, str], output: IO[bytes]) -> Forked:
        """One more process. words: its arguments. output: for what it prints."""
        mine, theirs = socket.socketpair()
        with theirs, self._asking:
            asked = json.dumps({"words": list(words), "environ": dict(environ)}).encode() + b"\n"
            sent = socket.send_fds(self._asked, [asked], [output.fileno(), theirs.fileno()])
            self._asked.sendall(asked[sent:])
            pid = int(mine.recv(_LARGEST))
        return Forked(pid, mine)

    def close(self) -> None:
        """End it; what was forked off runs on."""
        self._asked.close()
        self._process.wait(20)


@cache
def parent(code: str) -> Parent:
    """The one of this code, which is started when it is first asked for."""
    made = Parent(code)
    atexit.register(made.close)
    return made


def serve() -> None:
    """Fork off whatever is asked for; comes back in what is forked off, and nowhere else."""
    asking = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the tests, which end this one
    signal.signal(signal.SIGCHLD, lambda *_: None)
    woken, waking = socket.socketpair()
    for one in (woken, waking):
        one.setblocking(False)
    signal.set_wakeup_fd(waking.fileno())
    running: dict[int, socket.socket] = {}
    gc.freeze()  # else the first collection in each process copies all that was imported
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            woken.recv(_LARGEST)
            _tell(running)
        if asking in ready and _forked(asking, running):
            for one in (asking, woken, waking, *running.values()):
                one.close()
            return


def _tell(running: dict[int, socket.socket]) -> None:
    """The exit codes of all that ended, to whoever had them forked off."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with running.pop(pid) as told, contextlib.suppress(BrokenPipeError):
                told.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _forked(asking: socket.socket, running: dict[int, socket.socket]) -> bool:
    """Do what is asked for; whether this is the new process. Ends this one when nobody is there to ask."""
    asked, given, _, _ = socket.recv_fds(asking, _LARGEST, 2)
    while asked and not asked.endswith(b"\n"):
        asked += asking.recv(_LARGEST)
    if not asked:
        os._exit(0)
    output, told = given
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(output, **json.loads(asked))
        return True
    os.close(output)
    running[pid] = socket.socket(fileno=told)
    running[pid].sendall(str(pid).encode())
    return False


def _become(output: int, words: list[str], environ: dict[str, str]) -> None:
    """What a process that was started with these would find."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    held = int(sys.argv[2])
    sys.argv[1:] = words
    hold(held)
