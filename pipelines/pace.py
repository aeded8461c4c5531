"""When understanding takes its next turn, as far as one worker knows.

While batches keep coming it pauses the longer the longer its last turn took: what a turn finds has gathered over
several batches, and each component is looked at once for all of them.
"""

from collections.abc import Callable
from math import inf

PATIENCE, LONGEST = 5.0, 30.0
"""Seconds for which what was left gathers at most while batches keep coming, and behind full ones."""
PAUSE = 3.0
"""How many times as long as its last turn took understanding waits before the next."""
QUIET = 0.2
"""Seconds without a batch after which there was none behind a full one: nothing more is to be waited for."""


class Pace:
    """Of one worker. clock: seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.behind = False
        """Whether the newest batch was full: more is waiting behind it."""
        self.pause = (0.0, 0.0)
        """Seconds after the last turn until the next, and until the next of who is behind."""
        self._next = self._next_behind = self._free = -inf
        self._merged = -inf
        self._backlog = False
        """Whether there was a full batch since the last turn began."""

    def merging(self) -> None:
        """A batch has come."""
        self._merged = inf

    def merged(self, *, full: bool) -> None:
        """It is merged."""
        self._merged = self.clock()
        self.behind = full
        self._backlog |= full

    def wait(self) -> float:
        """Seconds until the next turn; 0 or less: now."""
        now = self.clock()
        wait = (self._next_behind if self.behind else self._next) - now
        if self._backlog:
            wait = min(wait, self._merged + QUIET - now)
        return max(wait, self._free - now)

    @property
    def more(self) -> bool:
        """Whether more is waiting behind the newest batch, as far as is known."""
        return self.behind and self._merged + QUIET > self.clock()

    def over(self) -> bool:
        """Whether a backlog has come to its end, and its last part is not understood yet."""
        return self._backlog and self._merged + QUIET <= self.clock()

    def began(self) -> None:
        """A turn begins."""
        self._backlog = False

    def ended(self, took: float) -> None:
        """A turn that took so many seconds has ended."""
        rest = PAUSE * took
        self.pause = min(PATIENCE, rest), min(max(PATIENCE, rest), LONGEST)
        self.told(*self.pause)

    def told(self, rest: float, longer: float) -> None:
        """A pause lasts so many seconds from now, and so many for who is behind."""
        now = self.clock()
        self._next, self._next_behind = now + rest, now + longer

    def taken(self, seconds: float) -> None:
        """Another has its turn: look again after so many seconds."""
        self._free = self.clock() + seconds
