"""What a test does when a real part is not on this machine: skip and say which; with CI=true fail."""

import os
import socket
import time
from collections.abc import Callable
from typing import NoReturn

import pytest


class PartMissing(Exception):
    """A real part cannot be used here; the text says which, and how to get it."""


def missing(part: str) -> NoReturn:
    """Skip the test, or fail it where every part must be there."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"missing part: {part}")
    pytest.skip(f"missing part: {part}")


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


def wait_until(ready: Callable[[], bool], seconds: float, alive: Callable[[], bool], why: Callable[[], str]) -> None:
    """Poll `ready`; raise with `why()` when `alive` turns false or time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not alive() or time.monotonic() > deadline:
            raise RuntimeError(f"not ready within {seconds:g} s:\n{why()}")
        time.sleep(0.05)
