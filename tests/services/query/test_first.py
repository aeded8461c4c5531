"""What is answered of the API before the rest of it is loaded."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from pipelines.store.engine import open_engine
from services.admin.routers import ROUTERS
from services.query.app import openapi_document
from services.query.first import create_first


@pytest.fixture
def first(tmp_path: Path) -> Iterator[FastAPI]:
    engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    yield create_first(engine, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    engine.sync_engine.dispose()


def takes(app: FastAPI, method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], "root_path": ""}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def test_it_takes_its_own_paths_and_none_of_what_is_loaded_later(first: FastAPI) -> None:
    whole, own = openapi_document(ROUTERS)["paths"], first.openapi()["paths"]
    assert {"/livez", "/readyz", "/v1/lookup", "/v1/requests", "/v1/requests/{identifier}"} <= own.keys()
    taken = {
        (path, method)
        for path, operations in whole.items()
        for method in operations
        if takes(first, method.upper(), re.sub(r"{\w+}", "R-AAAAAAAAAAAA", path))
    }
    assert taken == {(path, method) for path, operations in own.items() for method in operations}


def test_it_knows_the_parameters_that_the_document_tells(first: FastAPI) -> None:
    whole = openapi_document(ROUTERS)["paths"]
    for path, operations in first.openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation.get("parameters") == whole[path][method].get("parameters"), (method, path)


def test_it_tells_no_document_that_would_not_be_whole(first: FastAPI) -> None:
    assert not takes(first, "GET", "/openapi.json")
