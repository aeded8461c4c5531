"""Somebody asks a hub all that schemathesis thinks of, and what was answered is kept."""

import asyncio
import json
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.catalogue import catalogue
from pipelines.store.engine import open_engine, writing
from schemas.access import Role
from services.admin import entering, sessions
from services.admin.sessions import Lasting
from services.cli.sandbox import joined
from services.feed.webhooks import Webhooks
from services.query.server import Server
from tests.services.generated.company import PASSWORD, Company, clock
from tests.services.generated.document import document
from tests.services.test_roles import NEEDED

MACHINE = "this machine"
RULES = """
hooks = "tests.services.generated.checks"
warnings = false
request-timeout = 60
suppress-health-check = ["all"]

[phases]
coverage.operation-ordering = "none"
coverage.extra-data-sources.responses = false
examples.fill-missing = true
examples.operation-ordering = "none"
examples.extra-data-sources.responses = false
fuzzing.operation-ordering = "none"
fuzzing.extra-data-sources.responses = false

[[operations]]
include-path-regex = "^/v1/"
exclude-path-regex = "^/v1/(requests/.|lookup)"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 412, 422, 428, 429]
checks.missing_required_header.expected-statuses = [400, 401, 403, 404, 409, 412, 422, 428]
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429]

# Any text may be a reference.
[[operations]]
include-path = "/v1/lookup"
checks.negative_data_rejection.expected-statuses = ["2xx", 400, 401, 403, 413, 415, 422, 429]

# An id that moved is told before anything else is looked at.
[[operations]]
include-path-regex = "^/v1/requests/."
checks.positive_data_acceptance.expected-statuses = ["2xx", 304, 308, 400, 401, 403, 404, 409, 412, 422, 428, 429]
checks.negative_data_rejection.expected-statuses = [308, 400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429]

[[operations]]
include-path = "/v1/changes/stream"
request-timeout = 0.3
"""


@dataclass
class Answers:
    """What a hub answered, by operation."""

    app: ASGIApp
    statuses: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses[f"{scope['method']} {scope['path']}"].add(message["status"])
            await send(message)

        await self.app(scope, receive, noted)

    def of(self, name: str) -> set[int]:
        """All statuses of an operation."""
        method, template = name.split()
        found: set[int] = set()
        for asked, statuses in self.statuses.items():
            if asked.partition(" ")[0] == method and _is(template, asked.partition(" ")[2]):
                found |= statuses
        return found


def _is(template: str, path: str) -> bool:
    """Whether a path is one of a template's, and of none that says more."""
    if path == template or path in _WHOLE:
        return path == template
    there, here = template.split("/"), path.split("/")
    return len(there) == len(here) and all(one == two or one[:1] == "{" for one, two in zip(there, here, strict=True))


_WHOLE = {name.split()[1] for name in NEEDED if "{" not in name}


@asynccontextmanager
async def copied(filled: Company, folder: Path) -> AsyncIterator[Company]:
    """A company of this test's own."""
    shutil.copytree(filled.folder, folder, dirs_exist_ok=True)
    engine = open_engine(f"sqlite+aiosqlite:///{folder / 'hub.sqlite3'}")
    yield Company(engine, folder, filled.ready, dict(filled.ids), filled.letter)
    await engine.dispose()


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[str]:
    """An application at its address."""
    server = Server(app, "127.0.0.1", 0, asyncio.Event())
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    await serving


async def generate(folder: Path, url: str, told: Mapping[str, Any], *arguments: str) -> str | None:
    """Have requests generated; what was found, or None."""
    (folder / "schemathesis.toml").write_text(RULES)
    (folder / "openapi.json").write_text(json.dumps(told))
    process = await asyncio.create_subprocess_exec(
        str(Path(".venv/bin/schemathesis").absolute()), "run", "openapi.json", "--url", url, "--no-color",
        "--max-redirects", "0", *arguments,
        cwd=folder, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 1700)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said.decode() if process.returncode else None


