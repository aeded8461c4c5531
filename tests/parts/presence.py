"""What a test does when a real part is not on this machine: skip and say which; with CI=true fail."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest


class PartMissing(Exception):
    """A real part cannot be used here; the text says which, and how to get it."""


def missing(part: str) -> NoReturn:
    """Skip the test, or fail it where every part must be there."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"missing part: {part}")
    pytest.skip(f"missing part: {part}")


def material(name: str) -> Path:
    """A file or folder of real material, which lies beside the checkout and not in it.

    Where it is absent the test is skipped, naming it, with CI=true too: nothing installs it.
    """
    path = Path(__file__).parents[3] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"real material is absent: ../shared/data/{name}")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def alive(pid: int) -> bool:
    """Whether a process runs (a dead one that nobody has collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def within_seconds(holds: Callable[[], bool], seconds: float = 5) -> bool:
    """Poll `holds` until it is true, for at most `seconds`; gives whether it is."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def wait_until(ready: Callable[[], bool], seconds: float, going: Callable[[], bool], why: Callable[[], str]) -> None:
    """Poll `ready`; raise with `why()` when `going` turns false or time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not going() or time.monotonic() > deadline:
            raise RuntimeError(f"not ready within {seconds:g} s:\n{why()}")
        time.sleep(0.05)
