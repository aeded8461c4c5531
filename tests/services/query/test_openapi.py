"""The document is valid, and the application keeps to it whatever is thrown at it."""

import asyncio
import json
from pathlib import Path

import httpx2
import pytest
from openapi_spec_validator import validate

from services.query.app import openapi_document
from services.query.server import Server
from tests.services.query.conftest import Hub


def test_the_document_is_valid_openapi_3_1() -> None:
    document = openapi_document()
    assert document["openapi"].startswith("3.1")
    validate(document)
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    assert "cdn" not in text.lower()


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    for path, operations in openapi_document()["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["description"], path
            if path.startswith("/v1/"):
                assert "503" in operation["responses"], path
            for status, response in operation["responses"].items():
                if status in ("404", "409", "422"):
                    assert list(response["content"]) == ["application/problem+json"], path


async def test_the_served_document_is_the_printed_one(hub: Hub) -> None:
    assert await hub.get("/openapi.json") == json.loads(json.dumps(openapi_document()))
    for path in ("/docs", "/redoc"):
        assert (await hub.http.get(path)).status_code == 404


# What no schema can state: that a cursor was given out by us, an instant has passed, a text holds a word, a reference
# leads to one thing, nobody decided otherwise.
RULES = """
[[operations]]
include-path = ["/v1/requests", "/v1/requests/{identifier}", "/v1/requests/{identifier}/timeline"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 404, 422]

[[operations]]
include-path = [
  "/v1/decisions", "/v1/decisions/{number}", "/v1/suggestions", "/v1/suggestions/{id}",
  "/v1/suggestions/{id}/answer",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 412, 422, 428]
checks.missing_required_header.expected-statuses = [400, 404, 409, 412, 422, 428]
"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_schemathesis_finds_nothing(hub: Hub, tmp_path: Path) -> None:
    """Generated requests to every operation but the stream, which does not end."""
    server = Server(hub.app, "127.0.0.1", 0, hub.closing)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{server.port}"
    async with httpx2.AsyncClient(base_url=url) as http:
        assert (await http.get("/livez")).status_code == 200
    (tmp_path / "schemathesis.toml").write_text(RULES)
    process = await asyncio.create_subprocess_exec(
        str(Path(".venv/bin/schemathesis").absolute()), "run", f"{url}/openapi.json", "--exclude-path",
        "/v1/changes/stream", "--max-examples", "20", "--seed", "1", "--max-time", "15", "--no-color",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 90)
    finally:
        if process.returncode is None:
            process.kill()
        server.stop()
        await serving
    assert process.returncode == 0, said.decode()[-6000:]
