"""A database that an earlier release filled goes on in this one, on both databases: nothing is lost, all is served."""

import gzip
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Connection, DateTime, DefaultClause, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from connectors.catalogue import catalogue
from pipelines.ingest import Ingest
from pipelines.rebuild import Rebuild
from pipelines.store import decisions, stamps, tables
from pipelines.store.engine import open_engine, reading
from schemas.events import SourceEvent, to_kafka
from services import migrations
from services.feed import connections
from services.query.app import create_app
from services.security import KeyRing
from tests.pipelines.memos import Record
from tests.services.query.conftest import client_of

RECORDED = Path(__file__).parent / "recordings" / "release_0006.jsonl.gz"
"""What the release with schema 0006 stored of the sandbox's company (`up --sandbox --requests 2`), after somebody had
decided that PLAT-7 and PLAT-8 belong together and changed the stage map; and the key of its secrets."""
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
MAPPINGS = {name: one.map for name, one in catalogue().items()}
LETTERS = [("lone", "bad record", "waiting"), ("first", "map", "waiting"), ("second", "map", "dropped")]


def recorded() -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """The key, and table to its rows."""
    first, *lines = gzip.decompress(RECORDED.read_bytes()).decode().splitlines()
    rows: dict[str, list[dict[str, Any]]] = {}
    for table, row in map(json.loads, lines):
        rows.setdefault(table, []).append(row)
    rows["dead_letters"] = [
        {"id": name, "connection": "jira-sandbox", "cause": cause, "reason": "It has no id", "origin": f"here/{name}",
         "raw": name.encode(), "at": "2026-11-26 04:40:00", "state": state, "attempts": 0}
        for name, cause, state in LETTERS
    ]  # fmt: skip
    return json.loads(first)["secret_key"], rows


_MOVED = ("request", "kind", "value")
"""By what a row of facets is the same in another table."""


@dataclass
class Old:
    """A database as its release left it."""

    engine: AsyncEngine
    revision: str
    rows: dict[str, list[dict[str, Any]]]
    """What was stored in it: table to its rows."""


@pytest.fixture(params=["0001", "0006"])
async def old(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Old]:
    engine = open_engine(database_url)
    async with engine.begin() as connection:
        rows = await connection.run_sync(_filled, request.param)
    yield Old(engine, request.param, rows)
    await engine.dispose()


def _filled(connection: Connection, revision: str) -> dict[str, list[dict[str, Any]]]:
    """Tables of that release with those of the recorded rows that fit in."""
    config = migrations.config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    found = MetaData()
    found.reflect(connection)
    fitting = {found.tables[name]: rows for name, rows in recorded()[1].items() if name in found.tables}
    for table, rows in fitting.items():
        connection.execute(insert(table), [_fitting(table, row) for row in rows])
    _count_on(connection, found)
    return {table.name: _rows(connection, table) for table in fitting}


def _fitting(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """A row of the table in the database's own types."""
    return {name: _typed(table.c[name].type, value) for name, value in row.items() if name in table.c}


def _typed(kind: Any, value: Any) -> Any:
    if value is not None and isinstance(kind, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC if kind.timezone else None)
    return bool(value) if value is not None and kind.python_type is bool else value


def _count_on(connection: Connection, found: MetaData) -> None:
    """Rows were put in with their numbers; PostgreSQL counts on from them, as after any restore."""
    if connection.dialect.name != "postgresql":
        return
    for table in found.tables.values():
        for column in table.primary_key:
            if isinstance(column.server_default, DefaultClause) and "nextval" in str(column.server_default.arg):
                newest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
                sequence = func.pg_get_serial_sequence(table.name, column.name)
                connection.execute(select(func.setval(sequence, newest, text("false"))))


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]


