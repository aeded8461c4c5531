"""Generated requests to dead letters, rules, stage maps, values and progress: the document keeps its word."""

import asyncio
import json
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.admin import letters, mapping, progress, rules
from services.query.app import openapi_document
from services.query.server import Server
from tests.services.admin.conftest import Office

# What no schema can state: that an id is known, a cursor was given out by us, rows are of kinds that are read, a value
# is on something, an edit is an event of the same thing, nobody was quicker.
RULES = """
[[operations]]
include-path-regex = "^/v1/"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409, 412, 422]
checks.missing_required_header.expected-statuses = [400, 404, 409, 412, 422, 428]
checks.negative_data_rejection.expected-statuses = [400, 404, 413, 415, 422, 428]
"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_schemathesis_finds_nothing(office: Office, tmp_path: Path) -> None:
    ours = (letters.router, letters.changing, rules.router, rules.changing, mapping.router, mapping.changing,
            progress.router)  # fmt: skip
    server = Server(office.app, "127.0.0.1", 0, asyncio.Event())
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    (tmp_path / "schemathesis.toml").write_text(RULES)
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(openapi_document(ours)))
    paths = sorted({f"/v1{route.path}" for router in ours for route in router.routes if isinstance(route, APIRoute)})
    only = [word for path in paths for word in ("--include-path", path)]
    process = await asyncio.create_subprocess_exec(
        str(Path(".venv/bin/schemathesis").absolute()), "run", str(document), "--url",
        f"http://127.0.0.1:{server.port}", *only, "--max-examples", "8", "--seed", "1", "--max-time", "15",
        "--no-color", cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 100)
    finally:
        if process.returncode is None:
            process.kill()
        server.stop()
        await serving
    assert process.returncode == 0, said.decode()[-6000:]
