"""What happened in a request, and what holds it together."""

from typing import Any

import pytest
from sqlalchemy import update

from pipelines.store import tables
from schemas.canonical import canonical_json
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned


async def pages(hub: Hub, path: str, **parameters: Any) -> list[Any]:
    """All items, two at a time."""
    found: list[Any] = []
    cursor: str | None = None
    while True:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = await hub.get(path, limit=2, **more, **parameters)
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


async def test_the_timeline_pages_through_everything_in_both_directions(hub: Hub) -> None:
    path = f"/v1/requests/{owned(1)}/timeline"
    forth = await pages(hub, path)
    assert [(one["artifact"], one["at"]) for one in forth] == [
        ("memos/memo/1", "2026-03-01T11:00:00.000000Z"),
        ("memos/memo/2", "2026-03-01T12:00:00.000000Z"),
        ("memos/memo/3", "2026-03-01T13:00:00.000000Z"),
        ("memos/memo/3", "2026-03-01T14:00:00.000000Z"),
    ]
    assert await pages(hub, path, order="desc") == forth[::-1]
    assert [one["actor_name"] for one in forth] == ["Anna", "Bert", "Anna", "Carla"]
    assert not any(one["restricted"] for one in forth)


async def test_the_timeline_filters(hub: Hub) -> None:
    path = f"/v1/requests/{owned(1)}/timeline"
    assert len(await pages(hub, path, kind="status changed")) == 4
    assert await pages(hub, path, kind="sent") == []
    assert len(await pages(hub, path, artifact="memos/memo/3")) == 2
    assert len(await pages(hub, path, actor="memos/account/carla")) == 1
    since, until = "2026-03-01T12:00:00Z", "2026-03-01T14:00:00+00:00"
    assert len(await pages(hub, path, since=since, until=until)) == 2


async def test_restricted_content_stays_out_of_the_timeline(hub: Hub) -> None:
    said = {
        "key": "x", "artifact": "memos/memo/1", "kind": "commented", "at": "2026-03-01T11:00:00.000000Z",
        "text": "CANARY", "audience": ["restricted", "Board only"],
    }  # fmt: skip
    async with hub.engine.begin() as connection:
        await connection.execute(
            update(tables.activities).where(tables.activities.c.artifact == "memos/memo/1")
            .values(body=canonical_json(said))
        )  # fmt: skip
    first = (await hub.get(f"/v1/requests/{owned(1)}/timeline"))["items"][0]
    assert first["restricted"]
    assert "text" not in first
    assert first["audience"] == ["restricted", "Board only"]


async def test_links_are_those_of_the_record(hub: Hub) -> None:
    record = (await hub.get(f"/v1/requests/{owned(1)}"))["request"]
    assert (await hub.get(f"/v1/requests/{owned(1)}/links"))["links"] == record["links"] != []


async def test_a_new_activity_does_not_shift_the_pages(hub: Hub) -> None:
    path = f"/v1/requests/{owned(1)}/timeline"
    first = await hub.get(path, limit=2)
    await hub.told(memo(1, version=0, text="earlier"))
    second = await hub.get(path, limit=2, cursor=first["next"])
    await hub.get(path, 400, cursor=first["next"], kind="commented")
    await hub.get(f"/v1/requests/{owned(5)}/timeline", 400, cursor=first["next"])
    assert {one["key"] for one in first["items"]}.isdisjoint(one["key"] for one in second["items"])


async def test_a_person_is_meant_by_any_identity_and_address_of_theirs(hub: Hub) -> None:
    await hub.told(memo(3, version=3, parent=2, by="ann", address="anna@example.com"))
    record = (await hub.get(f"/v1/requests/{owned(1)}"))["request"]
    anna = next(one for one in record["people"] if len(one["identities"]) == 2)
    path = f"/v1/requests/{owned(1)}/timeline"
    by_id = await pages(hub, path, actor=anna["id"])
    assert {one["actor"] for one in by_id} == {"memos/account/anna", "memos/account/ann"} == set(anna["identities"])
    for name in (*anna["identities"], "anna@example.com", " Anna@Example.com "):
        assert await pages(hub, path, actor=name) == by_id, name
    for one in record["people"]:
        entries = [each for each in record["timeline"]["entries"] if each["actor"] == one["id"]]
        assert len(await pages(hub, path, actor=one["id"])) == sum(each["count"] for each in entries) > 0
    assert len(await pages(hub, path, actor=["anna@example.com", "memos/account/bert"])) == len(by_id) + 1


async def test_who_is_none_of_the_people_is_known_by_what_they_did(hub: Hub) -> None:
    await by_machine(hub, "memos/memo/1", "memos/account/robot")
    path = f"/v1/requests/{owned(1)}/timeline"
    assert [one["artifact"] for one in await pages(hub, path, actor="memos/account/robot")] == ["memos/memo/1"]


async def test_a_person_who_only_acts_by_machine_is_meant_by_the_records_entries(hub: Hub) -> None:
    record = (await hub.get(f"/v1/requests/{owned(1)}"))["request"]
    record["people"] = [one for one in record["people"] if one["id"] != "memos/account/carla"]
    last = record["timeline"]["entries"][-1]
    assert (last["actor"], last["artifact"]) == ("memos/account/carla", "memos/memo/3")
    last["actor"] = "crm/account/carla"
    async with hub.engine.begin() as connection:
        where = tables.requests.c.id == owned(1)
        await connection.execute(update(tables.requests).where(where).values(record=canonical_json(record)))
    path = f"/v1/requests/{owned(1)}/timeline"
    assert [one["actor"] for one in await pages(hub, path, actor="crm/account/carla")] == ["memos/account/carla"]


async def test_an_artifact_is_meant_by_its_natural_key_as_well(hub: Hub) -> None:
    path = f"/v1/requests/{owned(1)}/timeline"
    by_id = await pages(hub, path, artifact="memos/memo/3")
    assert len(by_id) == 2
    for name in ("MEMO-3", "memo-3", " MEMO-3 "):
        assert await pages(hub, path, artifact=name) == by_id, name
    assert len(await pages(hub, path, artifact=["MEMO-3", "memos/memo/1"])) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [("artifact", "MEMO-99"), ("artifact", "memos/memo/4"), ("actor", "memos/account/nobody"),
     ("actor", "dora@example.com"), ("actor", "anna"), ("actor", "\N{PILE OF POO}")],
)  # fmt: skip
async def test_what_names_nothing_of_the_request_is_refused(hub: Hub, field: str, value: str) -> None:
    path = f"/v1/requests/{owned(1)}/timeline"
    for given in (value, ["memos/memo/1" if field == "artifact" else "memos/account/anna", value]):
        answer = await hub.http.get(path, params={field: given})
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["field"] == f"query.{field}"
        assert value not in answer.text.replace("/v1/lookup", "")
    assert await pages(hub, path, kind="sent", artifact="MEMO-1", actor="anna@example.com") == []


async def by_machine(hub: Hub, artifact: str, actor: str) -> None:
    """What was done to an artifact was done by a machine."""
    said = {"key": "x", "artifact": artifact, "kind": "status changed", "at": "2026-03-01T11:00:00.000000Z",
            "actor": actor, "automatic": True}  # fmt: skip
    async with hub.engine.begin() as connection:
        where = tables.activities.c.artifact == artifact
        body = canonical_json(said)
        await connection.execute(update(tables.activities).where(where).values(actor=actor, body=body))
