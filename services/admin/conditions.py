"""What must hold for a change: made on what its caller saw, within a time, once for one key."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from pipelines.store.engine import writing
from schemas.access import Caller
from services.admin import audit
from services.admin.equipment import Equipment, equipment
from services.query.access import caller_of
from services.query.changing import versions
from services.query.database import DRIVER_ERRORS, TooSlow, refusal
from services.query.refused import Refused

SECONDS = 30.0
"""A change may take so long."""

_TAG = r'((W/)?"[!#-~]*"|[0-9a-f.]+)'

IfMatch = Annotated[
    str,
    Header(
        pattern=rf"^(\*|{_TAG}( *, *{_TAG})*)$",
        description="`etag` of what is changed, as it was shown; * for whatever it is",
        examples=["*"],
    ),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r'^("[!#-~]{1,253}"|[!#-~]{1,255})$',
        description="Sent again with the same body, it changes nothing more and tells the same",
    ),
]
Preview = Annotated[bool, Query(description="Tell what it would do, and change nothing")]


def check(etag: str, if_match: str, name: str) -> None:
    """Raises Refused where what the caller saw is not what it is now."""
    seen = versions(if_match)
    if "*" not in seen and etag not in seen:
        raise changed({name: etag})


def changed(now: dict[str, str]) -> Refused:
    """Somebody was quicker."""
    return Refused(
        412, "changed", "Somebody changed this meanwhile; nothing was overwritten.",
        "Look at what holds now, and do it again if it is still wanted.", versions=now,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acting:
    """Who changes something, with what, from where."""

    parts: Equipment
    caller: Caller
    where: str | None

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that writes. Raises TooSlow, and what a driver's error means."""
        try:
            async with asyncio.timeout(SECONDS), writing(self.parts.engine) as connection:
                yield connection
        except TimeoutError:
            raise TooSlow(SECONDS) from None
        except DRIVER_ERRORS as error:
            raise refusal(error, SECONDS) from error

    async def note(
        self, connection: AsyncConnection, action: str, on: str, before: Any = None, after: Any = None
    ) -> None:
        """Add to the audit, in the transaction that does it."""
        await audit.note(connection, self.caller, action, on, before, after, self.now, self.where)

    @property
    def now(self) -> datetime:
        """The instant it is."""
        return self.parts.now()


async def _acting(request: Request) -> Acting:
    return Acting(await equipment(request), await caller_of(request), audit.where_of(request))


Actor = Annotated[Acting, Depends(_acting)]
