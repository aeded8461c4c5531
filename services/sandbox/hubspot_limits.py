"""HubSpot's request limits: per ten seconds, per day, and per second for searches, which it does not announce."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limits:
    """Counts requests; `refusal` names the policy that a request would break."""

    requests: int = 190
    """In ten seconds: a Professional or Enterprise account's private app ("Usage guidelines")."""
    daily: int = 650_000
    searches: int = 5
    """In one second, for the whole account ("CRM search", limits)."""
    on: bool = True
    clock: Callable[[], float] = time.monotonic
    today: int = 0
    refused: list[str] = field(default_factory=list)
    """The policy of each refusal so far."""
    _recent: deque[float] = field(default_factory=deque)
    _searches: deque[float] = field(default_factory=deque)

    def refusal(self, *, search: bool) -> str | None:
        """Count one request: None, or the name of the policy it breaks."""
        if not self.on:
            return None
        now = self.clock()
        _drop(self._recent, now - 10)
        _drop(self._searches, now - 1)
        broken = self._broken(search=search)
        if broken:
            self.refused.append(broken)
            return broken
        self.today += 1
        self._recent.append(now)
        if search:
            self._searches.append(now)
        return None

    def _broken(self, *, search: bool) -> str | None:
        if self.today >= self.daily:
            return "DAILY"
        if search and len(self._searches) >= self.searches:
            return "SECONDLY"
        return "TEN_SECONDLY_ROLLING" if len(self._recent) >= self.requests else None

    def headers(self) -> dict[str, str]:
        """What answers announce; a search's do not."""
        return {
            "X-HubSpot-RateLimit-Max": str(self.requests),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.requests - len(self._recent))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.today)),
        }


def _drop(times: deque[float], before: float) -> None:
    while times and times[0] <= before:
        times.popleft()
