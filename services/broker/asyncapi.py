"""The topics as an AsyncAPI 3.0 document, made from the code that writes and reads them. Needs no broker."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from schemas.events import SCHEMA_VERSION, TYPE_PREFIX, SourceEvent
from schemas.records import RECORD_VERSION, LifecycleRecord
from services.broker.settings import BrokerSettings
from services.broker.topics import LIFECYCLES, Topic, topics

_AT = "#/components/schemas/{model}"

_ABOUT = """What the hub writes to Kafka. Records are CloudEvents 1.0 in Kafka's binary mode: the payload is the
record's value, the attributes are its headers. Source topics are the hub's own; readers outside follow `lifecycles`,
whose one partition holds changed requests in the order of their change numbers (`ce_sequence`), without gaps;
after a restored database, or where the topic was lost, all of them come once more under new, higher numbers."""


def asyncapi_document(settings: BrokerSettings, connectors: Iterable[str]) -> dict[str, Any]:
    """The document for these connectors and this topic prefix."""
    names = sorted(connectors)
    wanted = dict(zip([*names, LIFECYCLES], topics(settings, names), strict=True))
    sources = {f"source.{name}": _source_channel(name, wanted[name]) for name in names}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Throughline topics", "version": str(RECORD_VERSION), "description": _ABOUT},
        "defaultContentType": "application/json",
        "channels": {**sources, LIFECYCLES: _lifecycles_channel(wanted[LIFECYCLES])},
        "operations": {
            **{f"read {name}": _operation("receive", f"source.{name}", f"Ingest understands what {name} says")
               for name in names},
            **{f"tell {name}": _operation("send", f"source.{name}", f"The feed publishes what {name} says")
               for name in names},
            "publish changes": _operation("send", LIFECYCLES, "The publisher tells changed requests"),
        },
        "components": {"messages": _messages(names), "schemas": _schemas()},
    }  # fmt: skip


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _source_channel(connector: str, topic: Topic) -> dict[str, Any]:
    about = f"What {connector} says, no field renamed or interpreted. The key is the artifact's id, so that what is \
said of one thing stays in order."
    return _channel(topic, f"Source events of {connector}", about, [f"source.{connector}"])


def _lifecycles_channel(topic: Topic) -> dict[str, Any]:
    about = "Requests as they are now, by request id; compacted. An id that became part of another request is told \
as redirected."
    return _channel(topic, "Changed requests", about, ["changed", "pointed", "redirected", "ended"])


def _channel(topic: Topic, title: str, about: str, messages: list[str]) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": [topic.configs["cleanup.policy"]]}
    if "retention.ms" in topic.configs:
        configuration["retention.ms"] = int(topic.configs["retention.ms"])
    kafka: dict[str, Any] = {"topic": topic.name, "partitions": topic.partitions, "topicConfiguration": configuration}
    if topic.replication:
        kafka["replicas"] = topic.replication
    return {
        "address": topic.name,
        "title": title,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": kafka},
    }


def _messages(connectors: list[str]) -> dict[str, Any]:
    sources = {
        f"source.{name}": _message(
            "SourceEvent", f"What {name} said of one thing",
            _headers(rf"^{TYPE_PREFIX}{name}\..+\.v{SCHEMA_VERSION}$", "/connections/<connection>", "artifact id"),
            "Id of the artifact",
        )
        for name in connectors
    }  # fmt: skip
    told = {"changed": "LifecycleRecord", "pointed": "Pointer", "redirected": "Redirect", "ended": "Redirect"}
    about = {
        "changed": "The record as it is now",
        "pointed": "The record is too large for a topic: fetch it by the API",
        "redirected": "The id is part of another request now",
        "ended": "The id is no request any more",
    }
    return sources | {
        kind: _message(schema, about[kind], _lifecycle_headers(kind), "Request id") for kind, schema in told.items()
    }


def _message(schema: str, summary: str, headers: dict[str, Any], key: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "contentType": "application/json",
        "headers": headers,
        "payload": {"$ref": _AT.format(model=schema)},
        "bindings": {"kafka": {"key": {"type": "string", "description": key}}},
    }


def _lifecycle_headers(kind: str) -> dict[str, Any]:
    headers = _headers(rf"^throughline\.lifecycle\.{kind}\.v{RECORD_VERSION}$", "/requests", "request id")
    headers["properties"]["ce_sequence"] = {"type": "string", "pattern": "^[0-9]+$", "description": "Change number"}
    headers["required"].append("ce_sequence")
    return headers


def _headers(kind: str, source: str, subject: str) -> dict[str, Any]:
    """CloudEvents' attributes (CloudEvents 1.0, Kafka Protocol Binding, 3.2)."""
    properties: dict[str, dict[str, Any]] = {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"description": "With ce_source unique for ever: a repetition is the same event"},
        "ce_source": {"description": source, "format": "uri-reference"},
        "ce_type": {"pattern": kind},
        "ce_subject": {"description": subject},
        "ce_time": {"format": "date-time"},
        "content-type": {"const": "application/json"},
    }
    told = {name: {"type": "string"} | more for name, more in properties.items()}
    return {"type": "object", "properties": told, "required": list(properties)}


def _schemas() -> dict[str, Any]:
    redirect = {
        "title": "Redirect",
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The request id that was"},
            "merged_into": {"type": ["string", "null"], "description": "Where it leads; null: it ended"},
        },
        "required": ["id", "merged_into"],
    }
    pointer = {
        "title": "Pointer",
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Request id: the record is at /v1/requests/<id>"},
            "etag": {"type": "string", "description": "Of the record as it was when this was told"},
            "bytes": {"type": "integer", "description": "Its size"},
        },
        "required": ["id", "etag", "bytes"],
    }
    return {
        **_with_parts(SourceEvent), **_with_parts(LifecycleRecord), "Redirect": redirect, "Pointer": pointer,
    }  # fmt: skip


def _with_parts(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schemas of a model and of the models it is made of, by name."""
    schema = model.model_json_schema(ref_template=_AT, mode="serialization")
    parts: dict[str, Any] = schema.pop("$defs", {})
    return {**parts, model.__name__: schema}
