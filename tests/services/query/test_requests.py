"""One request by its id."""

import json

from sqlalchemy import select

from pipelines.store import tables
from schemas.canonical import canonical_json
from tests.pipelines.memos import memo
from tests.services.query.conftest import Hub, owned


async def stored(hub: Hub, number: int) -> tuple[str, str]:
    async with hub.engine.connect() as connection:
        found = select(tables.requests.c.record, tables.requests.c.etag).where(tables.requests.c.id == owned(number))
        row = (await connection.execute(found)).one()
    return row.record, row.etag


async def test_the_record_goes_out_as_it_is_stored(hub: Hub) -> None:
    answer = await hub.http.get(f"/v1/requests/{owned(1)}")
    record, etag = await stored(hub, 1)
    assert answer.status_code == 200
    assert f'{{"request":{record},' in answer.text
    assert answer.headers["ETag"] == f'W/"{etag}"'
    body = answer.json()
    assert body["etag"] == etag
    assert body["problem"] is None
    assert body["change"] >= 1
    assert [one["connection"] for one in body["freshness"]] == ["memos"]
    assert body["freshness"][0]["behind_seconds"] == 120


async def test_a_known_etag_answers_304_without_a_body(hub: Hub) -> None:
    _, etag = await stored(hub, 1)
    for known in (f'W/"{etag}"', f'"{etag}"', f'"other", W/"{etag}"', "*"):
        answer = await hub.http.get(f"/v1/requests/{owned(1)}", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    await hub.told(memo(1, version=3, title="Renamed"))
    answer = await hub.http.get(f"/v1/requests/{owned(1)}", headers={"If-None-Match": f'W/"{etag}"'})
    assert answer.json()["request"]["artifacts"][0]["title"] == "Renamed"


async def test_ids_of_other_members_redirect_with_path_and_query(hub: Hub) -> None:
    answer = await hub.http.get(f"/v1/requests/{owned(3)}/timeline?limit=2")
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"/v1/requests/{owned(1)}/timeline?limit=2"
    assert (answer.json()["title"], answer.json()["request"]) == ("Moved", owned(1))
    followed = await hub.http.get(f"/v1/requests/{owned(2)}", follow_redirects=True)
    assert followed.json()["request"]["id"] == owned(1)


async def test_unknown_says_what_is_read_and_up_to_when(hub: Hub) -> None:
    problem = await hub.get("/v1/requests/R-AAAAAAAAAAAA", 404)
    assert problem["type"] == "urn:throughline:problem:unknown-request"
    assert problem["freshness"][0]["true_up_to"] == "2026-04-01T11:58:00.000000Z"
    assert "R-AAAAAAAAAAAA" not in json.dumps(problem)


async def test_what_is_in_no_request_says_what_it_is(hub: Hub) -> None:
    problem = await hub.get(f"/v1/requests/{owned(6)}", 404)
    assert problem["type"] == "urn:throughline:problem:in-no-request"
    assert problem["artifact"]["natural_key"] == "MEMO-6"


async def test_summary_in_peoples_words_only_when_asked(hub: Hub) -> None:
    assert (await hub.get(f"/v1/requests/{owned(1)}"))["summary"] is None
    line = (await hub.get(f"/v1/requests/{owned(1)}", summary="true"))["summary"]
    assert line.startswith("Not mapped to a stage")


async def test_as_of_now_is_the_record_and_earlier_is_less(hub: Hub) -> None:
    record = json.loads((await stored(hub, 1))[0])
    now = (await hub.get(f"/v1/requests/{owned(1)}", as_of="2026-04-01T12:00:00Z"))["request"]
    assert now.pop("as_of") == "2026-04-01T12:00:00.000000Z"
    record.pop("as_of")
    assert canonical_json(now) == canonical_json(record)
    earlier = await hub.http.get(f"/v1/requests/{owned(1)}", params={"as_of": "2026-03-01T11:30:00Z"})
    assert [one["natural_key"] for one in earlier.json()["request"]["artifacts"]] == ["MEMO-1", "MEMO-2"]
    assert "ETag" not in earlier.headers
    assert (await hub.get(f"/v1/requests/{owned(1)}", 404, as_of="2026-02-01T00:00:00Z"))["type"].endswith("not-yet")
    assert (await hub.get(f"/v1/requests/{owned(1)}", 422, as_of="2027-02-01T00:00:00Z"))["errors"][0]["field"] == (
        "query.as_of"
    )


async def test_the_plain_way_answers_as_the_documented_one(hub: Hub) -> None:
    for number in (1, 3, 6):
        plain = await hub.http.get(f"/v1/requests/{owned(number)}")
        documented = await hub.http.get(f"/v1/requests/{owned(number)}?summary=false")
        assert plain.status_code == documented.status_code
        assert plain.content == documented.content
        kept = {name: text for name, text in documented.headers.items() if name != "location"}
        assert kept == {name: text for name, text in plain.headers.items() if name != "location"}
    refused = await hub.get("/v1/requests/R-CANARY", 422)
    assert "twelve capital letters and digits from 2 to 7" in refused["mend"]
    assert "CANARY" not in str(refused)
    assert (await hub.http.get("/v1/requests/R-CANARY?summary=true")).json()["errors"][0]["field"] == "path.identifier"
