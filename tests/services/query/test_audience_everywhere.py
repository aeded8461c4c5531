"""No operation that reads tells a stranger what a restricted connection brought; one that nobody listed fails here."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import update

from connectors.addresses import Policy
from connectors.catalogue import catalogue
from pipelines.store import dead_letters as letters
from pipelines.store.dead_letters import DeadLetter
from pipelines.store.engine import writing
from pipelines.store.tables import activities
from schemas.access import THIS_MACHINE, Caller
from schemas.events import to_kafka
from services.admin import audit
from services.admin.entrance import Entrance
from services.admin.equipment import Equipment
from services.admin.passwords import Passwords
from services.admin.routers import ROUTERS
from services.admin.signing_in import Manner
from services.query.app import create_app, openapi_document
from services.query.database import Database
from services.security import key_ring
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, owned
from tests.services.query.test_audience import PLANTED, STRANGERS, As, company, owned_by
from tests.services.query.test_suggestions import settle

__all__ = ["company"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ENDLESS = {"/v1/changes/stream"}
"""Not called: it tells what /v1/changes tells, and never ends."""

NEEDS = {
    "/v1/lookup": ["?reference=MEMO-1&whole=true", "?reference=board/memo/22&reference=R-AAAAAAAAAAAA&whole=true"],
    "/v1/why": ["?from=MEMO-1&with=board/memo/21", "?from=MEMO-4&with=board/memo/22"],
}
"""Queries of what cannot be asked without one."""

MORE = {
    "/v1/requests": ["?whole=true", "?connection=board&whole=true", "?text=planted&whole=true"],
    "/v1/audit": ["?q=planted", "?q=planta", "?action=dead-letter", "?action=decision"],
    "/v1/audit.csv": ["?action=dead-letter", "?action=decision"],
    "/v1/suggestions": ["?waiting=true"],
    "/v1/dead-letters": ["?every=true"],
}
"""Further queries."""

HOLDS = {
    "/v1/lookup", "/v1/why", "/v1/requests", "/v1/requests/{identifier}", "/v1/requests/{identifier}/timeline",
    "/v1/requests/{identifier}/why", "/v1/connections/{identifier}/unmapped", "/v1/decisions", "/v1/decisions/{number}",
    "/v1/connections/{identifier}/stage-map", "/v1/values", "/v1/dead-letters/{letter}",
    "/v1/dead-letters/causes/{cause}", "/v1/audit", "/v1/audit.csv",
}  # fmt: skip
"""Operations that tell the words to who may read them."""


@dataclass
class Laden:
    """The company, in which whatever can hold content holds the planted words."""

    hub: Hub
    parts: Equipment
    entrance: Entrance
    names: dict[str, list[str]]
    """What a parameter of a path may be."""

    def app(self, caller: Caller) -> FastAPI:
        """The whole API, for one caller."""
        app = create_app(
            self.hub.engine, lambda: NOW, access=As(caller), keep_seconds=0, more=ROUTERS,
            noting=lambda caller, where: audit.noting(caller, lambda: NOW, where),
        )  # fmt: skip
        app.state.equipment, app.state.entrance = self.parts, self.entrance
        return app


@pytest.fixture
async def laden(company: Hub, tmp_path: Path) -> Laden:
    database = Database(company.engine, 10.0)
    parts = Equipment(
        company.engine, database, catalogue(), key_ring([], tmp_path / "key"), Policy(allow_loopback=True),
        lambda: NOW, "https://hub.acme.example", hooks_public=True,
    )  # fmt: skip
    hasher = Passwords(PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1))
    entrance = Entrance(company.engine, database, lambda: NOW, hasher, Manner())
    told = Laden(company, parts, entrance, {})
    named = [memo(40 + one, connection="board", text="See PLANTED-77", status="Planted status") for one in range(22)]
    await company.told(*named)
    await settle(company)
    _, value, _ = to_kafka(memo(90, connection="board", title="Planted letter", text="Secretword", status="nonsense"))
    async with writing(company.engine) as connection:
        letter = DeadLetter("one/source.jira/0/1", "bad record", "status: 'planted' is none", value, NOW)
        await letters.add(connection, [letter])
    async with client_of(told.app(THIS_MACHINE)) as http:
        await plant(told, http)
    return told


async def plant(laden: Laden, http: httpx2.AsyncClient) -> None:
    """A limit that a value is above, an edited letter, a decision about planta, and what all that is called."""
    limit = {"generic": 21}
    assert (await http.post("/v1/rules", json=limit, headers={"If-Match": "*"})).status_code == 201
    same = {"kind": "same person", "identities": ["board/account/planta", "memos/account/anna"], "by": "Clara"}
    done = await http.post("/v1/decisions", json=same, headers={"If-Match": "*"})
    assert done.status_code == 201, done.text
    (cause,) = (await http.get("/v1/dead-letters")).json()["items"]
    held = (await http.get(f"/v1/dead-letters/{cause['example']}")).json()
    edit = {"content": held["content"] | {"payload": {**held["content"]["payload"], "text": "Secretword, planted"}}}
    path = f"/v1/dead-letters/{cause['example']}/content"
    edited = await http.put(path, json=edit, headers={"If-Match": "*"})
    assert edited.status_code == 200, edited.text
    laden.names |= {
        "/v1/requests/{identifier}": [owned(1), owned_by("board", 22)], "/v1/decisions/{number}": ["1", "2"],
        "/v1/connections/{identifier}": ["board", "memos"], "/v1/dead-letters/causes/{cause}": [cause["id"]],
        "/v1/dead-letters/{letter}": [cause["example"]], "/v1/rules/changes/{number}": ["1"],
        "/v1/suggestions/{id}": ["S-MZXW6YTBOI3D"], "/v1/accounts/{id}": ["A-mzxw6ytboi"],
    }  # fmt: skip


@cache
def documented() -> dict[str, Any]:
    """The document's paths, which take longer to put together than to call."""
    paths: dict[str, Any] = openapi_document(ROUTERS)["paths"]
    return paths


