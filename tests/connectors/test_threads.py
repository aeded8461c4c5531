"""Blocking calls in threads: results, errors, and an end that waits for nothing that hangs."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from connectors.threads import Threads


async def test_results_and_errors_come_back() -> None:
    threads = Threads(2, "test")
    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 7, 0)
    threads.close()
    with pytest.raises(RuntimeError, match="closed"):
        await threads.run(divmod, 7, 2)


async def test_as_many_at_once_as_there_are_threads() -> None:
    threads, meeting = Threads(3, "test"), threading.Barrier(3, timeout=60)
    await asyncio.gather(*(threads.run(meeting.wait) for _ in range(3)))
    names = {await threads.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert names <= {"test-1", "test-2", "test-3"}
    threads.close()


async def test_a_cancelled_call_that_has_not_begun_never_does() -> None:
    threads, go_on, ran = Threads(1, "test"), threading.Event(), list[int]()
    first = asyncio.create_task(threads.run(go_on.wait, 60))
    second = asyncio.create_task(threads.run(ran.append, 1))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go_on.set()
    assert await first is True
    await threads.run(ran.append, 2)
    assert ran == [2]
    threads.close()


def test_a_call_that_hangs_holds_up_no_process() -> None:
    code = """
import asyncio, time
from connectors.threads import Threads
async def main():
    try:
        async with asyncio.timeout(0.1):
            await Threads(1, "hung").run(time.sleep, 60)
    except TimeoutError:
        print("gone on")
asyncio.run(main())
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert (done.stdout, time.monotonic() - began < 40) == ("gone on\n", True)
