"""What the parts of the API are handed that let people and programs in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from schemas.access import Caller
from services.admin.accounts import By
from services.admin.audit import where_of
from services.admin.passwords import Passwords
from services.admin.proxy import ISSUER
from services.admin.signing_in import Accounts, Manner
from services.query.access import caller_of
from services.query.database import Database

if TYPE_CHECKING:
    from services.admin.oidc import Provider


@dataclass(frozen=True, slots=True)
class Entrance:
    """The parts of one installation that know people."""

    engine: AsyncEngine
    """By which is written; on SQLite everybody who writes shares it."""
    database: Database
    """By which is read."""
    now: Callable[[], datetime]
    passwords: Passwords
    manner: Manner
    access: Accounts | None = None
    """None: the hub is open to its own machine."""
    provider: "Provider | None" = None
    """Who else signs people in."""

    def by(self, caller: Caller | None, asked: Request) -> By:
        """Who changes something by this request."""
        return By(caller, self.now(), where_of(asked))

    @property
    def issuers(self) -> frozenset[str]:
        """Who else signs people in now."""
        proxy = {ISSUER} if self.manner.proxy else set()
        return frozenset(proxy | ({self.provider.settings.issuer} if self.provider else set()))

    def forget(self) -> None:
        """Something about somebody changed."""
        if self.access:
            self.access.forget()


async def entrance(request: Request) -> Entrance:
    """What this application was handed."""
    handed: Entrance = request.app.state.entrance
    return handed


Entered = Annotated[Entrance, Depends(entrance)]
Asking = Annotated[Caller, Depends(caller_of)]
