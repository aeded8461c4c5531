"""A small company, read through the real pipeline, and the lookup API over it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import open_engine, writing
from schemas.artifacts import request_id
from schemas.events import SourceEvent
from services.feed.tables import connections
from services.query.app import create_app
from tests.parts.copies import Fill, prepared
from tests.pipelines.memos import map_memo, memo, records

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
BASE = "http://127.0.0.1:8700"


def owned(number: int) -> str:
    """The request id that a memo owns."""
    return request_id(f"memos/memo/{number}")


COMPANY = [
    memo(1, title="Payroll portal for Zoë"),
    memo(2, text="part of MEMO-1", title="Zahlungsübersicht", by="bert"),
    memo(3, parent=2, title="Export"),
    memo(3, version=2, parent=2, title="Export", status="done", by="carla"),
    memo(4, title="Payslips by mail", by="bert"),
    memo(5, title="New printer", status="done"),
    memo(6, title="Note without a request", opens=False),
]
"""Request of 1 (with 2 and 3), request of 4, request of 5; 6 is in no request."""


@dataclass
class Hub:
    """The API over a filled database."""

    engine: AsyncEngine
    app: FastAPI
    http: httpx2.AsyncClient
    closing: asyncio.Event

    async def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """The JSON of an answer with this status."""
        answer = await self.http.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def told(self, *events: SourceEvent) -> None:
        """Ingest events and publish what they change."""
        await fill(self.engine, events)


async def fill(engine: AsyncEngine, events: Sequence[SourceEvent]) -> None:
    await Ingest(engine, {"memo": map_memo}, lambda: NOW, "one")(records(list(events)))

    async def send(batch: Sequence[Any]) -> Sequence[bool]:
        return [True] * len(batch)

    while await Publisher(engine, send, lambda: NOW, "test").once():
        pass


def connection_row(name: str = "memos", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "connector": "memo", "title": "Memos", "options": "{}", "secrets": '{"token":"v1.CANARY"}',
        "state": "reading", "true_up_to": NOW - timedelta(minutes=2), "alive_at": NOW, "first_read_done": True,
        "progress_done": 6, "attention": False, "wanted": False, "epoch": 1,
    } | more  # fmt: skip


def client_of(app: FastAPI, **headers: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers)


async def connected(engine: AsyncEngine) -> None:
    """One connection, of which nothing is read."""
    async with writing(engine) as connection:
        await write(connection, "memos", ConnectionConfiguration("jira", frozenset({"MEMO"})))
        await connection.execute(insert(connections), [connection_row()])


async def company(engine: AsyncEngine) -> None:
    """What the company's connection reads."""
    await fill(engine, COMPANY)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with tables, and one connection of which nothing is read."""
    await prepared(database_url, connected)
    engine = open_engine(database_url)
    yield engine
    await engine.dispose()


Make = Callable[..., FastAPI]


@asynccontextmanager
async def over(engine: AsyncEngine) -> AsyncIterator[Hub]:
    """The API over what an engine leads to."""
    closing = asyncio.Event()
    app = create_app(engine, lambda: NOW, closing=closing, poll_seconds=0.05, keep_seconds=0)
    async with client_of(app) as http:
        yield Hub(engine, app, http, closing)


@asynccontextmanager
async def filled(database_url: str, *more: Fill) -> AsyncIterator[Hub]:
    """The company's API. more: fills a database further, the same whenever it is called."""
    await prepared(database_url, connected, company, *more)
    engine = open_engine(database_url)
    async with over(engine) as made:
        yield made
    await engine.dispose()


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    """The company's API."""
    async with filled(database_url) as made:
        yield made
