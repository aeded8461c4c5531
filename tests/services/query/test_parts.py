"""What happened in a request, and what holds it together."""

from typing import Any

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
