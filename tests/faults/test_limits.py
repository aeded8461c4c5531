"""Large things pass with default limits; what is too large for a step says so and stops nothing else."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.publish import LARGEST_RECORD, Change, Publisher, to_kafka
from pipelines.store import tables
from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import reading, writing
from schemas.artifacts import request_id
from schemas.canonical import digest
from services.broker.publish import MAX_RECORD_BYTES
from services.feed import connections
from services.sandbox.jira import FakeJira
from services.sandbox.mailbox import MailServer
from services.security import key_ring
from tests.conftest import Bus, Pair
from tests.connectors.mailbox.letters import letter, options
from tests.faults.world import START, World, end, on_topic, world
from tests.pipelines.conftest import engine
from tests.pipelines.memos import memo, records
from tests.pipelines.test_ingest import NOW, ingest_of

__all__ = ["engine"]

CHANGES, WORDS = 20_000, 3_000_000


@pytest.fixture
def jira() -> Iterator[FakeJira]:
    """One issue with a life of 20,000 changes."""
    with FakeJira(burst=100_000) as fake:
        anna = fake.state.add_user("Anna", "anna@acme.example")
        fake.state.add_project("PAY", "Payments")
        issue = fake.hands.create("PAY", "Never still", at=START, by=anna)
        issue.histories = [_change(number, anna) for number in range(CHANGES - 1)]
        fake.hands.transition(issue, "Done", at=START + timedelta(days=30), by=anna)
        yield fake
    assert fake.writes == []


def _change(number: int, by: str) -> dict[str, object]:
    item = {"field": "priority", "fieldtype": "jira", "fieldId": "priority", "from": str(number % 2),
            "fromString": "High", "to": str((number + 1) % 2), "toString": "Low"}  # fmt: skip
    return {"id": f"9{number:07}", "author": by, "created": START + timedelta(minutes=number + 1), "items": [item]}


@pytest.fixture
async def hub(jira: FakeJira, pair: Pair, tmp_path: Path) -> AsyncIterator[World]:
    text = "\n".join(f"Line {number} of a very long mail, about nothing." for number in range(WORDS // 45))
    raw = letter("A long story", text + "\nIt ends with PAY-1.\n").as_bytes()
    assert len(raw) > WORDS
    async with (
        MailServer(now=lambda: NOW) as server,
        world(jira, pair.bus, pair.database_url, tmp_path / "hub") as made,
    ):
        server.mailbox.append("INBOX", raw, START)
        async with writing(made.engine) as connection:
            mail = options(server.port or 1, keep="full")
            keys = key_ring((), made.folder / "secret.key")
            await connections.add(connection, "mail-acme", "mailbox", "Mail", mail, None, keys)
            await write(connection, "mail-acme", ConnectionConfiguration("mailbox", frozenset()))
        yield made


@pytest.mark.timeout(300)
async def test_a_mail_of_three_megabytes_and_an_issue_of_20000_changes_pass(hub: World, pair: Pair) -> None:
    process = hub.start()
    try:
        async with asyncio.timeout(180):
            while not await _whole(hub):
                assert process.poll() is None, hub.log()
                await asyncio.sleep(0.3)
        await hub.settled(process=process)
    finally:
        # The mail server runs on this loop: it must go on while the hub takes its leave.
        assert await asyncio.to_thread(end, process) == 0, hub.log()
    async with reading(hub.engine) as connection:
        assert (await connection.execute(select(tables.dead_letters.c.reason))).all() == []
        kinds = (await connection.execute(select(tables.artifacts.c.connection).order_by("connection"))).scalars().all()
        largest = (await connection.execute(select(func.max(func.length(tables.source_events.c.event))))).scalar_one()
    assert kinds == ["jira-acme", "mail-acme"]
    assert largest <= 500_000
    if pair.bus.kind == "kafka":
        await expect_told(pair.bus, await hub.records())


async def _whole(hub: World) -> bool:
    async with reading(hub.engine) as connection:
        activities = select(func.count()).select_from(tables.activities)
        return int((await connection.execute(activities)).scalar_one()) > CHANGES


async def expect_told(bus: Bus, stored: dict[str, str]) -> None:
    """The topic holds each record whole, or says where it is."""
    last = {record.key.decode(): record.value for record in await on_topic(bus, "lifecycles")}
    for name, record in stored.items():
        if len(record.encode()) <= LARGEST_RECORD:
            assert last[name] == record.encode()
        else:
            assert orjson.loads(last[name])["bytes"] == len(record.encode())


async def test_a_record_larger_than_the_topic_takes_goes_out_as_a_pointer(engine: AsyncEngine) -> None:
    await ingest_of(engine)(records([memo(1), memo(2)]))
    large = '{"title":"' + "x" * LARGEST_RECORD + '"}'
    async with writing(engine) as connection:
        here = tables.requests.c.id == request_id("memos/memo/1")
        await connection.execute(tables.requests.update().where(here).values(record=large))
    sent: dict[str, tuple[bytes, dict[str, bytes]]] = {}

    async def send(told: object) -> list[bool]:
        assert isinstance(told, list)
        sent.update({key.decode(): (value, dict(headers)) for key, value, headers in told})
        return [True] * len(told)

    publisher = Publisher(engine, send, lambda: NOW, "me")
    assert await publisher.once() == 2
    value, headers = sent[request_id("memos/memo/1")]
    assert headers["ce_type"] == b"throughline.lifecycle.pointed.v1"
    pointer = orjson.loads(value)
    assert (pointer["id"], pointer["bytes"]) == (request_id("memos/memo/1"), len(large))
    assert sent[request_id("memos/memo/2")][1]["ce_type"] == b"throughline.lifecycle.changed.v1"
    assert await publisher.once() == 0


@pytest.mark.parametrize("size", [LARGEST_RECORD, LARGEST_RECORD + 1, 10 * LARGEST_RECORD])
def test_whatever_its_size_a_change_fits_its_topic(size: int) -> None:
    change = Change(7, "R-1", None, digest("x"), NOW, "x" * size)
    key, value, headers = to_kafka(change)
    assert len(key) + len(value) + sum(len(name) + len(text) for name, text in headers) < MAX_RECORD_BYTES


async def test_a_number_that_no_database_holds_is_set_aside_alone(engine: AsyncEngine) -> None:
    batch = records([memo(1), memo(2), memo(3)])
    value = batch[1].value
    assert value is not None
    batch[1].value = value.replace(b'"order":1', b'"order":' + str(2**80).encode())
    await ingest_of(engine)(batch)
    async with engine.connect() as connection:
        letters = (await connection.execute(select(tables.dead_letters.c.reason, tables.dead_letters.c.cause))).all()
        known = (await connection.execute(select(tables.artifacts.c.id).order_by("id"))).scalars().all()
    assert [cause for _, cause in letters] == ["bad record"]
    assert letters[0].reason.startswith("order: ")
    assert known == ["memos/memo/1", "memos/memo/3"]


async def test_what_the_database_refuses_is_set_aside_alone(engine: AsyncEngine) -> None:
    """A value too long for an index of PostgreSQL, in a form that cannot be pressed together; SQLite takes it."""
    noise = "".join(hashlib.sha512(b"%d" % number).hexdigest() for number in range(200))
    await ingest_of(engine)(records([memo(1), memo(2, by=noise), memo(3)]))
    async with engine.connect() as connection:
        letters = (await connection.execute(select(tables.dead_letters.c.cause))).scalars().all()
        known = (await connection.execute(select(tables.artifacts.c.id))).scalars().all()
    assert {"memos/memo/1", "memos/memo/3"} <= set(known)
    assert len(letters) + len(known) == 3
