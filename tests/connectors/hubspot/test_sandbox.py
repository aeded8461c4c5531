"""The small HubSpot is as strict as the real one, and shows its search late."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from services.sandbox.hubspot import HubSpotServer
from services.sandbox.hubspot_vocabulary import SEARCH_CEILING
from tests.connectors.hubspot.rig import HubSpotRig

DEALS = "/crm/objects/2026-09/deals"
SEARCH: dict[str, Any] = {"filterGroups": [], "sorts": [], "properties": [], "limit": 10, "after": "0"}
READ: dict[str, Any] = {"inputs": [{"id": "10000000002"}], "properties": ["dealname"], "propertiesWithHistory": []}


@pytest.fixture
async def rig() -> AsyncIterator[HubSpotRig]:
    async with HubSpotRig() as rig:
        yield rig


async def ask(server: HubSpotServer, method: str, path: str, body: Any = None, token: str = "") -> httpx2.Response:
    headers = {"authorization": f"Bearer {token or server.token}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client:
        return await client.request(method, path, json=body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/search", SEARCH | {"limit": 201}),
        ("/search", SEARCH | {"after": str(SEARCH_CEILING), "limit": 1}),
        ("/search", SEARCH | {"sorts": ["hs_lastmodifieddate", "hs_object_id"]}),
        ("/search", SEARCH | {"properties": ["no_such_property"]}),
        ("/search", SEARCH | {"more": 1}),
        ("/search", SEARCH | {"filterGroups": [{"filters": []}] * 6}),
        ("/search", SEARCH | {"filterGroups": [{"filters": [{"propertyName": "amount", "operator": "EQ"}]}]}),
        ("/batch/read", READ | {"properties": ["no_such_property"]}),
        ("/batch/read", READ | {"inputs": [{"id": "1"}] * 101}),
        ("/batch/read", READ | {"inputs": [{"id": "1"}] * 51, "propertiesWithHistory": ["dealstage"]}),
        ("/batch/read", READ | {"inputs": [{"id": 7}]}),
        ("/batch/read", READ | {"inputs": []}),
        ("/batch/read?deleted=true", READ),
    ],
)
async def test_what_hubspot_refuses_is_refused(rig: HubSpotRig, path: str, body: dict[str, Any]) -> None:
    answer = await ask(rig.server, "POST", DEALS + path, body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("path", [f"{DEALS}?limit=101", f"{DEALS}?archive=true", f"{DEALS}?properties=nothing"])
async def test_unknown_parameters_of_lists_are_refused(rig: HubSpotRig, path: str) -> None:
    assert (await ask(rig.server, "GET", path)).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"), [("POST", DEALS), ("PATCH", f"{DEALS}/10000000002"), ("DELETE", f"{DEALS}/10000000002")]
)
async def test_a_write_fails_loudly_and_is_remembered(rig: HubSpotRig, method: str, path: str) -> None:
    answer = await ask(rig.server, method, path, {"properties": {"dealname": "changed"}})
    assert answer.status_code == 405
    assert rig.server.writes == [f"{method} {path}"]


async def test_a_wrong_token_is_401_and_an_unknown_path_404(rig: HubSpotRig) -> None:
    assert (await ask(rig.server, "GET", DEALS, token="pat-wrong")).status_code == 401
    for path in (
        "/crm/v4/objects/deals",
        "/crm/v3/associations/deals/tickets/batch/read",
        "/crm/objects/2026-09/quotes",
        "/",
    ):
        assert (await ask(rig.server, "GET", path)).status_code == 404


async def test_limits_are_announced_except_by_search(rig: HubSpotRig) -> None:
    rig.server.limits.on, rig.server.limits.searches = True, 2
    listed = await ask(rig.server, "GET", DEALS)
    assert listed.headers["x-hubspot-ratelimit-max"] == "190"
    answers = [await ask(rig.server, "POST", f"{DEALS}/search", SEARCH) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["policyName"] == "SECONDLY"
    assert [name for answer in answers for name in answer.headers if "ratelimit" in name] == []
    rig.server.limits.daily = 0
    assert (await ask(rig.server, "GET", DEALS)).json()["policyName"] == "DAILY"


async def test_search_shows_late_and_a_direct_read_at_once(rig: HubSpotRig) -> None:
    made = [rig.account.create_deal(f"Deal {number}") for number in range(20)]
    seen = []
    for _ in range(4):
        found = (await ask(rig.server, "POST", f"{DEALS}/search", SEARCH | {"limit": 200})).json()
        seen.append({each["id"] for each in found["results"]})
        rig.advance(20.5)
    assert seen[0] == set()
    assert set() < seen[1] < set(made), "some show before others"
    assert seen[3] == set(made)
    assert (await ask(rig.server, "GET", f"{DEALS}/{made[0]}")).json()["id"] == made[0]


async def test_search_shows_the_old_version_until_the_new_one_is_there(rig: HubSpotRig) -> None:
    deal = rig.account.create_deal("Old name")
    rig.settle()
    rig.account.set("deal", deal, dealname="New name")
    body = SEARCH | {"properties": ["dealname"]}
    names = []
    for _ in range(2):
        found = (await ask(rig.server, "POST", f"{DEALS}/search", body)).json()
        names.append(found["results"][0]["properties"]["dealname"])
        rig.settle()
    assert names == ["Old name", "New name"]


async def test_associations_move_no_modified_date(rig: HubSpotRig) -> None:
    deal, ticket = rig.account.create_deal("Deal"), rig.account.create_ticket("Ticket")
    rig.advance(60)
    rig.account.associate(("deal", deal), ("ticket", ticket))
    assert rig.account.records["deal", deal].modified == rig.now() - timedelta(seconds=60)


async def test_a_batch_read_answers_207_for_what_is_not_there_and_follows_merges(rig: HubSpotRig) -> None:
    one, two = rig.account.create_deal("One"), rig.account.create_deal("Two")
    into = rig.account.merge("deal", one, two)
    answer = await ask(rig.server, "POST", f"{DEALS}/batch/read", READ | {"inputs": [{"id": one}, {"id": "5"}]})
    assert answer.status_code == 207
    assert [each["id"] for each in answer.json()["results"]] == [into]
    assert answer.json()["errors"][0]["context"] == {"ids": ["5"]}
    listed = (await ask(rig.server, "GET", DEALS)).json()["results"]
    assert [each["id"] for each in listed] == [into]


async def test_property_history_ends_after_twenty_values(rig: HubSpotRig) -> None:
    deal = rig.account.create_deal("Deal")
    for number in range(30):
        rig.account.set("deal", deal, at=rig.now() + timedelta(minutes=number), amount=str(number))
    body = READ | {"inputs": [{"id": deal}], "propertiesWithHistory": ["amount"]}
    told = (await ask(rig.server, "POST", f"{DEALS}/batch/read", body)).json()["results"][0]
    values = [each["value"] for each in told["propertiesWithHistory"]["amount"]]
    assert values == [str(number) for number in range(29, 9, -1)]


def test_an_unknown_property_cannot_be_set(rig: HubSpotRig) -> None:
    with pytest.raises(ValueError, match="no property"):
        rig.account.create_deal("Deal", no_such_property="1")
