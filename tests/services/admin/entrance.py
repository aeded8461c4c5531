"""A hub that people sign in to: its API over a database, a clock that is moved by hand, hashing that costs little."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import open_engine, reading, writing
from schemas.access import Role
from services.admin import accounts, auditing, entering, tables
from services.admin.accounts import Account, By
from services.admin.audit import noting
from services.admin.entrance import Entrance
from services.admin.oidc import Provider
from services.admin.passwords import Passwords
from services.admin.proxy import Forwarded
from services.admin.routers import ROUTERS
from services.admin.signing_in import Accounts, Manner
from services.query.app import create_app
from services.query.database import Database
from tests.parts.copies import prepared

BASE = "http://hub.example"
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse CANARY"
HERE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Clock:
    """Time, moved by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def on(self, **length: float) -> None:
        self.now += timedelta(**length)


@dataclass
class Door:
    """The hub, seen from its door."""

    engine: AsyncEngine
    clock: Clock
    parts: Entrance
    app: FastAPI

    @property
    def access(self) -> Accounts:
        """What knows who asks."""
        assert self.parts.access is not None
        return self.parts.access

    @asynccontextmanager
    async def browser(
        self, client: str = "192.0.2.7", base: str = BASE, **headers: str
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Somebody who asks; keeps cookies, as browsers do. client: the address it is connected from."""
        app = Forwarded(self.app, self.parts.manner.proxy.networks) if self.parts.manner.proxy else self.app
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False, client=(client, 1))
        sent = HERE | {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx2.AsyncClient(transport=transport, base_url=base, headers=sent) as http:
            yield http

    async def account(self, name: str = "Anna", role: Role = Role.ADMIN, **more: Any) -> Account:
        """Somebody who may come in, by PASSWORD."""
        hashed = await self.parts.passwords.hash(PASSWORD)
        async with writing(self.engine) as connection:
            given = {"password": hashed} | more
            return await accounts.add(connection, By(None, self.clock()), name, role, **given)

    async def signed_in(
        self, http: httpx2.AsyncClient, name: str = "Anna", password: str = PASSWORD
    ) -> httpx2.Response:
        """The answer to a sign-in."""
        return await http.post("/v1/sign-in", json={"name": name, "password": password})

    async def entries(self, action: str | None = None) -> list[dict[str, Any]]:
        """The audit, the oldest first."""
        async with reading(self.engine) as connection:
            rows = await auditing.page(connection, auditing.Sought(action=action), None, 1000)
        return [auditing.entry(row) for row in reversed(rows)]

    async def link(self) -> str | None:
        """The key of a set-up link."""
        async with writing(self.engine) as connection:
            return await entering.new_link(connection, self.clock())

    async def kept(self) -> str:
        """All that stands in the tables of who comes in."""
        found = []
        async with reading(self.engine) as connection:
            for table in (tables.accounts, tables.sessions, tables.api_tokens, tables.audit, tables.sign_in_attempts,
                          tables.set_up_links):  # fmt: skip
                found += [str(row) for row in await connection.execute(select(table))]
        return "\n".join(found)


@asynccontextmanager
async def door(url: str, manner: Manner | None = None, provider: Provider | None = None) -> AsyncIterator[Door]:
    """A hub without accounts."""
    await prepared(url)
    engine = open_engine(url)
    clock, database = Clock(), Database(engine, 5)
    manner = replace(manner or Manner(), keep_seconds=0)
    access = Accounts(engine, database, clock, manner)
    hasher = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    parts = Entrance(engine, database, clock, hasher, manner, access, provider)
    app = create_app(engine, clock, access=access, more=ROUTERS, noting=lambda who, where: noting(who, clock, where))
    app.state.entrance = parts
    yield Door(engine, clock, parts, app)
    await engine.dispose()


__all__ = ["BASE", "HERE", "NOW", "PASSWORD", "Clock", "Door", "door"]
