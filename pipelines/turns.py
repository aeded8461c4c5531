"""Turns for others on the same loop, while much is computed on it."""

import asyncio
import time

SLICE, GAP = 0.005, 0.002
"""Seconds of computing between two turns, and how long others have the loop for themselves: enough for a few statements
of theirs. In a thread they would have to wait for the interpreter with each of these."""


class Turns:
    """Asked between the parts of a long computation. generous: others get time of their own, and not just a turn."""

    def __init__(self, *, generous: bool) -> None:
        self._gap = GAP if generous else 0.0
        self._began = time.monotonic()

    async def give(self) -> None:
        """Let others go on, if this one has computed for a while."""
        if time.monotonic() - self._began >= SLICE:
            await asyncio.sleep(self._gap)
            self._began = time.monotonic()
