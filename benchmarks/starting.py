"""From the start of `throughline up` until it answers, and until the first request that it reads is visible."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from benchmarks.measure import quantile
from benchmarks.parts import Parts, Place
from benchmarks.results import Result
from benchmarks.sizes import Sizes
from pipelines.store.engine import open_engine
from services import migrations
from services.cli.installation import Installation
from services.cli.sandbox import connect
from services.sandbox.process import SandboxProcess
from services.sandbox.running import Ready, Wish

GOAL = 2.0
"""Seconds until the first event is visible."""
START_GOAL = 10.0
_LONGEST = 60.0


def run(parts: Parts, sizes: Sizes, tell: Callable[[str], None]) -> Result:
    """On both pairs, some times each, always on an empty database with the connections configured."""
    result = Result("Start")
    wish = Wish(str(parts.scratch / "company"), pace=0, requests=sizes.live_requests)
    with SandboxProcess(wish) as company:
        ready = asyncio.run(company.ready())
        for kind in sizes.pairs:
            tell(f"starting on {kind}")
            _start(parts, kind, ready)  # a first one, not counted: it may have to compile what is new
            times = [_start(parts, kind, ready) for _ in range(sizes.starts)]
            answers = [answered for answered, _ in times]
            visible = [seen for _, seen in times]
            result.add(
                f"{kind}: `up` until the API answers", f"{quantile(answers, 0.5):.2f} s", f"slowest {max(answers):.2f}",
                f"{START_GOAL:.0f} s", max(answers) <= START_GOAL,
            )  # fmt: skip
            result.add(
                f"{kind}: `up` until the first request is visible in the API", f"{quantile(visible, 0.5):.2f} s",
                f"slowest {max(visible):.2f}", f"{GOAL:.0f} s", quantile(visible, 0.5) <= GOAL,
            )  # fmt: skip
    result.notes.append(
        f"{sizes.starts} starts each, from the process's creation on, after one that compiled what was new; the "
        "sandbox's tools run already, as real ones do."
    )
    return result


def _start(parts: Parts, kind: str, ready: Ready) -> tuple[float, float]:
    """Seconds until it answers, and until the first request is there."""
    with parts.place(kind) as place:
        asyncio.run(_configure(place, ready))
        began = time.monotonic()
        with running(place), httpx2.Client(base_url=place.api, timeout=5) as client:
            answered = _until(lambda: client.get("/livez").status_code == 200) - began
            seen = _until(lambda: bool(client.get("/v1/requests").json().get("items"))) - began
    return answered, seen


async def _configure(place: Place, ready: Ready) -> None:
    installation = Installation.of(place.environ())
    engine = open_engine(place.database_url)
    await migrations.upgrade(engine)
    await connect(installation, engine, ready)
    await engine.dispose()


@contextmanager
def running(place: Place, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`throughline up` in a process of its own."""
    command = [str(Path(sys.executable).with_name("throughline")), "up"]
    with subprocess.Popen(command, env=place.environ(**more), stdout=subprocess.DEVNULL, cwd=Path.cwd()) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _until(holds: Callable[[], bool]) -> float:
    """When it held, on the monotonic clock."""
    deadline = time.monotonic() + _LONGEST
    while time.monotonic() < deadline:
        try:
            if holds():
                return time.monotonic()
        except httpx2.HTTPError:
            pass
        time.sleep(0.01)
    raise RuntimeError(f"not there within {_LONGEST:g} s")
