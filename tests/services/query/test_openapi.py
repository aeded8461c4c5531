"""The document is valid and whole. That the application keeps to it is tested in tests/services/generated."""

import json

from openapi_spec_validator import validate

from services.query.app import openapi_document
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
