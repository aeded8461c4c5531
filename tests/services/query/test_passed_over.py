"""Lists for whom an audience keeps content from: what they are not shown does not show in how lists are paged."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import audiences
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import reading, writing
from schemas.access import Audience, Caller, Role
from services.admin.audit import noting
from services.admin.tables import audit
from services.feed.tables import connections
from services.query import reads
from services.query.app import create_app
from services.query.steps import BOUNDS, Bounds
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, connection_row, fill, filled, owned
from tests.services.query.test_audience import As

HIDDEN = 25
"""Requests of which a word and a person are kept from all but Clara."""

CLARA = Caller("Clara", Role.VIEWER, "session", "A-1", "clara@example.com")
SAM = Caller("Sam", Role.VIEWER, "session", "A-2", "sam@example.com")
NARROW = Bounds(words=0, rare=0, few=0, requests=1, places=0)
"""A step looks at one request."""


async def with_a_board(engine: AsyncEngine) -> None:
    """A second connection, which Clara alone may read."""
    async with writing(engine) as connection:
        await write(connection, "board", ConnectionConfiguration("jira", frozenset()))
        await connection.execute(insert(connections), [connection_row("board")])
        await audiences.write(connection, "board", Audience("named", frozenset({"clara@example.com"})))
    await fill(engine, [memo(100 + one, connection="board", title="Planted", by="planta") for one in range(HIDDEN)])


@pytest.fixture
async def board(database_url: str) -> AsyncIterator[Hub]:
    """The company with its board."""
    async with filled(database_url, with_a_board) as made:
        yield made


async def asked(hub: Hub, caller: Caller, bounds: Bounds = BOUNDS, status: int = 200, **query: Any) -> Any:
    async with client_of(create_app(hub.engine, lambda: NOW, access=As(caller), keep_seconds=0, bounds=bounds)) as http:
        answer = await http.get("/v1/requests", params=query)
        assert answer.status_code == status, answer.text
        return answer.json()


QUERIES: list[dict[str, Any]] = [
    {"text": "pl"},
    {"text": "pl", "sort": "opened"},
    {"text": "pl", "sort": "stage_since"},
    {"text": "planted"},
    {"person": "planta@example.com", "text": "pl"},
    {"person": "planta@example.com", "text": "no-such-word"},
]


async def test_an_empty_page_is_the_last(board: Hub) -> None:
    for place, query in enumerate(QUERIES):
        for bounds in (BOUNDS, NARROW) if place % 2 == 0 else (BOUNDS,):
            page = await asked(board, SAM, bounds, **query, limit=1)
            assert page == {"items": [], "next": None}, (query, bounds)
        told = await asked(board, CLARA, **query, limit=1)
        assert bool(told["items"]) == (query["text"] != "no-such-word")


async def test_a_page_is_full_or_the_last_and_none_follows_where_no_more_is_found(board: Hub) -> None:
    """In whichever order, and where what is found lies before, between or behind what is passed over."""
    await board.told(memo(300, title="Place"), memo(301, title="Plan"))
    for order in ("asc", "desc"):
        query: dict[str, Any] = {"text": "pl", "sort": "opened", "order": order}
        whole = await asked(board, SAM, NARROW, **query)
        assert {one["id"] for one in whole["items"]} == {owned(300), owned(301)}
        assert whole["next"] is None
        first = await asked(board, SAM, NARROW, **query, limit=1)
        assert [one["id"] for one in first["items"]] == [whole["items"][0]["id"]]
        second = await asked(board, SAM, NARROW, **query, limit=1, cursor=first["next"])
        assert second == {"items": [whole["items"][1]], "next": None}
        assert (await asked(board, SAM, NARROW, **query, limit=2)) == whole


async def test_who_finds_one_of_several_people_is_told_of_no_other(board: Hub) -> None:
    alone = await asked(board, SAM, person=["carla"], limit=1)
    both = await asked(board, SAM, person=["carla", "planta"], limit=1)
    assert both == alone
    assert len((await asked(board, CLARA, person=["carla", "planta"]))["items"]) > 1


async def test_passing_over_takes_so_long_at_most(board: Hub) -> None:
    problem = await asked(board, SAM, replace(NARROW, seconds=0), 503, text="pl", limit=1)
    assert problem["type"] == "urn:throughline:problem:too-slow"
    assert "another filter, a longer word" in problem["mend"]
    assert await asked(board, CLARA, replace(NARROW, seconds=0), text="pl", limit=1)


async def test_what_is_passed_over_was_not_read(board: Hub) -> None:
    app = create_app(
        board.engine, lambda: NOW, access=As(SAM), keep_seconds=0,
        noting=lambda who, where: noting(who, lambda: NOW, where),
    )  # fmt: skip
    async with client_of(app) as http:
        for _ in range(reads.BULK // HIDDEN + 1):
            assert (await http.get("/v1/requests?text=planted")).json()["items"] == []
        await app.state.reads.flush()
        for _ in range(reads.BULK // 3 + 1):
            assert len((await http.get("/v1/requests?connection=memos")).json()["items"]) == 3
        await app.state.reads.flush()
    async with reading(board.engine) as connection:
        (entry,) = (await connection.execute(select(audit))).all()
    assert (entry.who, entry.action) == ("Sam", "bulk.read")
    assert json.loads(entry.after) == {"count": 3 * (reads.BULK // 3 + 1)}
