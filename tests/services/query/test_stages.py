"""How many requests stand where."""

from typing import Any

from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub


async def counted(hub: Hub) -> dict[str, Any]:
    items = (await hub.get("/v1/stages"))["items"]
    assert [one["stage"] for one in items] == [
        "alignment", "requirements", "development", "change", "improvement", "not mapped",
    ]  # fmt: skip
    assert all(one["total"] == sum(one["states"].values()) for one in items)
    return {one["stage"]: one["states"] for one in items}


async def test_all_stages_are_counted_by_state(hub: Hub) -> None:
    before = await counted(hub)
    assert sum(before["not mapped"].values()) == 3
    assert before["development"] == {}
    await hub.told(memo(30, title="One more"))
    after = await counted(hub)
    assert sum(after["not mapped"].values()) == 4
    items = (await hub.get("/v1/requests"))["items"]
    for state, number in after["not mapped"].items():
        assert sum((one["state"] or "unknown") == state for one in items) == number


async def test_counting_takes_no_parameter(hub: Hub) -> None:
    assert (await hub.get("/v1/stages", 422, stage="change"))["errors"][0]["field"] == "query"
