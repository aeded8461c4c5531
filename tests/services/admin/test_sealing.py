"""Keys are rotated by one command; a lost key costs the secrets, and nothing else."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from pipelines.store.engine import reading, writing
from schemas.access import THIS_MACHINE
from services.admin import sealing
from services.admin.saving import Who
from services.feed import connections
from services.feed.connections import StoredConnection
from services.sandbox.hubspot import HubSpotServer
from services.security import KeyRing, new_key
from tests.services.admin.conftest import Office
from tests.services.admin.tools import hubspot_server, sales

OLD, NEW = new_key(), new_key()


@pytest.fixture
async def hubspot() -> AsyncIterator[HubSpotServer]:
    async with hubspot_server() as server:
        yield server


async def stored(office: Office) -> StoredConnection:
    async with reading(office.engine) as connection:
        one = await connections.get(connection, "sales")
    assert one is not None
    return one


def keyed(office: Office, *keys: KeyRing) -> None:
    office.equipment = office.app.state.equipment = replace(office.equipment, keys=keys[0])


async def test_rotated_in_one_transaction(office: Office, hubspot: HubSpotServer) -> None:
    keyed(office, KeyRing([OLD]))
    await office.ask("POST", "/v1/connections", sales(hubspot), 201)
    before = await stored(office)
    both = KeyRing([NEW, OLD])
    keyed(office, both)
    async with reading(office.engine) as connection:
        found = await sealing.standing(connection, both)
    assert found.older == 1
    found = await sealing.rotate(office.equipment, Who(THIS_MACHINE))
    assert found.older == 0
    assert KeyRing([OLD]).key_ids[0] not in found.secrets
    assert found.secrets[both.key_ids[0]] == 1
    assert set(found.unreadable) == {"crm", "inbox", "jira-acme"}  # theirs are damaged, and stay as they are
    after = await stored(office)
    assert after == replace(before, secrets=after.secrets)
    assert connections.with_secrets(after, KeyRing([NEW]))["token"].get_secret_value() == hubspot.token
    assert await sealing.rotate(office.equipment, Who(THIS_MACHINE)) == found
    assert await stored(office) == after


async def test_a_lost_key_costs_the_secrets_alone(office: Office, hubspot: HubSpotServer) -> None:
    keyed(office, KeyRing([OLD]))
    await office.ask("POST", "/v1/connections", sales(hubspot), 201)
    async with writing(office.engine) as connection:
        await connections.change(connection, "sales", cursor={"page": 7}, first_read_done=True)
    keyed(office, KeyRing([NEW]))
    assert (await office.ask("GET", "/v1/lookup?reference=PAY-12"))["items"]
    told = await office.ask("GET", "/v1/connections/sales")
    assert told["secrets"][0]["readable"] is False
    assert told["options"]["base_url"] == hubspot.url
    options = {"base_url": hubspot.url, "share": 1}
    wrong = await office.ask("PUT", "/v1/connections/sales", {"options": options}, 422, If_Match="*")
    assert "is needed to open stored secrets" in wrong["detail"]
    told = await office.ask(
        "PUT", "/v1/connections/sales", {"options": options | {"token": hubspot.token}}, If_Match="*"
    )
    assert (told["secrets"][0]["readable"], told["read_again"]) == (True, False)
    one = await stored(office)
    assert (one.cursor, one.first_read_done) == ({"page": 7}, True)
    assert hubspot.token not in json.dumps([told, wrong, one.secrets])
