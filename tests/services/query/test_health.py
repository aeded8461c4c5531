"""Probes and measures; and what happens when the database is slow, away or too old."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import CollectorRegistry, Gauge
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.engine import open_engine
from pipelines.store.metadata import metadata
from services.feed.tables import connections
from services.query.app import create_app
from services.query.database import Away, Database, TooSlow, refusal
from services.query.reading import CONNECTIONS
from tests.parts.postgres import Postgres
from tests.services.query.conftest import NOW, Hub, client_of


async def no_broker() -> str | None:
    return "broker: nobody listens; start it, or mend the bootstrap servers"


async def fine() -> str | None:
    return None


async def test_livez_looks_at_nothing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/hub.db")
    async with client_of(create_app(engine, lambda: NOW)) as http:
        assert (await http.get("/livez")).json() == {"status": "alive"}


async def test_readyz_says_what_is_wrong_with_which_part(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    good = create_app(engine, lambda: NOW, checks={"broker": fine}, schema_version="0001")
    async with client_of(good) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert [part["name"] for part in answer.json()["parts"]] == ["database", "schema", "broker"]
    bad = create_app(engine, lambda: NOW, checks={"broker": no_broker}, schema_version="0002")
    async with client_of(bad) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    told = {part["name"]: part["says"] for part in answer.json()["parts"]}
    assert told["database"] is None
    assert "throughline migrate" in told["schema"]
    assert told["broker"].startswith("broker: nobody listens")


async def test_metrics_are_those_of_the_registry_handed_in(hub: Hub) -> None:
    assert (await hub.http.get("/metrics")).status_code == 404
    registry = CollectorRegistry()
    Gauge("throughline_test", "For the test", registry=registry).set(7)
    async with client_of(create_app(hub.engine, lambda: NOW, metrics=registry)) as http:
        answer = await http.get("/metrics")
    assert "throughline_test 7.0" in answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_a_slow_statement_is_ended_and_answers_with_a_mend(engine: AsyncEngine) -> None:
    patient = Database(engine, 30)
    await patient.reachable()  # a busy machine takes long to connect, which is told otherwise
    database = Database(engine, 1.0)
    slow = {
        "postgresql": "SELECT pg_sleep(20)",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    }[engine.dialect.name]
    begun = asyncio.get_running_loop().time()
    with pytest.raises(TooSlow) as error:
        await database.rows(text(slow))
    assert asyncio.get_running_loop().time() - begun < 15
    assert error.value.status == 503
    assert error.value.mend
    assert error.value.headers["Retry-After"]
    if engine.dialect.name == "postgresql":
        left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        assert (await patient.rows(text(left)))[0][0] == 0
    await asyncio.gather(*(patient.reachable() for _ in range(5)))


async def test_a_database_without_tables_says_migrate(database_url: str) -> None:
    engine = open_engine(database_url)
    async with client_of(create_app(engine, lambda: NOW)) as http:
        for path in ("/v1/requests", "/v1/requests/R-AAAAAAAAAAAA", "/v1/lookup?reference=X-1", "/v1/changes"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:throughline:problem:not-migrated")
            assert "throughline migrate" in answer.json()["mend"]
    await engine.dispose()


@pytest.mark.postgres
async def test_a_database_that_is_away_is_said_and_comes_back(postgres: Postgres, postgres_url: str) -> None:
    engine = open_engine(postgres_url, ping=False)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    async with client_of(create_app(engine, lambda: NOW, statement_seconds=10)) as http:
        # Several connections lie in the pool, all of which the server is going to close.
        assert {answer.status_code for answer in await asyncio.gather(*(http.get("/readyz") for _ in range(4)))} == {
            200
        }
        postgres.stop()
        for path in ("/v1/requests", "/v1/requests/R-AAAAAAAAAAAA", "/v1/freshness", "/v1/changes"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["type"]) == (503, "urn:throughline:problem:database-away")
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert "it does not answer" in ready.json()["parts"][0]["says"]
        assert (await http.get("/livez")).status_code == 200
        postgres.start()
        assert (await http.get("/v1/requests/R-AAAAAAAAAAAA")).status_code == 404
        assert (await http.get("/readyz")).status_code == 200
    await engine.dispose()


async def test_connections_tell_no_options_and_no_secrets(hub: Hub) -> None:
    answer = await hub.http.get("/v1/connections")
    told = answer.json()["items"][0]
    assert (told["connection"], told["title"], told["state"]) == ("memos", "Memos", "reading")
    assert told["progress"] == {"done": 6, "total": None}
    assert "CANARY" not in answer.text
    assert not {"options", "secrets", "cursor", "census_cursor"} & set(told)
    assert (await hub.get("/v1/freshness"))["items"][0]["alive_at"] == "2026-04-01T12:00:00.000000Z"


def test_what_is_read_of_the_feeds_table_is_as_the_feed_has_it() -> None:
    for column in CONNECTIONS.columns:
        assert type(connections.c[column.name].type) is type(column.type), column.name


async def test_checks_that_hang_do_not_hang_readyz(engine: AsyncEngine) -> None:
    async def hangs() -> str | None:
        await asyncio.Event().wait()
        return None

    async with client_of(create_app(engine, lambda: NOW, checks={"broker": hangs}, check_seconds=0.1)) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert "did not answer" in answer.json()["parts"][2]["says"]


@pytest.mark.parametrize(
    ("orig", "why"),
    [
        (asyncpg.ReadOnlySQLTransactionError("canary"), "it can only be read"),
        (asyncpg.DiskFullError("canary"), "its disk is full"),
        (asyncpg.AdminShutdownError("canary"), "it is stopping or starting"),
        (OSError("canary"), "it does not answer"),
    ],
)
def test_a_database_that_cannot_be_used_says_why(orig: Exception, why: str) -> None:
    for error in (DBAPIError("canary", None, orig), orig):
        told = refusal(error, 5.0)
        assert isinstance(told, Away)
        assert told.detail == f"The database cannot be used now: {why}."
