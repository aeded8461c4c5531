"""What the stage map does not know of a connection."""

import pytest
from sqlalchemy import text

from pipelines.store import tables
from pipelines.store.bulk import Bulk
from pipelines.store.engine import reading
from schemas.artifacts import request_id
from schemas.canonical import canonical_json
from services.query.mapping import UnknownStatus, unmapped
from tests.services.query.conftest import Hub


async def test_share_and_statuses(hub: Hub) -> None:
    # Memos have a status, and no row of the stage map says what it means; memo 6 is in no request.
    told = await hub.get("/v1/connections/memos/unmapped")
    assert told == {
        "connection": "memos", "artifacts": 5, "of": 5, "share": 1.0,
        "statuses": [{"kind": "issue", "type": None, "status": "open", "artifacts": 3},
                     {"kind": "issue", "type": None, "status": "done", "artifacts": 2}],
    }  # fmt: skip


async def test_an_unknown_connection(hub: Hub) -> None:
    told = await hub.get("/v1/connections/memo/unmapped", 404)
    assert told["type"] == "urn:throughline:problem:unknown-connection"


async def test_connections_are_told_apart_and_five_statuses_named(hub: Hub) -> None:
    at = "2026-03-01T00:00:00.000000Z"
    told = [("with status", ["memos-2", 9]), ("with status", ["zoë", 4]), ("unmapped", ["zoë", "deal", "", "Won", 4])]
    told += [("unmapped", ["memos-2", "issue", "Story", f"S{number}", number]) for number in range(1, 8)]
    rows = [(request_id("x"), kind, canonical_json(value), at, at) for kind, value in told]
    async with hub.engine.begin() as connection:
        await Bulk(connection).insert(tables.facets, rows)
    async with reading(hub.engine) as connection:
        every = await unmapped(connection)
        alone = [await unmapped(connection, name) for name in ("memos", "memos-2", "zoë", "memo")]
    assert sorted(every) == ["memos", "memos-2", "zoë"]
    assert alone == [{name: every[name]} for name in sorted(every)] + [{}]
    assert (every["memos-2"].artifacts, every["memos-2"].of) == (28, 9)
    assert [one.status for one in every["memos-2"].statuses] == ["S7", "S6", "S5", "S4", "S3"]
    assert every["zoë"].statuses == [UnknownStatus("deal", "", "Won", 4)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_it_goes_by_an_index(hub: Hub) -> None:
    wanted = "SELECT kind, value, count(*) FROM facets WHERE kind IN ('unmapped', 'with status') GROUP BY kind, value"
    async with reading(hub.engine) as connection:
        plan = [row[3] for row in await connection.execute(text("EXPLAIN QUERY PLAN " + wanted))]
    assert len(plan) == 1
    assert plan[0].startswith("SEARCH facets USING COVERING INDEX ix_facets")
