"""How often one caller may ask: so many requests a minute, in bursts as they come."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from starlette.types import Scope

from schemas.access import Caller
from services.query.access import AGAIN, Access
from services.query.refused import Refused

_KNOWN_AT_MOST = 10_000


class Paced:
    """Access with a limit for each caller; of those who are not known, for each address.

    Counted in this process: several processes let through as many times as much. Whoever is this machine is not
    limited.
    """

    def __init__(self, access: Access, a_minute: int, clock: Callable[[], float] | None = None) -> None:
        """clock: seconds that never go back; None: the loop's."""
        self._access = access
        self._burst = float(a_minute)
        self._a_second = a_minute / 60
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def caller(self, scope: Scope) -> Caller | None:
        """As the access says. Raises Refused (429) for who asks too often."""
        if AGAIN in scope:
            return await self._access.caller(scope)
        address = f"address {(scope.get('client') or ('', 0))[0]}"
        try:
            known = await self._access.caller(scope)
        except Refused:
            self._take(address)
            raise
        if known is None or known.how != "loopback":
            self._take(f"{known.how} {known.account} {known.name}" if known else address)
        return known

    def _take(self, who: str) -> None:
        now = self._clock() if self._clock else asyncio.get_running_loop().time()
        left, at = self._left.pop(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._a_second)
        if left >= 1:
            self._keep(who, left - 1, now)
            return
        self._keep(who, left, now)
        seconds = max(1, ceil((1 - left) / self._a_second))
        raise Refused(
            429, "too-many-requests", f"More than {self._burst:g} requests came within a minute.",
            f"Go on in {seconds} s, and ask less often: several references at once, or the change feed.",
            headers={"Retry-After": str(seconds)},
        )  # fmt: skip

    def _keep(self, who: str, left: float, now: float) -> None:
        self._left[who] = (left, now)
        while len(self._left) > _KNOWN_AT_MOST:
            self._left.popitem(last=False)
