"""Threads for calls that block: what hangs in one of them holds up neither a task that was cancelled nor the process.

The standard library's pools are waited for when the interpreter ends; these threads are daemons, left behind there.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Job: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class Threads:
    """A few threads that take calls in turn, started as they are needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._unfinished = 0
        self._closed = False

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call's result. Cancelling leaves a call that has begun to itself; its result is dropped.

        Raises RuntimeError after `close`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("these threads were closed")
            self._unfinished += 1
            if self._unfinished > self._started and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        self._jobs.put((future, lambda: call(*args, **kwargs)))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the threads end after what was asked of them."""
        with self._lock:
            self._closed = True
            for _ in range(self._started):
                self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                _settle(future, call)
            with self._lock:
                self._unfinished -= 1
            del job, future, call  # a waiting thread keeps nothing alive


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - handed on to who asked
        future.set_exception(error)
    else:
        future.set_result(result)