@dataclass(frozen=True)
class Comer:
    """Who asks, and how much is generated for it."""

    who: str
    phases: str
    examples: int

    @property
    def role(self) -> Role | None:
        """None: nobody is known."""
        return Role.ADMIN if self.who == MACHINE else Role(self.who) if self.who != "nobody" else None


async def people(company: Company, comer: Comer) -> list[str]:
    """Accounts, sessions and tokens as this one finds them; what it sends to be known."""
    if comer.role is None:
        async with writing(company.engine) as connection:
            key = await entering.new_link(connection, clock())
        company.ids |= {"key": [key], "account": ["?"], "other account": ["?"], "session": ["?"], "token": ["?"]}
        return []
    account, text, spare = await company.account(f"The {comer.role}", comer.role)
    await company.account("Anna Berg", Role.VIEWER)
    async with writing(company.engine) as connection:
        ends = [await sessions.begin(connection, account, Lasting(), clock(), None, None) for _ in range(20)]
    others = await company.others() if comer.role is Role.ADMIN else [account.id]
    company.ids |= {"account": [account.id], "other account": others, "session": [one.id for one in ends],
                    "token": spare}  # fmt: skip
    return [] if comer.who == MACHINE else ["-H", f"Authorization: Bearer {text}"]


def bodies(company: Company, comer: Comer) -> dict[str, Any]:
    """What the operations take, where the document's own examples name things that are not here."""
    _, hubspot, mail = joined(company.ready)
    tried = {"connector": "hubspot", "options": hubspot.options}
    requests, key = company.ids["request"], company.ids.get("key", ["none"])
    own = {"password": PASSWORD[::-1], "old_password": PASSWORD}
    row = {"status": "Backlog", "stage": "requirements", "state": "new"}
    return {
        "POST /v1/connections/test": tried,
        "POST /v1/connections/preview": tried,
        "POST /v1/connections/estimate": tried,
        "POST /v1/connections": {"connector": "mailbox", "options": mail.options, "name": "another", "anyway": True},
        "PUT /v1/connections/{identifier}": {"options": hubspot.options, "title": "Sales"},
        "PUT /v1/dead-letters/{letter}/content": {"content": company.letter},
        "POST /v1/decisions": {"kind": "merge", "requests": requests[:2]},
        "POST /v1/rules": {"generic": 90},
        "POST /v1/values": {"value": company.ready.examples[0], "meaning": "generic"},
        "POST /v1/connections/{identifier}/stage-map": {"stages": [row]},
        "POST /v1/suggestions/{id}/answer": {"answer": "later"},
        "POST /v1/set-up": {"key": key[0], "name": "Anna Berg", "password": PASSWORD},
        "POST /v1/sign-in": {"name": "Anna Berg", "password": PASSWORD},
        "PATCH /v1/accounts/{id}": {"role": "editor"} if comer.role is Role.ADMIN else own,
        "POST /v1/accounts": {"name": "Carla Dahl", "role": "viewer"},
        "POST /v1/tokens": {"title": "Report", "role": "viewer"},
        "POST /v1/connections/{identifier}/read-again": {"since": "beginning"},
        "POST /v1/dead-letters/{letter}/drop": {"reason": "A test"},
        "POST /v1/dead-letters/causes/{cause}/drop": {"reason": "A test"},
    }  # fmt: skip


async def asked_by(comer: Comer, filled: Company, folder: Path, seed: str = "1") -> tuple[Answers, str | None]:
    """All operations asked by this one: what was answered, and what schemathesis found."""
    async with copied(filled, folder / "hub") as company:
        sent = await people(company, comer)
        told = document(company.ids, bodies(company, comer)) | {"x-asked-by": comer.role and comer.role.value}
        hooks = Webhooks(company.engine, catalogue(), company.equipment.keys, "", clock).app()
        async with served(hooks) as company.hooks_url:
            answers = Answers(company.app(everybody=comer.who == MACHINE))
            async with served(answers) as url:
                found = await generate(
                    folder, url, told, *sent, "--phases", comer.phases, "--max-examples", str(comer.examples),
                    "--seed", seed,
                )  # fmt: skip
    return answers, found
