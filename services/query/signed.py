"""Under whose name something is decided, and who notes it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from pipelines.deciding import Noted
from schemas.access import Caller
from services.query.access import caller_of
from services.query.problems import wrong
from services.query.refused import Refused

Noting = Callable[[Caller, str | None], Noted]
"""Who notes what a caller does, who asks from this address."""


class Signed:
    """Who decides by this request."""

    def __init__(self, caller: Caller, noted: Noted | None) -> None:
        self.caller = caller
        self.noted = noted

    def name(self, given: str) -> str:
        """The name it is kept under. given: what the body says, or nothing. Raises Refused for somebody else's."""
        given = given.strip()
        if given in ("", self.caller.name):
            return self.caller.name
        if self.caller.how == "loopback":
            return given
        told = wrong("body.by", "is somebody else", "leave it out: it is you who decides")
        raise Refused(403, "somebody-else", told.detail, told.mend, **told.more)


async def _signed(request: Request) -> Signed:
    caller = await caller_of(request)
    noting: Noting | None = request.app.state.noting
    where = request.client.host if request.client else None
    return Signed(caller, noting(caller, where) if noting else None)


By = Annotated[Signed, Depends(_signed)]
