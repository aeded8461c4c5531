"""The AsyncAPI document: valid, and true to what is really put on the topics.

The schema beside this file is AsyncAPI's own for version 3.0.0 (asyncapi/spec-json-schemas, Apache License 2.0).
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from pipelines import publish
from schemas import events
from services.broker import BrokerSettings
from services.broker.asyncapi import asyncapi_document

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
    for kind, change in {
        "redirected": publish.Change(7, "R-MZXW6YTBOI3D", "R-ABCDEFGHIJKL", "gone", AT),
        "ended": publish.Change(8, "R-MZXW6YTBOI3D", None, "gone", AT),
    }.items():
        _, value, headers = publish.to_kafka(change)
        assert fits(document, kind, value, headers) == []
        assert fits(document, "changed", value, headers) != []
