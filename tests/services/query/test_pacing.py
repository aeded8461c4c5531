"""How often one caller may ask."""

from typing import Any

from schemas.access import THIS_MACHINE, Caller, Role
from services.query.pacing import Paced
from services.query.refused import Refused

BEN = Caller("Ben", Role.VIEWER, "token", "A-1")


class Someone:
    """Access that knows who the scope says."""

    async def caller(self, scope: Any) -> Caller | None:
        """That one."""
        if scope.get("bad"):
            raise Refused(401, "token", "No.", "No.")
        known: Caller | None = scope.get("who")
        return known


def scope(who: Caller | None, client: str = "192.0.2.7", *, bad: bool = False) -> Any:
    return {"type": "http", "who": who, "client": (client, 1), "bad": bad}


async def let_in(paced: Paced, asked: Any, most: int = 1000) -> int:
    """How often in a row somebody is let in."""
    for number in range(most):
        try:
            await paced.caller(asked)
        except Refused as refused:
            if refused.status == 429:
                return number if refused.headers == {"Retry-After": "1"} else -1
    return most


async def test_each_caller_has_a_limit_of_their_own() -> None:
    now = 0.0
    paced = Paced(Someone(), 60, lambda: now)
    assert await let_in(paced, scope(BEN)) == 60
    assert await let_in(paced, scope(BEN, "198.51.100.1")) == 0, "from wherever they ask"
    assert await let_in(paced, scope(Caller("Cleo", Role.VIEWER, "session", "A-2"))) == 60
    now = 10.0
    assert await let_in(paced, scope(BEN)) == 10
    now = 1e6
    assert await let_in(paced, scope(BEN)) == 60


async def test_who_is_not_known_or_shows_what_is_wrong_is_known_by_their_address() -> None:
    paced = Paced(Someone(), 60, lambda: 0.0)
    assert await let_in(paced, scope(None)) == 60
    assert await let_in(paced, scope(None, bad=True)) == 0
    assert await let_in(paced, scope(None, "198.51.100.1", bad=True)) == 60


async def test_this_machine_has_none() -> None:
    assert await let_in(Paced(Someone(), 60, lambda: 0.0), scope(THIS_MACHINE)) == 1000


async def test_what_is_remembered_has_a_limit_too() -> None:
    paced = Paced(Someone(), 60, lambda: 0.0)
    for number in range(10_050):
        await paced.caller(scope(None, str(number)))
    assert len(paced._left) == 10_000
    assert await let_in(paced, scope(None, "10049")) == 59, "the newest are those that are remembered"
