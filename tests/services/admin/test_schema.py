"""Generated requests to everything that has to do with who comes in, by each role: the document keeps its word."""

import asyncio
import json
from pathlib import Path

import pytest

from pipelines.store.engine import writing
from schemas.access import Role
from services.admin import tokens
from services.admin.accounts import By
from services.admin.routers import ROUTERS
from services.query.app import openapi_document
from services.query.server import Server
from tests.services.admin.entrance import Door, door

OURS = (
    "/v1/sign-in",
    "/v1/sign-out",
    "/v1/set-up",
    "/v1/me",
    "/v1/accounts",
    "/v1/sessions",
    "/v1/tokens",
    "/v1/audit",
)

# What no schema can state: that a name is free, an id is known, a cursor was given out by us, whose something is; and
# that guessing is throttled.
RULES = """
[[operations]]
include-path-regex = "^/v1/"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 412, 422, 428, 429]
checks.missing_required_header.expected-statuses = [400, 401, 403, 404, 409, 412, 422, 428]
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 413, 415, 422, 428, 429]
"""


def paths() -> list[str]:
    return [path for path in openapi_document(ROUTERS)["paths"] if path.startswith(OURS)]


async def token(hub: Door, role: Role) -> str:
    async with writing(hub.engine) as connection:
        _, text = await tokens.add(connection, By(None, hub.clock()), "generated", role, None, None)
    return text


@pytest.mark.parametrize("role", [None, Role.VIEWER, Role.EDITOR, Role.ADMIN], ids=lambda role: role or "nobody")
async def test_schemathesis_finds_nothing(sqlite_url: str, tmp_path: Path, role: Role | None) -> None:
    async with door(sqlite_url) as hub:
        await hub.account()
        sent = ["-H", f"Authorization: Bearer {await token(hub, role)}"] if role else []
        closing = asyncio.Event()
        server = Server(hub.app, "127.0.0.1", 0, closing)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        (tmp_path / "schemathesis.toml").write_text(RULES)
        document, url = tmp_path / "openapi.json", f"http://127.0.0.1:{server.port}"
        document.write_text(json.dumps(openapi_document(ROUTERS)))
        only = [word for path in paths() for word in ("--include-path", path)]
        process = await asyncio.create_subprocess_exec(
            str(Path(".venv/bin/schemathesis").absolute()), "run", str(document), "--url", url, *only, *sent,
            "--max-examples", "5", "--seed", "1", "--max-time", "8", "--no-color",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 100)
        finally:
            if process.returncode is None:
                process.kill()
            server.stop()
            await serving
    assert process.returncode == 0, said.decode()[-6000:]