def calls(laden: Laden) -> list[tuple[str, str]]:
    """(path of the document, path to call) of all that reads. Fails where somebody must say how it is called."""
    found = []
    for path, operations in documented().items():
        if "get" not in operations or path in ENDLESS:
            continue
        required = [one["name"] for one in operations["get"].get("parameters", ()) if one["in"] == "query" and
                    one.get("required")]  # fmt: skip
        queries = NEEDS[path] if path in NEEDS else ["", *MORE.get(path, ())]
        if path.endswith("/why") and path != "/v1/why":
            queries = ["?with=board/memo/21", "?with=board/memo/22", "?with=MEMO-4"]
        assert not required or queries[0], f"{path} needs {required}: say here how it is called"
        found += [(path, place + query) for place in _places(laden, path) for query in queries]
    return found


def _places(laden: Laden, path: str) -> list[str]:
    if "{" not in path:
        return [path]
    known = next((one for one in laden.names if path.startswith(one)), None)
    assert known, f"{path}: say here what it is called with"
    rest = path.removeprefix(known)
    assert "{" not in rest, f"{path}: say here what it is called with"
    return [known[: known.index("{")] + name + rest for name in laden.names[known]]


async def read(http: httpx2.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code in (200, 403, 404), f"{path}: {answer.status_code} {answer.text}"
    return (answer.text + str(dict(answer.headers))).lower()


@pytest.mark.parametrize("caller", STRANGERS, ids=lambda one: one.role)
async def test_no_operation_tells_a_stranger_what_was_planted(laden: Laden, caller: Caller) -> None:
    async with client_of(laden.app(caller)) as http:
        told = {path: found for _, path in calls(laden) if (found := planted(await read(http, path)))}
    assert told == {}


async def test_the_words_are_where_they_are_looked_for(laden: Laden) -> None:
    async with client_of(laden.app(THIS_MACHINE)) as http:
        held = {template for template, path in calls(laden) if planted(await read(http, path))}
    assert held >= HOLDS, f"nothing was planted in {HOLDS - held}"


async def test_a_refusal_tells_no_stranger_what_another_decision_names(laden: Laden) -> None:
    wish: Any = {"kind": "link", "a": "board/memo/22", "b": "MEMO-4"}
    async with client_of(laden.app(STRANGERS[1])) as http:
        refused = await http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})
    assert refused.status_code == 409, refused.text
    assert "MEMO-22" not in refused.text
    assert refused.json()["decision"] == 1


