"""The document of the whole API, with what changes the installation."""

import json

from openapi_spec_validator import validate

from services.admin.routers import ROUTERS
from services.query.app import openapi_document


def test_the_whole_document_is_valid_openapi_3_1() -> None:
    document = openapi_document(ROUTERS)
    validate(document)
    assert "HTTPValidationError" not in json.dumps(document)


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    for path, operations in openapi_document(ROUTERS)["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for status, response in operation["responses"].items():
                if status in ("404", "409", "412", "422", "428"):
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)


def test_no_schema_is_named_by_where_it_stands() -> None:
    schemas = openapi_document(ROUTERS)["components"]["schemas"]
    assert [name for name in schemas if "__" in name] == [], "two models of one name"
