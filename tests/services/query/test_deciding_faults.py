"""Decisions where something is odd: no database, another transaction in the way, one name for several things."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from pipelines.references import own
from pipelines.store.engine import open_engine
from services.query.app import create_app
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, owned
from tests.services.query.test_deciding import LINK, sent


@pytest.mark.parametrize(
    ("url", "kind"),
    [("sqlite+aiosqlite:///{}/hub.sqlite3", "not-migrated"), ("postgresql+asyncpg://127.0.0.1:1/hub", "database-away")],
)
async def test_without_a_database_it_says_so(tmp_path: Path, url: str, kind: str) -> None:
    engine = open_engine(url.format(tmp_path))
    async with client_of(create_app(engine, lambda: NOW)) as http:
        for body in (LINK, {"kind": "undo", "decision": 1, "by": "Anna"}):
            answer = await sent(http, body, Idempotency_Key="k")
            assert (answer.status_code, answer.json()["type"]) == (503, f"urn:throughline:problem:{kind}")
    await engine.dispose()


ONCE_ONE_WAITS = """DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock') LOOP
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
    END LOOP;
    INSERT INTO reference_values (value, mentions) VALUES ('{}', 0) ON CONFLICT DO NOTHING;
END $$"""
"""At once: the decision looks for a deadlock once it has waited for 1 s, and both have to wait by then."""


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)  # SQLite lets only one write
async def test_one_that_another_transaction_stops_is_taken_all_the_same(hub: Hub) -> None:
    """Each holds what the other waits for; the server ends the decision, which looks first, and it begins anew."""
    async with hub.engine.begin() as other:
        await other.exec_driver_sql("SET LOCAL deadlock_timeout = '1min'")
        component = "SELECT id FROM components WHERE id = (SELECT component FROM members WHERE artifact = :name)"
        await other.execute(text(component + " FOR UPDATE"), {"name": "memos/memo/1"})
        deciding = asyncio.create_task(sent(hub.http, LINK))
        await other.exec_driver_sql(ONCE_ONE_WAITS.format(own("memos/memo/4").key))
    answer = await deciding
    assert answer.status_code == 201, answer.text
    assert answer.json()["redirects"] == {owned(4): owned(1)}
    assert [one["number"] for one in (await hub.get("/v1/decisions"))["items"]] == [1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_name_for_what_is_in_a_request_and_for_what_is_kept_out(hub: Hub) -> None:
    await hub.told(memo(4, connection="other"))
    answer = await sent(hub.http, {"kind": "no request", "artifacts": ["other/memo/4"], "by": "Anna"})
    assert answer.status_code == 201
    (found,) = (await hub.get("/v1/lookup", reference="MEMO-4"))["items"]
    assert found["requests"] == [owned(4)]
    assert [bool(one["kept_out"]) for one in found["artifacts"]] == [False, True]
