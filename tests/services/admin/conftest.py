"""An installation with an admin's API over it, and tools on this machine that connections can be made to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.addresses import Policy
from connectors.catalogue import catalogue
from pipelines.store.engine import open_engine
from services.admin.equipment import Equipment
from services.admin.routers import ROUTERS
from services.query.app import create_app
from services.query.database import Database
from services.security import key_ring
from tests.parts.copies import prepared
from tests.services.cli.company import settle
from tests.services.query.conftest import client_of

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what no database can do otherwise than the other."""


@dataclass
class Office:
    """Where an admin works: the API, and what lies under it."""

    engine: AsyncEngine
    equipment: Equipment
    app: FastAPI
    http: httpx2.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        """The JSON of an answer with this status."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.http.request(method, path, json=body, headers=sent)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """The company's hub; tools on this machine may be reached."""
    await prepared(database_url, settle)
    engine = open_engine(database_url)
    parts = Equipment(
        engine, Database(engine, 10.0), catalogue(), key_ring([], tmp_path / "key"), Policy(allow_loopback=True),
        lambda: NOW, "https://hub.acme.example", hooks_public=True,
    )  # fmt: skip
    app = create_app(engine, lambda: NOW, more=ROUTERS)
    app.state.equipment = parts
    async with client_of(app) as http:
        yield Office(engine, parts, app, http)
    await engine.dispose()
