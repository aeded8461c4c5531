"""Reading what not everybody may, and reading in bulk, is noted; by whom, from where, and which."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store import audiences
from pipelines.store.engine import reading, writing
from schemas.access import Audience, Caller, Role
from services.admin.audit import noting
from services.admin.tables import audit
from services.feed.tables import connections
from services.query import reads
from services.query.app import create_app
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, connection_row, fill, filled, owned
from tests.services.query.test_audience import As

CLARA = Caller("Clara", Role.VIEWER, "session", "A-1", "clara@example.com")
SAM = Caller("Sam", Role.ADMIN, "session", "A-2", "sam@example.com")
BERT = Caller("Bert", Role.VIEWER, "session", "A-3", "bert@example.com")


async def entries(hub: Hub, caller: Caller, *paths: str) -> list[Any]:
    """What is noted once somebody has asked for these."""
    app = create_app(
        hub.engine, lambda: NOW, access=As(caller), keep_seconds=0,
        noting=lambda who, where: noting(who, lambda: NOW, where),
    )  # fmt: skip
    async with client_of(app) as http:
        for path in paths:
            assert (await http.get(path)).status_code == 200
    await app.state.reads.flush()
    await app.state.reads.flush()
    async with reading(hub.engine) as connection:
        return list((await connection.execute(select(audit).order_by(audit.c.number))).all())


async def with_a_board(engine: AsyncEngine) -> None:
    """A second connection, which Clara alone may read."""
    async with writing(engine) as connection:
        await connection.execute(insert(connections), [connection_row("board")])
        await audiences.write(connection, "board", Audience("named", frozenset({"clara@example.com"})))
    await fill(engine, [memo(21, connection="board", title="Secret", text="part of MEMO-1")])


@pytest.fixture
async def board(database_url: str) -> AsyncIterator[Hub]:
    """The company with its board."""
    async with filled(database_url, with_a_board) as made:
        yield made


@pytest.mark.parametrize("path", [f"/v1/requests/{owned(1)}", "/v1/requests?whole=true", "/v1/lookup?reference=MEMO-1"])
async def test_what_is_restricted(board: Hub, path: str) -> None:
    (entry,) = await entries(board, CLARA, path, path)
    assert (entry.who, entry.action, entry.address, entry.before) == ("Clara", "restricted.read", "127.0.0.1", None)
    assert json.loads(entry.after) == {"requests": [owned(1)], "count": 1, "of": ["board"]}


async def test_what_is_not_shown_or_for_everybody_is_not_noted(board: Hub) -> None:
    assert await entries(board, SAM, f"/v1/requests/{owned(1)}", "/v1/requests?whole=true") == []
    assert await entries(board, CLARA, f"/v1/requests/{owned(4)}") == []


async def test_who_reads_it_as_one_of_its_people(board: Hub) -> None:
    async with writing(board.engine) as connection:
        await audiences.write(connection, "board", Audience("participants"))
    (entry,) = await entries(board, BERT, f"/v1/requests/{owned(1)}")
    assert entry.who == "Bert"


async def test_many_at_once(hub: Hub) -> None:
    some, many = reads.BULK // 3 - 1, reads.BULK // 3 + 1
    assert await entries(hub, SAM, *["/v1/requests"] * some) == []
    (entry,) = await entries(hub, SAM, *["/v1/requests"] * many)
    assert (entry.who, entry.action, json.loads(entry.after)) == ("Sam", "bulk.read", {"count": 3 * many})


async def test_a_hundred_references_at_once(hub: Hub) -> None:
    hundred = "/v1/lookup?" + "&".join(["reference=MEMO-1"] * 97 + ["reference=MEMO-4", "reference=MEMO-5"])
    found = (await hub.http.get(hundred)).json()
    times = reads.BULK // len(found["requests"]) + 1
    (entry,) = await entries(hub, SAM, *[hundred] * times)
    assert (entry.action, json.loads(entry.after)["count"]) == ("bulk.read", times * len(found["requests"]))


def collected(hub: Hub, clock: list[float]) -> reads.Reads:
    return reads.Reads(hub.engine, lambda who, where: noting(who, lambda: NOW, where), lambda: clock[0])


async def told(hub: Hub) -> list[tuple[str, Any]]:
    async with reading(hub.engine) as connection:
        rows = await connection.execute(select(audit).order_by(audit.c.number))
        return [(row.action, json.loads(row.after)) for row in rows]


async def test_who_reads_everything_slowly_reads_in_bulk_too(hub: Hub) -> None:
    clock = [0.0]
    made = collected(hub, clock)
    for part in range(5):
        for address in ("192.0.2.1", "192.0.2.2"):
            for number in range(reads.BULK // 10):
                made.by(SAM, address)(f"R-{number}", frozenset())
        assert await told(hub) == []
        await made.flush()
        clock[0] += reads.WITHIN / 5 - part
    assert await told(hub) == [("bulk.read", {"count": reads.BULK})]
    for _ in range(3):
        made.by(SAM, None)("R-1", frozenset())
        clock[0] += reads.WITHIN
        await made.flush()
    assert len(await told(hub)) == 1


async def test_what_could_not_be_noted_is_noted_later(hub: Hub) -> None:
    made = collected(hub, [0.0])
    made.by(CLARA, None)("R-1", frozenset({"board"}))
    async with hub.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")
    with pytest.raises(DBAPIError):
        await made.flush()
    async with hub.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit")
    await made.flush()
    assert await told(hub) == [("restricted.read", {"requests": ["R-1"], "count": 1, "of": ["board"]})]


async def test_a_table_that_is_taken_away(hub: Hub) -> None:
    """Noted before its first line, however short it is; the pages after the first are no further export."""
    first = "/v1/requests?export=true&sort=opened&text=memo&limit=1"
    (entry,) = await entries(hub, BERT, first)
    assert (entry.who, entry.action, entry.object) == ("Bert", "requests.exported", "requests")
    assert json.loads(entry.after) == {"sort": "opened", "text": "memo"}
    following = (await hub.http.get(first)).json()["next"]
    assert following
    assert [one.who for one in await entries(hub, BERT, f"{first}&cursor={following}")] == ["Bert"]
