"""What a test does when a real part is not on this machine: skip and say which; with CI=true fail."""

import contextlib
import itertools
import os
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest


class PartMissing(Exception):
    """A real part cannot be used here; the text says which, and how to get it."""


def missing(part: str) -> NoReturn:
    """Skip the test, or fail it where every part must be there."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"missing part: {part}; .ci/run installs what is missing", pytrace=False)
    pytest.skip(f"missing part: {part}")


def material(name: str) -> Path:
    """A file or folder of real material, which lies beside the checkout and not in it.

    Where it is absent the test is skipped, naming it, with CI=true too: nothing installs it.
    """
    path = Path(__file__).parents[3] / "shared" / "data" / name
    if not path.exists():
        pytest.skip(f"real material that lies beside the checkout where there is any: ../shared/data/{name}")
    return path


def _ports() -> Iterator[int]:
    """Ports below those that the system gives to whoever asks for any: in an order of this process's own.

    A port that the system gave and that is let go again may be somebody else's before it is used, or its own caller's:
    a connection to a port of that range where nobody listens can be made from that very port.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32_768
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = [port for port in range(10_000, lowest if 12_000 < lowest < 32_768 else 32_768) if port % 8 == worker % 8]
    random.shuffle(mine)  # beside tests of another run
    return itertools.cycle(mine)


_PORTS = _ports()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that nobody else here is given."""
    for port in itertools.islice(_PORTS, 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


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
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends while it is read
        return False


def within_seconds(holds: Callable[[], bool], seconds: float = 30) -> bool:
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
