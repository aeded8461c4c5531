"""The document is valid and whole. That the application keeps to it is tested in tests/services/generated."""

import json

from openapi_spec_validator import validate

from services.query.app import openapi_document
from tests.services.query.conftest import Hub, owned


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


def test_the_document_tells_what_may_be_answered_before_a_route_is_reached() -> None:
    for path, operations in openapi_document()["paths"].items():
        for operation in operations.values():
            assert {"421", "429", "500"} <= operation["responses"].keys(), path
            assert "Retry-After" in operation["responses"]["429"]["headers"], path
            assert path == "/livez" or "401" in operation["responses"], path  # a token that is none


async def test_every_header_and_field_of_an_answer_stands_in_the_document(hub: Hub) -> None:
    document = openapi_document()
    known = document["components"]["schemas"]["Problem"]["properties"]
    one = document["paths"]["/v1/requests/{identifier}"]["get"]["responses"]
    answers = {
        200: await hub.http.get(f"/v1/requests/{owned(1)}"),
        308: await hub.http.get(f"/v1/requests/{owned(2)}"),
        404: await hub.http.get(f"/v1/requests/{owned(6)}"),
        409: await hub.http.get("/v1/changes?since=999999"),
    }
    same = {"If-None-Match": answers[200].headers["ETag"]}
    answers[304] = await hub.http.get(f"/v1/requests/{owned(1)}", headers=same)
    for status, answer in answers.items():
        assert answer.status_code == status
        if answer.headers.get("content-type") == "application/problem+json":
            assert answer.json().keys() <= known.keys(), status
    assert all("ETag" in one[str(status)]["headers"] for status in (200, 304))
    assert "Location" in one["308"]["headers"]


async def test_the_served_document_is_the_printed_one(hub: Hub) -> None:
    assert await hub.get("/openapi.json") == json.loads(json.dumps(openapi_document()))
    for path in ("/docs", "/redoc"):
        assert (await hub.http.get(path)).status_code == 404