async def test_with_stored_secrets_nobody_previews_what_they_may_not_read(laden: Laden) -> None:
    asked = {"connector": "jira", "connection": "board", "options": {}}
    async with client_of(laden.app(STRANGERS[2])) as http:
        refused = await http.post("/v1/connections/preview", json=asked)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:throughline:problem:audience")


async def test_who_did_something_is_not_found_out_by_asking_for_it(laden: Laden) -> None:
    path = f"/v1/requests/{owned(1)}/timeline?actor=board/account/planta"
    async with client_of(laden.app(STRANGERS[0])) as http:
        assert (await http.get(path)).json()["items"] == []
    async with client_of(laden.app(THIS_MACHINE)) as http:
        assert (await http.get(path)).json()["items"] != []


async def test_what_somebody_did_there_is_not_found_by_their_identity_of_elsewhere(laden: Laden) -> None:
    async with writing(laden.hub.engine) as connection:
        there = update(activities).where(activities.c.artifact == "board/memo/21")
        await connection.execute(there.values(actor="memos/account/anna"))
    path = f"/v1/requests/{owned(1)}/timeline?actor=memos/account/anna"
    told = {}
    for caller in (STRANGERS[0], THIS_MACHINE):
        async with client_of(laden.app(caller)) as http:
            told[caller] = {one["artifact"] for one in (await http.get(path)).json()["items"]}
    assert told[THIS_MACHINE] - told[STRANGERS[0]] == {"board/memo/21"}
    assert told[STRANGERS[0]]
    async with writing(laden.hub.engine) as connection:
        await connection.execute(there.values(actor="mail/address/zoe@example.com"))
    path = f"/v1/requests/{owned(1)}/timeline?actor=mail/address/zoe@example.com"
    for caller, status in ((STRANGERS[0], 422), (THIS_MACHINE, 200)):
        async with client_of(laden.app(caller)) as http:
            assert (await http.get(path)).status_code == status


async def test_whom_a_connection_knows_is_not_found_out_by_asking_for_them(laden: Laden) -> None:
    path = "/v1/decisions?identity=planta@example.com"
    async with client_of(laden.app(STRANGERS[2])) as http:
        assert (await http.get(path)).json()["items"] == []
        wish: Any = {"kind": "same person", "identities": ["planta@example.com", "memos/account/anna"]}
        refused = await http.post("/v1/decisions", json=wish, headers={"If-Match": "*"})
    assert refused.status_code == 409
    assert "board/account" not in refused.text
    async with client_of(laden.app(THIS_MACHINE)) as http:
        assert len((await http.get(path)).json()["items"]) == 1


async def test_a_letter_that_does_not_say_whose_it_is_may_be_anybodys(laden: Laden) -> None:
    async with writing(laden.hub.engine) as connection:
        await letters.add(connection, [DeadLetter("one/source.jira/0/2", "bad record", "no JSON", b"planted <", NOW)])
    async with client_of(laden.app(THIS_MACHINE)) as http:
        one = next(each for each in (await http.get("/v1/dead-letters")).json()["items"] if not each["connection"])
        assert "planted" in await read(http, f"/v1/dead-letters/{one['example']}")
    async with client_of(laden.app(STRANGERS[2])) as http:
        assert "planted" not in await read(http, f"/v1/dead-letters/{one['example']}")


def planted(text: str) -> list[str]:
    return [word for word in PLANTED if word in text]


async def test_the_audit_names_of_a_decision_what_its_reader_may_read(laden: Laden) -> None:
    told = []
    for caller in (THIS_MACHINE, STRANGERS[2]):
        async with client_of(laden.app(caller)) as http:
            (one,) = (await http.get("/v1/audit?action=decision.taken")).json()["items"]
            found = (await http.get("/v1/audit?q=board/account/planta")).json()["items"]
        told.append((one["after"]["left"] + one["after"]["right"], len(found)))
    assert told == [(["board/account/planta", "memos/account/anna"], 1), (["memos/account/anna"], 0)]
