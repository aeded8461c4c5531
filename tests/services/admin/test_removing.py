"""A connection goes with what it brought, however often that is interrupted; what others brought stays as it was."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.ingest import Ingest
from pipelines.publish import Publisher
from pipelines.rebuild import Rebuild
from pipelines.store import configuration, tables
from pipelines.store.engine import reading, writing
from services.admin.removal import Removal, ask
from services.admin.tables import audit
from services.feed import connections
from tests.services.admin.conftest import NOW, SQLITE, Office
from tests.services.admin.tools import hubspot_server, sales
from tests.services.cli.company import DEAL, MAPPINGS, read

pytestmark = pytest.mark.filterwarnings("error")

REQUEST = "R-PSDQN6UFBW34"


def telling(engine: AsyncEngine) -> Any:
    return Ingest(engine, MAPPINGS, lambda: NOW, "removal").telling


def removal(office: Office) -> Removal:
    return Removal(office.engine, telling(office.engine), lambda: NOW, "test")


async def events_of(office: Office, name: str) -> int:
    wanted = select(func.count()).where(tables.source_events.c.connection == name)
    async with reading(office.engine) as connection:
        return int((await connection.execute(wanted)).scalar_one())


async def same_as_computed_anew(office: Office) -> bool:
    return await Rebuild(office.engine, telling(office.engine), lambda: NOW, "check").check() == []


async def test_what_it_brought_goes_with_it(office: Office) -> None:
    before = await office.ask("GET", f"/v1/requests/{REQUEST}")
    assert "crm" in json.dumps(before["request"])
    told = await office.ask("DELETE", "/v1/connections/crm?keep=false&preview=true", None, If_Match="*")
    assert told["preview"] is True
    assert told["loss"]["things"]["deal"] == 1
    assert told["loss"]["requests"] == 1
    assert (told["loss"]["end"], told["loss"]["shorter"]) == (0, 1)
    assert (await office.ask("GET", "/v1/connections/crm"))["id"] == "crm"

    await office.ask("DELETE", "/v1/connections/crm?keep=false", None, If_Match="*")
    await office.ask("GET", "/v1/connections/crm", status=404)
    assert (await office.ask("GET", "/v1/removals"))["items"][0]["step"] == "events"
    assert await removal(office).once()
    (done,) = (await office.ask("GET", "/v1/removals"))["items"]
    assert (done["step"], done["problem"]) == ("finished", None)
    assert done["finished_at"]
    assert await events_of(office, "crm") == 0
    after = await office.ask("GET", "/v1/requests", status=200)
    assert "crm" not in json.dumps(after)
    assert await same_as_computed_anew(office)
    assert not await removal(office).once()
    async with reading(office.engine) as connection:
        assert "crm" not in await configuration.every(connection)
        entry = (await connection.execute(select(audit))).all()[-1]
    assert (entry.action, entry.object) == ("connection.removed with what it brought", "connection crm")
    assert "CANARY" not in str(entry)


async def test_killed_half_way_it_goes_on(office: Office) -> None:
    await office.ask("DELETE", "/v1/connections/crm?keep=false", None, If_Match="*")
    await removal(office)._some_events("crm")
    assert await events_of(office, "crm") == 0
    assert (await office.ask("GET", f"/v1/requests/{REQUEST}"))["request"]
    assert await removal(office).once()
    assert await same_as_computed_anew(office)
    await read(office.engine, [DEAL.model_copy(update={"version": "9/late"})], first=100)
    assert await events_of(office, "crm") == 1
    assert await removal(office).once()
    assert await events_of(office, "crm") == 0
    assert await same_as_computed_anew(office)


@SQLITE
async def test_it_may_be_added_again_when_that_is_done(office: Office) -> None:
    async with writing(office.engine) as connection:
        await ask(connection, "crm", NOW)
    async with hubspot_server() as server:
        body = sales(server) | {"name": "crm"}
        told = await office.ask("POST", "/v1/connections", body, 422)
        assert told["errors"][0]["problem"] == "What crm brought is being removed"
        await removal(office).once()
        await office.ask("POST", "/v1/connections", body, 201)
    assert (await office.ask("GET", "/v1/removals"))["items"] == []


async def publish(office: Office) -> None:
    async def send(batch: Any) -> list[bool]:
        return [True] * len(batch)

    while await Publisher(office.engine, send, lambda: NOW, "test").once():
        pass


async def gone(office: Office, name: str) -> None:
    await office.ask("DELETE", f"/v1/connections/{name}?keep=false", None, If_Match="*")
    assert await removal(office).once()


async def test_the_id_of_what_went_leads_to_what_is_left(office: Office) -> None:
    """For ever, also where that goes in its turn; an id of which nothing is left leads nowhere."""
    told = await office.ask("DELETE", "/v1/connections/inbox?keep=false&preview=true", None, If_Match="*")
    assert told["loss"]["other_id"] == 1
    await gone(office, "inbox")
    first = await office.http.get(f"/v1/requests/{REQUEST}/timeline?limit=5")
    await publish(office)
    moved = await office.http.get(f"/v1/requests/{REQUEST}/timeline?limit=5")
    assert (first.status_code, moved.status_code) == (308, 308)
    assert first.headers["location"] == moved.headers["location"]
    second = moved.json()["request"]
    assert moved.headers["location"].endswith(f"/v1/requests/{second}/timeline?limit=5")
    assert {"request": REQUEST, "merged_into": second}.items() <= (
        next(one for one in await changes(office) if one["request"] == REQUEST and one["merged_into"]).items()
    )
    await gone(office, "crm")
    await publish(office)
    left = await office.http.get(f"/v1/requests/{REQUEST}", follow_redirects=True)
    assert left.status_code == 200
    assert "jira-acme/issue/10012" in {one["id"] for one in left.json()["request"]["artifacts"]}
    await gone(office, "jira-acme")
    await publish(office)
    last = await office.http.get(f"/v1/requests/{REQUEST}", follow_redirects=True)
    assert (last.status_code, last.json()["type"]) == (404, "urn:throughline:problem:unknown-request")


async def changes(office: Office) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await office.ask("GET", "/v1/changes?since=0"))["items"]
    return found


@SQLITE
async def test_kept_is_what_it_brought_by_default(office: Office) -> None:
    await office.ask("DELETE", "/v1/connections/crm", None, 428)
    await office.ask("DELETE", "/v1/connections/crm", None, 412, If_Match='"77"')
    told = await office.ask("DELETE", "/v1/connections/crm", None, If_Match='"1"')
    assert told == {"preview": False, "keep": True, "loss": None, "left": None}
    assert await events_of(office, "crm") > 0
    async with reading(office.engine) as connection:
        assert await connections.get(connection, "crm") is None
    assert not await removal(office).once()