def _after(connection: Connection, old: Old) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of the tables that there were, in the columns that there were; what has moved is put in its place."""
    found = MetaData()
    found.reflect(connection)
    there = found.tables.get("latest_facets")
    moved = {} if there is None else {tuple(row[one] for one in _MOVED): row for row in _rows(connection, there)}
    for name, rows in old.rows.items():
        now = _rows(connection, found.tables[name])
        if name == "facets" and there is not None:
            now = [row | moved.pop(tuple(row[column] for column in _MOVED)) for row in now]
        yield name, [{column: row[column] for column in rows[0]} for row in now]
    assert not moved


async def test_what_was_stored_stays_is_served_and_goes_on(old: Old) -> None:
    await migrations.upgrade(old.engine)
    assert await migrations.current(old.engine) == migrations.head()
    async with old.engine.connect() as connection:
        after = await connection.run_sync(lambda sync: dict(_after(sync, old)))
    assert after == old.rows
    await letters_are_grouped(old.engine)
    await secrets_open(old.engine)
    await is_served(old)
    await is_computed_anew(old)
    await goes_on(old.engine)


async def test_an_upgrade_that_fails_on_its_way_changes_nothing(old: Old) -> None:
    async with old.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE removals (in_its_way INTEGER)"))
    with pytest.raises(DBAPIError, match="removals"):
        await migrations.upgrade(old.engine)
    assert await migrations.current(old.engine) == old.revision
    async with old.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
        assert await connection.run_sync(lambda sync: dict(_after(sync, old))) == old.rows
    assert "accounts" not in names


async def letters_are_grouped(engine: AsyncEngine) -> None:
    async with reading(engine) as connection:
        found = {row.id: row for row in await connection.execute(select(tables.dead_letters))}
    assert found["first"].alike == found["second"].alike != found["lone"].alike
    assert found["lone"].sentence == "bad record"


async def secrets_open(engine: AsyncEngine) -> None:
    """And the options are still what the connector takes."""
    keys = KeyRing([SecretStr(recorded()[0])])
    async with reading(engine) as connection:
        stored = await connections.every(connection)
    assert len(stored) == 3
    for one in stored:
        options = connections.with_secrets(one, keys)
        connections.parse_options(catalogue()[one.connector].Options, options)


async def is_served(old: Old) -> None:
    """Each record as it was, found by its id and by a key; each change in its place."""
    app = create_app(old.engine, lambda: NOW)
    async with client_of(app) as http:
        for row in old.rows["requests"]:
            answer = await http.get(f"/v1/requests/{row['id']}")
            assert answer.status_code == 200, answer.text
            held = answer.json()
            assert (held["request"], held["etag"]) == (json.loads(row["record"]), row["etag"])
        assert (await http.get("/v1/lookup", params={"reference": "PAY-1"})).status_code == 200
        told = (await http.get("/v1/changes", params={"since": 0, "limit": 100})).json()["items"]
    parts = ("number", "request", "etag", "merged_into")
    assert [[one[part] for part in parts] for one in told] == [
        [row[part] for part in parts] for row in old.rows["changes"]
    ]


async def is_computed_anew(old: Old) -> None:
    """All source events of the earlier release are understood; what was a request is one, people's decision holds."""
    async with reading(old.engine) as connection:
        assert await stamps.outdated(connection)
    telling = Ingest(old.engine, MAPPINGS, lambda: NOW, "rebuild").telling
    done = await Rebuild(old.engine, telling, lambda: NOW, "upgrade", lambda _: None).swap()
    assert (done.events, done.set_aside) == (len(old.rows["source_events"]), 0)
    async with reading(old.engine) as connection:
        assert await stamps.outdated(connection) is None
        ids = set((await connection.execute(select(tables.requests.c.id))).scalars())
        made = {one.number for one in await decisions.since(connection, 0)}
    assert made == {row["number"] for row in old.rows.get("decisions", [])}
    before = {row["id"] for row in old.rows["requests"]}
    assert ids >= before
    apart = ids - before  # without the decision that joins them there is one more
    assert len(apart) == (0 if made else 1)


async def goes_on(engine: AsyncEngine) -> None:
    """A newer telling of what the earlier release stored is taken in."""
    async with reading(engine) as connection:
        here = (tables.source_events.c.kind == "issue", tables.source_events.c.artifact == "jira-sandbox/issue/10076")
        event = (await connection.execute(select(tables.source_events.c.event).where(*here))).scalars().first()
    known = SourceEvent.model_validate_json(event or "")
    payload = json.loads(json.dumps(known.payload))
    payload["issue"]["fields"]["summary"] = "Told after the upgrade"
    told = known.model_copy(update={
        "payload": payload, "version": "later", "order": known.order + 10**12,
        "fetched_at": known.fetched_at + timedelta(days=1),
    })  # fmt: skip
    _, value, headers = to_kafka(told)
    await Ingest(engine, MAPPINGS, lambda: NOW, "later")([Record("source.jira", 0, 0, value, list(headers))])
    async with reading(engine) as connection:
        records = (await connection.execute(select(tables.requests.c.record))).scalars()
        assert any("Told after the upgrade" in record for record in records)
