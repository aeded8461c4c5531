"""What may belong together: listed by worth, a page at a time, looked up by name, answered on what was seen."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pipelines.store.configuration import ConnectionConfiguration, write
from pipelines.store.engine import writing
from pipelines.suggest.model import Model
from pipelines.suggesting import Suggesting
from services.query import suggested
from services.query.app import create_app
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, fill, filled, over, owned

MODEL = Model(7, -2.0, {"same title": 3.0, "same requester": 1.0, "common title": -3.0}, 0.5)
PRINTER = "Replace the printer upstairs"
FAX = "Move the fax machine downstairs"


async def with_alike(engine: AsyncEngine) -> None:
    """Memos 11 and 12 are titled alike, so are 13 (with 14 in its request) and 15."""
    await fill(engine, [
        memo(11, title=PRINTER), memo(12, title=f"Re: {PRINTER}"), memo(13, title=FAX), memo(14, parent=13, title="X"),
        memo(15, title=FAX),
    ])  # fmt: skip
    async with over(engine) as hub:
        await settle(hub)


@pytest.fixture
async def alike(database_url: str) -> AsyncIterator[Hub]:
    """The company with what is alike in it."""
    async with filled(database_url, with_alike) as made:
        yield made


async def settle(hub: Hub, a_day: int = 20, at: Any = NOW) -> None:
    suggesting = Suggesting(hub.engine, lambda: at, "test", model=MODEL, a_day=a_day)
    while await suggesting.once():
        pass
    await suggesting.offer()


async def listed(hub: Hub, **filters: Any) -> list[Any]:
    found: list[Any] = (await hub.get("/v1/suggestions", **filters))["items"]
    return found


async def answer(hub: Hub, name: str, said: str, status: int = 200, *, match: str = "*", **more: Any) -> Any:
    sent = await hub.http.post(
        f"/v1/suggestions/{name}/answer", json={"answer": said, "by": "Anna Berg"}, headers={"If-Match": match},
        params=more,
    )  # fmt: skip
    assert sent.status_code == status, sent.text
    return sent.json()


async def test_the_worthiest_come_first_with_their_reasons(alike: Hub) -> None:
    page = await alike.get("/v1/suggestions")
    first, second = page["items"]
    assert [one["id"] for one in first["artifacts"]] == ["memos/memo/13", "memos/memo/15"]
    assert first["worth"] > second["worth"]
    assert first["change"] == {"into": owned(13), "merges": [owned(15)], "moves": 1}
    assert set(first["requests"]) == {owned(13), owned(15)}
    assert first["model"] == 7
    assert first["offered_at"] == "2026-04-01T12:00:00.000000Z"
    assert second["features"]["same title"] == 1
    assert [one["title"] for one in second["artifacts"]] == [PRINTER, f"Re: {PRINTER}"]
    assert await alike.get(f"/v1/suggestions/{second['id']}") == second
    assert page["measured"] == {
        "accepted": 0, "rejected": 0, "later": 0, "precision": None, "low": 0.0, "high": 1.0,
    }  # fmt: skip


async def test_pages_and_filters(alike: Hub) -> None:
    first = await alike.get("/v1/suggestions", limit=1)
    last = await alike.get("/v1/suggestions", limit=1, cursor=first["next"])
    assert last["next"] is None
    assert [one["id"] for one in first["items"] + last["items"]] == [one["id"] for one in await listed(alike)]
    assert [one["id"] for one in await listed(alike, artifact="MEMO-12")] == [last["items"][0]["id"]]
    assert [one["id"] for one in await listed(alike, request=owned(13))] == [first["items"][0]["id"]]
    assert await listed(alike, artifact="MEMO-1") == []
    assert await listed(alike, min_probability=0.99) == []
    await alike.get("/v1/suggestions", 400, cursor="x")
    await alike.get("/v1/suggestions", 400, cursor=first["next"], min_probability=0.5)
    await alike.get("/v1/suggestions/S-AAAAAAAAAAAA", 404)


async def test_accepting_joins_at_once_and_is_a_decision(alike: Hub) -> None:
    (one,) = await listed(alike, artifact="MEMO-12")
    before = await answer(alike, one["id"], "accepted", preview=True)
    assert before["decided"]["redirects"] == {owned(12): owned(11)}
    await answer(alike, one["id"], "accepted", 412, match='"0000"')
    match = ", ".join(f'"{tag}"' for tag in one["requests"].values())
    told = await answer(alike, one["id"], "accepted", match=match)
    assert told["decided"]["decision"]["reason"] == f"accepted suggestion {one['id']}"
    assert await listed(alike, artifact="MEMO-12") == []  # before anybody looked again
    assert (await answer(alike, one["id"], "accepted"))["decided"] is None
    problem = await answer(alike, one["id"], "rejected", 409)
    assert problem["mend"] == "To part them again, undo the decision that it became."
    measured = (await alike.get("/v1/suggestions"))["measured"]
    assert (measured["accepted"], measured["precision"]) == (1, 1.0)


async def test_rejecting_decides_nothing_and_not_now_comes_back(alike: Hub) -> None:
    (fax,), (printer,) = await listed(alike, artifact="MEMO-15"), await listed(alike, artifact="MEMO-12")
    assert (await answer(alike, fax["id"], "rejected"))["decided"] is None
    told = await answer(alike, printer["id"], "later")
    assert told["until"] == "2026-04-15T12:00:00.000000Z"
    assert await listed(alike, waiting=True) == []
    assert (await alike.get("/v1/decisions"))["items"] == []
    later = create_app(alike.engine, lambda: NOW + timedelta(days=15))
    async with client_of(later) as http:
        assert [one["id"] for one in (await http.get("/v1/suggestions")).json()["items"]] == [printer["id"]]


async def test_not_now_ends_when_the_evidence_changes(alike: Hub) -> None:
    (printer,) = await listed(alike, artifact="MEMO-12")
    await answer(alike, printer["id"], "later")
    await alike.told(memo(12, version=2, title=f"Re: {PRINTER}", by="bert"))
    await settle(alike)
    assert [one["id"] for one in await listed(alike, artifact="MEMO-12")] == [printer["id"]]


async def test_what_waits_for_its_day_is_found_by_name(hub: Hub) -> None:
    await hub.told(memo(11, title=PRINTER), memo(12, title=PRINTER), memo(13, title=FAX), memo(15, title=FAX))
    await settle(hub, a_day=1)
    page = await hub.get("/v1/suggestions")
    assert (len(page["items"]), page["behind"]) == (1, 1)
    assert len(await listed(hub, waiting=True)) == 2
    assert len(await listed(hub, artifact="MEMO-12")) == len(await listed(hub, artifact="MEMO-15")) == 1
    await settle(hub, a_day=1, at=NOW + timedelta(days=1))
    page = await hub.get("/v1/suggestions")
    assert (len(page["items"]), page["behind"]) == (2, 0)


async def test_a_restricted_title_is_left_out(hub: Hub) -> None:
    await hub.told(memo(11, title=PRINTER), memo(12, title=PRINTER))
    async with writing(hub.engine) as connection:
        await connection.exec_driver_sql(
            "UPDATE artifacts SET fields = replace(fields, '\"created_at\":', "
            '\'"audience":[1,1,{"level":"restricted","stated":"Board"}],"created_at":\')'
            " WHERE id = 'memos/memo/12'"
        )
    await settle(hub)
    (one,) = await listed(hub, artifact="MEMO-12")
    assert [(each["title"], each["restricted"]) for each in one["artifacts"]] == [(PRINTER, False), (None, True)]
    assert "printer" not in " ".join(one["reasons"] + one["against"]).lower()
    async with writing(hub.engine) as connection:
        shows = ConnectionConfiguration("jira", frozenset({"MEMO"}), shows_restricted=True)
        await write(connection, "memos", shows)
    (one,) = await listed(hub, artifact="MEMO-12")
    assert one["artifacts"][1]["title"] == PRINTER


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, {"answer": "accepted", "by": "A"}, 428),
        ({"If-Match": "*", "Origin": "https://evil.example"}, {"answer": "accepted", "by": "A"}, 403),
        ({"If-Match": "*"}, {"answer": "perhaps", "by": "A"}, 422),
        ({"If-Match": "*"}, {"answer": "accepted", "by": ""}, 422),
        ({"If-Match": "*"}, {"answer": "accepted", "by": "A"}, 404),
    ],
)
async def test_what_is_wrong_is_told(hub: Hub, headers: dict[str, str], body: dict[str, str], status: int) -> None:
    sent: httpx2.Response = await hub.http.post("/v1/suggestions/S-AAAAAAAAAAAA/answer", json=body, headers=headers)
    assert sent.status_code == status
    assert sent.headers["Content-Type"] == "application/problem+json"


def test_the_interval_is_wide_where_little_was_answered() -> None:
    assert suggested.interval(0, 0) == (0.0, 1.0)
    low, high = suggested.interval(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)  # Wilson's, as in any table
