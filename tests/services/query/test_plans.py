"""What the databases do for look-ups: no statement looks through what is stored elsewhere."""

import json
from itertools import pairwise
from typing import Any

from sqlalchemy import event as listen
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from schemas.artifacts import request_id
from services.query import reading
from services.query.database import in_driver
from tests.services.query.conftest import NOW, Hub, owned
from tests.services.query.test_listing import visited

OTHERS = 4000
PATHS = (
    "/v1/lookup?reference=MEMO-3&reference=" + owned(4),
    "/v1/lookup?reference=MEMO-6",
    "/v1/requests/" + owned(3),
    f"/v1/requests/{owned(1)}/timeline?order=desc&limit=2",
    f"/v1/requests/{owned(1)}/timeline?kind=status+changed&actor=memos/account/anna&since=2026-03-01T00:00:00Z",
    f"/v1/requests/{owned(1)}/timeline?actor=memos/account/robot",
    f"/v1/requests/{owned(1)}/why?with=MEMO-3",
    "/v1/why?from=MEMO-3&with=MEMO-4",
    f"/v1/requests/{owned(1)}?as_of=2026-03-20T00:00:00Z",
    "/v1/changes?since=3900&limit=10",
)
BIG = {
    "artifacts", "artifact_values", "members", "requests", "activities", "changes", "facets", "latest_facets", "parts",
    "identities",
}  # fmt: skip


async def crowd(hub: Hub) -> None:
    """Thousands of other artifacts, requests, activities and changes."""
    names = [f"memos/memo/{number}" for number in range(1000, 1000 + OTHERS)]
    at = "2026-03-01T00:00:00.000000Z"
    async with hub.engine.begin() as connection:
        bulk = Bulk(connection)
        await bulk.insert(tables.artifacts, [(name, "memos", "memo", "issue", "{}", at, None) for name in names])
        values = [(name, "memo", f"jira.key|MEMO-{name[11:]}", True, True) for name in names]
        await bulk.insert(tables.artifact_values, values)
        await bulk.insert(tables.members, [(name, name, request_id(name), request_id(name)) for name in names])
        rows = [(request_id(name), name, "{}", "e", "b", None, "t", "s", "a", at, at, at, "") for name in names]
        await bulk.insert(tables.requests, rows)
        told = [(name, name, at, "status changed", "memos/account/anna", 1, 1, "d", False, "{}") for name in names]
        await bulk.insert(tables.activities, told)
        changed = [
            {"number": 10 + place, "request": request_id(name), "etag": "e", "at": NOW, "sent": True}
            for place, name in enumerate(names)
        ]
        await connection.execute(tables.changes.insert(), changed)
        robot = tables.activities.update().where(tables.activities.c.key == "memos/memo/1/1")
        assert (await connection.execute(robot.values(actor="memos/account/robot"))).rowcount == 1
    async with hub.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("ANALYZE"))


async def test_look_ups_touch_only_what_they_ask_for(hub: Hub) -> None:
    await crowd(hub)
    sqlite = hub.engine.dialect.name == "sqlite"
    statements: dict[str, Any] = {
        in_driver(reading.REQUEST, sqlite=sqlite): (owned(1),),
        in_driver(reading.LEADS, sqlite=sqlite): ("jira.key|MEMO-3",) * reading.FEW,
    }

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            statements[statement] = parameters

    listen.listen(hub.engine.sync_engine, "before_cursor_execute", note)
    for path in PATHS:
        assert (await hub.http.get(path)).status_code in (200, 308), path
    listen.remove(hub.engine.sync_engine, "before_cursor_execute", note)
    assert len(statements) > 12
    async with hub.engine.connect() as connection:
        for statement, parameters in statements.items():
            assert not [step async for step in _expensive(connection, statement, parameters)], statement


async def _expensive(connection: AsyncConnection, statement: str, parameters: Any) -> Any:
    """Steps of the plan that go through a large table."""
    if connection.dialect.name == "sqlite":
        for row in (await connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)).all():
            words = row.detail.split()
            named = _table_of(statement, words[1]) if words[0] == "SCAN" and len(words) > 1 else ""
            if (named in BIG and "COVERING" not in words) or "ix_activities_actor" in words:
                yield row.detail
        return
    plan = (await connection.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters)).scalar_one()
    touched = sum(visited((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
    if touched > 200:
        yield plan


def _table_of(statement: str, name: str) -> str:
    """The table behind a name or alias in the statement."""
    words = statement.replace(",", " ").replace("(", " ").split()
    aliases = {after: before for before, after in pairwise(words) if before in BIG}
    return name if name in BIG else aliases.get(name, "")
