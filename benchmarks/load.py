"""A load of GET requests over kept connections, each client waiting for its answer before it asks again.

    python -m benchmarks.load PORT SECONDS CLIENTS FILE [TOKEN]

FILE has a path in each line, asked for in turns; TOKEN is sent with each, if there is one.
Answers with how many were answered by 200, and quantiles in ms.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from typing_extensions import override

from benchmarks.measure import quantile
from benchmarks.parts import say

_WARM = 0.25
"""Of the time before counting begins."""


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, paths: Iterator[bytes], begins: float, ends: float, token: bytes = b"") -> None:
        self._head = b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + (b"Authorization: Bearer %b\r\n" % token if token else b"")
        self.paths, self.begins, self.ends = paths, begins, ends
        self.times: list[float] = []
        self.wrong = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer = bytearray()
        self._asked = 0.0
        self._wanted = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._wanted = 0
        self._answer.clear()
        self._transport.write(b"GET " + next(self.paths) + self._head + b"\r\n")  # type: ignore[attr-defined]

    @override
    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._wanted:
            end = self._answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._answer[:end]).lower()
            start = head.index(b"content-length:") + 15
            self._wanted = end + 4 + int(head[start : head.find(b"\r", start) if b"\r" in head[start:] else None])
        if len(self._answer) >= self._wanted:
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        if not self._answer.startswith(b"HTTP/1.1 200"):
            self.wrong += 1
        elif self._asked >= self.begins:
            self.times.append(now - self._asked)
        if now < self.ends or not (self.times or self.wrong):  # one answer at least, however slow
            self._ask()
        elif not self.done.done():
            self._transport.close()
            self.done.set_result(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))


async def run(port: int, seconds: float, clients: int, paths: list[bytes], token: bytes) -> list[tuple[str, float]]:
    """Ask for so long."""
    now = time.perf_counter()
    begins, ends = now + _WARM * seconds, now + (1 + _WARM) * seconds
    turns = itertools.cycle(paths)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(turns, begins, ends, token), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.gather(*(client.done for _, client in made))
    times = [one for _, client in made for one in client.times]
    wrong = sum(client.wrong for _, client in made)
    return [
        ("answered", len(times)), ("wrong", wrong), ("rate", len(times) / seconds),
        ("p50", quantile(times, 0.5) * 1000), ("p99", quantile(times, 0.99) * 1000),
    ]  # fmt: skip


if __name__ == "__main__":
    _port, _seconds, _clients, _file, *_token = sys.argv[1:]
    _paths = Path(_file).read_bytes().split()
    say(uvloop.run(run(int(_port), float(_seconds), int(_clients), _paths, "".join(_token).encode())))
