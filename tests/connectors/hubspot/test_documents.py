"""Requests of the connector and answers of the small HubSpot, against HubSpot's own OpenAPI documents.

So the two cannot agree on something wrong. The documents are not part of this repository; without them the test skips.
"""

import json
import re
from typing import Any

import jsonschema
import pytest

from services.sandbox.hubspot import Exchange
from tests.connectors.hubspot.company import build
from tests.connectors.hubspot.rig import HubSpotRig
from tests.connectors.rig import read
from tests.parts.presence import material

FILES = {"2026-09": ("objects.2026-09.json", "associations.json"), "v3": ("objects.json", "associations.json")}


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(material(f"hubspot-openapi/{name}").read_text())
    return loaded


def operation(told: Exchange, documents: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The document and the operation that describe a request."""
    # The associations document is of v4; the dated path differs in nothing but where the version stands.
    path = re.sub(r"^/crm/associations/2026-09/", "/crm/v4/associations/", told.path)
    for described in documents:
        for template, operations in described["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and told.method.lower() in operations:
                return described, operations[told.method.lower()]
    return None


def closed(schema: Any) -> Any:
    """The schema with nothing allowed beside what it names, and OpenAPI's `nullable` in JSON Schema's words."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items() if name not in ("example", "nullable", "default")}
    if schema.get("properties"):
        made["additionalProperties"] = False
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def judge(described: dict[str, Any], content: dict[str, Any], value: Any) -> None:
    schema = content["application/json"]["schema"]
    whole = {"components": closed(described["components"]), **closed(schema)}
    jsonschema.Draft202012Validator(whole).validate(value)


def _without_nulls(answer: dict[str, Any]) -> None:
    """v3's document says that properties are texts, and 2026-09's, for the same answers, that they may be null."""
    for record in answer["results"]:
        properties = record.get("properties", {})
        record["properties"] = {name: value for name, value in properties.items() if value is not None}
        if not properties:
            del record["properties"]


@pytest.mark.parametrize("version", ["2026-09", "v3"])
async def test_requests_and_answers_fit_the_vendors_documents(version: str) -> None:
    documents = [document(name) for name in FILES[version]]
    async with HubSpotRig() as rig:
        build(rig.account)
        rig.settle()
        rig.server.exchanges = []
        rig.version = version  # type: ignore[misc]
        await read(rig)
        async with rig.connector.open(rig.connection, rig.options(), rig.surroundings()) as source:
            _ = [page async for page in source.census({}, None)]
            _ = [step async for step in source.check()]
    judged = set()
    for told in rig.server.exchanges:
        found = operation(told, documents)
        if found is None:
            assert not re.match("/crm/(objects|v3/objects|v4|associations)", told.path), told.path
            continue
        described, operations = found
        assert set(told.query) <= {each["name"] for each in operations["parameters"] if each["in"] == "query"}
        if told.body is not None:
            judge(described, operations["requestBody"]["content"], told.body)
        if version == "v3":
            _without_nulls(told.answer)
        # The 2026-09 document leaves out 207, which v3's and the associations' have for the same call.
        status = str(told.status) if str(told.status) in operations["responses"] else "200"
        answer = {name: value for name, value in told.answer.items() if status != "200" or told.status == 200
                  or name not in ("numErrors", "errors")}  # fmt: skip
        judge(described, operations["responses"][status]["content"], answer)
        judged.add(re.sub(r"^.*?/(search|batch/read|deals|tickets|notes|emails)$", r"\1", told.path))
    assert {"search", "batch/read", "deals"} <= judged
