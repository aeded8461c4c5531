"""The sandbox as a child process, seen from its parent."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Self

from schemas.errors import Misconfigured, RetryLater

if TYPE_CHECKING:
    from services.sandbox.running import Ready, Wish


class Ended(RetryLater):
    """The child ended before it answered."""


class SandboxProcess:
    """A sandbox that runs beside this process and never outlives it.

    Start it from the main thread: on Linux the kernel ends the child with the thread that started it.
    """

    def __init__(self, wish: "Wish") -> None:
        self._wish = wish
        self._process = self._started()

    def _started(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "services.sandbox.running"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            process_group=0,  # a terminal's Ctrl-C goes to a whole group; this one is ended in good order
        )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it ended already; whoever waits for it hears that
            process.stdin.write(json.dumps(asdict(self._wish)).encode() + b"\n")
            process.stdin.flush()
        return process

    async def ended(self, pause: float = 0.5) -> str:
        """Wait until the child is gone: how it ended, in a few words."""
        while True:
            code = self._process.poll()
            if code is not None:
                return f"killed by {_signal(-code)}" if code < 0 else f"exit code {code}"
            await asyncio.sleep(pause)

    def again(self) -> None:
        """Start it anew where it ended: the same company at the same ports."""
        self.stop()
        self._process = self._started()

    async def ready(self, seconds: float = 60.0) -> "Ready":
        """Wait until it listens. Raises Misconfigured (a taken port, a second sandbox), Ended, RetryLater."""
        from services.sandbox.running import Ready

        answer = json.loads(await self._line(seconds) or b"{}")
        if "problem" in answer:
            raise Misconfigured(answer["problem"], answer["mend"])
        if "ready" not in answer:
            raise Ended("The sandbox's tools ended while they were starting")
        return Ready(**answer["ready"])

    async def _line(self, seconds: float) -> bytes:
        """The child's first line. Looks again and again, so that nothing waits in a thread when this is cancelled."""
        assert self._process.stdout is not None
        descriptor, line = self._process.stdout.fileno(), b""
        os.set_blocking(descriptor, False)
        until = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            try:
                got = os.read(descriptor, 1 << 20)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RetryLater(f"The sandbox did not start within {seconds:g} s") from None
                await asyncio.sleep(0.02)
                continue
            if not got:
                break
            line += got
        return line

    def stop(self, seconds: float = 3.0) -> None:
        """End it; by force after `seconds`."""
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
