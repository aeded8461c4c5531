"""What the parts of the API that change the installation are handed."""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from connectors.addresses import Policy, Resolver, resolve
from connectors.contract import Connector
from services.admin.counting import Counts
from services.admin.handed import Handed
from services.query.database import Database
from services.security import KeyRing


@dataclass(frozen=True, slots=True)
class Running:
    """What runs in this process."""

    broker: str = "embedded"
    """embedded, or Kafka."""
    roles: Sequence[str] = ()
    """In the order in which they were begun."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """The parts of one installation that connections are set up with."""

    engine: AsyncEngine
    """By which is written; on SQLite everybody who writes shares it."""
    database: Database
    """By which is read."""
    catalogue: Mapping[str, Connector]
    keys: KeyRing
    policy: Policy
    """Which addresses may be reached."""
    now: Callable[[], datetime]
    hooks_url: str
    """Where the webhook listener is reached, as tools are told; without a slash at its end."""
    hooks_public: bool
    """Whether an admin said where that is; else it is this machine's own address."""
    sandbox: Path | None = None
    """Folder of this hub's own sandbox, whose tools may be reached though they are on this machine."""
    running: Running = Running()
    resolver: Resolver = resolve
    """By which the names of tools are looked up."""
    counts: Counts = field(init=False)
    """What is counted beside the answers."""
    handed: Handed = field(init=False)
    """What tools gave in place of secrets that are typed and not stored yet."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", Counts(self.now))
        object.__setattr__(self, "handed", Handed(self.now))

    turns: MutableMapping[str, asyncio.Lock] = field(default_factory=dict)
    """By connection: one at a time sets its webhook in the tool."""

    def turn(self, name: str) -> asyncio.Lock:
        """Held while the webhook of this connection is set."""
        return self.turns.setdefault(name, asyncio.Lock())


async def equipment(request: Request) -> Equipment:
    """What this application was handed."""
    handed: Equipment = request.app.state.equipment
    return handed


Equipped = Annotated[Equipment, Depends(equipment)]
