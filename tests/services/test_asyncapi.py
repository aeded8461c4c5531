"""The AsyncAPI document: valid, and true to what is really put on the topics.

The schema beside this file is AsyncAPI's own for version 3.0.0 (asyncapi/spec-json-schemas, Apache License 2.0).
"""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from connectors.catalogue import catalogue
from pipelines import publish
from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.store.engine import open_engine
from pipelines.store.metadata import metadata
from pipelines.store.tables import rules
from schemas import events
from services.broker import BrokerSettings
from services.broker.asyncapi import asyncapi_document
from tests.pipelines.memos import Record
from tests.services.test_upgrading import recorded

SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.schema.json")
SETTINGS = BrokerSettings(bootstrap="127.0.0.1:1", prefix="acme.", replication=3)
CONNECTORS = ("jira", "hubspot", "mailbox")
AT = datetime(2026, 3, 3, 9, tzinfo=UTC)

EVENT = events.SourceEvent(
    connection="jira-acme", connector="jira", kind="issue", native_id="10012", artifact="jira-acme/issue/10012",
    version="1", order=1, fetched_at=AT, payload={"key": "PAY-12"},
)  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi_document(SETTINGS, CONNECTORS)


def test_it_is_valid(document: dict[str, Any]) -> None:
    validator = Draft7Validator(json.loads(SCHEMA.read_text()))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)] == []
    broken = document | {"channels": {"x": {"address": 7}}}
    assert list(validator.iter_errors(broken)) != []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(target := value.get("$ref"), str):
                assert target.startswith("#/")
                found = document
                for step in target[2:].split("/"):
                    found = found[step]
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(document)


def test_the_channels_are_the_topics(document: dict[str, Any]) -> None:
    addresses = {name: channel["address"] for name, channel in document["channels"].items()}
    assert addresses == {
        "source.hubspot": "acme.source.hubspot", "source.jira": "acme.source.jira",
        "source.mailbox": "acme.source.mailbox", "lifecycles": "acme.lifecycles",
    }  # fmt: skip
    bindings = document["channels"]["lifecycles"]["bindings"]["kafka"]
    assert (bindings["partitions"], bindings["topicConfiguration"]) == (1, {"cleanup.policy": ["compact"]})


def fits(document: dict[str, Any], message: str, value: bytes, headers: list[tuple[str, bytes]]) -> list[str]:
    """What of a record does not fit the message that describes it."""
    described = document["components"]["messages"][message]
    told = {name: text.decode() for name, text in headers}
    root = {"components": document["components"]}
    wrong = []
    for schema, instance in ((described["headers"], told), (described["payload"], json.loads(value))):
        validator = Draft202012Validator({**root, **schema})
        wrong += [f"{error.json_path}: {error.message}" for error in validator.iter_errors(instance)]
    return wrong


def test_a_source_event_fits(document: dict[str, Any]) -> None:
    _, value, headers = events.to_kafka(EVENT)
    assert fits(document, "source.jira", value, headers) == []
    assert fits(document, "source.hubspot", value, headers) != []
    assert fits(document, "source.jira", b'{"connection": 7}', headers) != []


def test_changes_fit(document: dict[str, Any]) -> None:
    large = '{"title":"' + "x" * publish.LARGEST_RECORD + '"}'
    for kind, change in {
        "redirected": publish.Change(7, "R-MZXW6YTBOI3D", "R-ABCDEFGHIJKL", "gone", AT),
        "ended": publish.Change(8, "R-MZXW6YTBOI3D", None, "gone", AT),
        "pointed": publish.Change(9, "R-MZXW6YTBOI3D", None, "e", AT, large),
    }.items():
        _, value, headers = publish.to_kafka(change)
        assert fits(document, kind, value, headers) == []
        assert fits(document, "changed", value, headers) != []


async def test_whatever_a_company_puts_on_the_topics_fits(document: dict[str, Any], sqlite_url: str) -> None:
    """Every source event of the three tools, and every change that comes of them."""
    engine, (_, rows) = open_engine(sqlite_url), recorded()
    changed: list[tuple[bytes, bytes, list[tuple[str, bytes]]]] = []
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.execute(rules.insert(), rows["rules"])

    async def send(told: Sequence[tuple[bytes, bytes, list[tuple[str, bytes]]]]) -> list[bool]:
        changed.extend(told)
        return [True] * len(told)

    stored = [events.SourceEvent.model_validate_json(row["event"]) for row in reversed(rows["source_events"])]
    assert {event.connector for event in stored} == set(CONNECTORS)
    ingest = Ingest(engine, {name: one.map for name, one in catalogue().items()}, lambda: AT, "one")
    publisher = Publisher(engine, send, lambda: AT, "me")
    for first in range(0, len(stored), 20):  # the newest first and bit by bit, so that requests merge on the way
        batch: list[Record] = []
        for event in stored[first : first + 20]:
            _, value, headers = events.to_kafka(event)
            assert fits(document, f"source.{event.connector}", value, headers) == []
            batch.append(Record(f"source.{event.connector}", 0, first + len(batch), value, list(headers)))
        await ingest(batch)
        while await publisher.once():
            pass
    await engine.dispose()
    kinds: Counter[str] = Counter()
    for _, value, headers in changed:
        kind = dict(headers)["ce_type"].decode().split(".")[2]
        assert fits(document, kind, value, headers) == []
        kinds[kind] += 1
    assert kinds["changed"] > 19
    assert kinds["redirected"] > 0
    messages = document["channels"]["lifecycles"]["messages"]
    assert kinds.keys() <= messages.keys()
