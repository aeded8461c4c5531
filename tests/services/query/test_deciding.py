"""What people decide: by any reference, on what they saw, once; told again, and followed by all that is served."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from pipelines.publish import Publisher
from pipelines.store.engine import open_engine, reading, writing
from schemas.access import Role
from services.admin import audit, tokens
from services.admin.accounts import By
from services.admin.signing_in import Accounts, Manner
from services.admin.tables import audit as audit_table
from services.feed.webhooks import Webhooks
from services.query.app import create_app
from services.query.database import Database
from services.security import KeyRing, new_key
from tests.pipelines.memos import memo
from tests.services.query.conftest import NOW, Hub, client_of, owned

ONE, FOUR, FIVE = (f"memos/memo/{number}" for number in (1, 4, 5))
LINK = {"kind": "link", "a": "MEMO-1", "b": "MEMO-4", "by": "Anna Berg", "reason": "Agreed on the phone"}
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SAID = "Anna Berg decided on 1 April 2026 that MEMO-1 and MEMO-4 belong together (decision 1)"


async def post(hub: Hub, body: Any, status: int = 201, *, preview: bool = False, **headers: str) -> Any:
    """The JSON of the answer to a decision."""
    answer = await sent(hub.http, body, preview=preview, **headers)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.json()


async def sent(http: httpx2.AsyncClient, body: Any, *, preview: bool = False, **headers: str) -> httpx2.Response:
    given = {"If-Match": "*"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.post("/v1/decisions", params={"preview": preview}, json=body, headers=given)


async def request_of(hub: Hub, reference: str) -> str | None:
    (found,) = (await hub.get("/v1/lookup", reference=reference))["items"]
    return found["requests"][0] if found["outcome"] == "in a request" else None


async def published(hub: Hub) -> None:
    async def send(batch: Sequence[Any]) -> Sequence[bool]:
        return [True] * len(batch)

    while await Publisher(hub.engine, send, lambda: NOW, "test").once():
        pass


async def test_a_link_joins_two_requests_and_the_old_id_leads_on(hub: Hub) -> None:
    latest = (await hub.get("/v1/changes"))["latest"]
    answer = await sent(hub.http, LINK)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/decisions/1")
    told = answer.json()
    assert told["moved"] == [{"from": owned(4), "to": owned(1), "artifacts": [FOUR]}]
    assert (told["redirects"], told["begun"], told["ended"]) == ({owned(4): owned(1)}, [], [])
    record = await hub.get(f"/v1/requests/{owned(1)}")
    assert told["requests"] == {owned(1): record["etag"]}
    (link,) = [one for one in record["request"]["links"] if one["evidence"] == "decision"]
    assert (link["left"], link["right"], link["effect"], link["why"]) == (ONE, FOUR, "joins", SAID)
    old = await hub.http.get(f"/v1/requests/{owned(4)}")
    assert (old.status_code, old.headers["Location"]) == (308, f"/v1/requests/{owned(1)}")
    await published(hub)
    changes = (await hub.get("/v1/changes", since=latest))["items"]
    assert {(one["request"], one["merged_into"]) for one in changes} == {(owned(1), None), (owned(4), owned(1))}
    ends: dict[str, Any] = {"from": "MEMO-4", "with": "MEMO-1"}
    chain = (await hub.get("/v1/why", **ends))["chain"]
    assert [(one["evidence"], one["decision"]) for one in chain] == [("decision", 1)]


async def test_it_is_told_again(hub: Hub) -> None:
    told = await post(hub, LINK)
    expected = {
        "number": 1, "kind": "link", "left": [ONE], "right": [FOUR], "by": "Anna Berg",
        "reason": "Agreed on the phone", "at": "2026-04-01T12:00:00.000000Z", "undoes": None, "undone_by": None,
        "holds": True, "said": SAID,
    }  # fmt: skip
    assert told["decision"] == expected
    assert await hub.get("/v1/decisions/1") == told
    undone = await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    assert undone["moved"] == [{"from": owned(1), "to": owned(4), "artifacts": [FOUR]}]
    assert (undone["begun"], undone["redirects"]) == ([owned(4)], {})
    after = await hub.get("/v1/decisions/1")
    assert after == told | {"decision": expected | {"undone_by": 2, "holds": False}}
    assert (await hub.get("/v1/decisions/3", 404))["mend"] == "List them under /v1/decisions."


@SQLITE
@pytest.mark.parametrize(
    ("body", "before", "after"),
    [
        ({"kind": "unlink", "a": "MEMO-2", "b": "MEMO-1"}, [owned(1)], [owned(1), owned(2)]),
        ({"kind": "merge", "requests": [owned(1), "MEMO-5"]}, [owned(1), owned(5)], [owned(1)]),
        ({"kind": "split", "request": "MEMO-1", "artifacts": ["MEMO-2", "MEMO-3"]}, [owned(1)], [owned(1), owned(2)]),
        ({"kind": "no request", "artifacts": ["MEMO-4", FIVE]}, [owned(4), owned(5)], [None]),
        ({"kind": "no request", "request": owned(4)}, [owned(4)], [None]),
    ],
    ids=["unlink", "merge", "split", "no request", "no whole request"],
)
async def test_every_kind_does_what_its_preview_told(hub: Hub, body: Any, before: list[Any], after: list[Any]) -> None:
    body = body | {"by": "Anna"}
    foretold = await post(hub, body, 200, preview=True)
    assert foretold["preview"]
    assert (await hub.get("/v1/decisions"))["items"] == []
    assert sorted(foretold["made_on"]) == sorted(before)
    for request in before:
        await hub.get(f"/v1/requests/{request}")
    tags = ", ".join(f'W/"{one}"' for one in foretold["made_on"].values())
    told = await post(hub, body, If_Match=tags)
    assert told == foretold | {"preview": False}
    assert {one["to"] for one in told["moved"]} <= {*after}
    assert {await request_of(hub, one) for one in told["decision"]["left"] + told["decision"]["right"]} <= {*after}


async def test_people_are_joined_and_parted(hub: Hub) -> None:
    ids = [f"memos/account/{name}" for name in ("anna", "bert", "carla")]
    told = await post(hub, {"kind": "same person", "identities": [ids[0], "bert@example.com"], "by": "Dora"})
    assert (told["decision"]["left"], told["decision"]["right"]) == (ids[:1], ids[1:2])
    assert (told["moved"], told["changed"]) == ([], 3)
    people = (await hub.get(f"/v1/requests/{owned(1)}"))["request"]["people"]
    assert any(set(ids[:2]) <= set(one["identities"]) for one in people)
    refused = await post(hub, {"kind": "other person", "identities": ids[1::-1], "by": "Dora"}, 409)
    assert refused["decision"] == 1
    await post(hub, {"kind": "other person", "identities": ids[1:], "by": "Dora"})
    found = await hub.get("/v1/decisions", identity="BERT@example.com")
    assert [one["number"] for one in found["items"]] == [2, 1]
    on_versions = {"kind": "same person", "identities": [ids[0], ids[2]], "by": "Dora"}
    assert (await post(hub, on_versions, 422, If_Match='"0"'))["mend"] == "Say * for the versions."


async def test_it_is_made_on_what_its_maker_saw(hub: Hub) -> None:
    seen = [(await hub.http.get(f"/v1/requests/{owned(number)}")).headers["ETag"] for number in (1, 4)]
    await hub.told(memo(4, version=2, title="Payslips by mail", by="bert", status="done"))
    refused = await post(hub, LINK, 412, If_Match=", ".join(seen))
    assert refused["type"] == "urn:throughline:problem:changed"
    now = {owned(number): (await hub.get(f"/v1/requests/{owned(number)}"))["etag"] for number in (1, 4)}
    assert refused["versions"] == now
    assert await request_of(hub, "MEMO-4") == owned(4)
    await post(hub, LINK, If_Match=",".join(now.values()))  # as they stand in answers, without quotes


@SQLITE
async def test_without_if_match_nothing_is_decided(hub: Hub) -> None:
    answer = await hub.http.post("/v1/decisions", json=LINK)
    assert answer.status_code == 428
    assert answer.json()["detail"].startswith("If-Match is missing")
    assert (await hub.get("/v1/decisions"))["items"] == []


async def test_one_key_is_one_decision_with_one_answer(hub: Hub) -> None:
    """Also where its references lead elsewhere once it is taken, and everything changed since."""
    body = {"kind": "merge", "requests": [owned(1), owned(4)], "by": "Anna"}
    first = await post(hub, body, Idempotency_Key='"8e03978e-40d5"')
    await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    again = await sent(hub.http, body, Idempotency_Key="8e03978e-40d5")
    assert (again.status_code, again.headers["Location"], again.json()) == (201, "/v1/decisions/1", first)
    other = await post(hub, body | {"reason": "Anew"}, 422, Idempotency_Key='"8e03978e-40d5"')
    assert (other["type"], other["decision"]) == ("urn:throughline:problem:key-used", 1)
    both = await asyncio.gather(*(sent(hub.http, LINK | {"b": "MEMO-5"}, Idempotency_Key="k") for _ in range(4)))
    assert {one.status_code for one in both} == {201}
    assert len({one.text for one in both}) == 1
    assert [one["number"] for one in (await hub.get("/v1/decisions"))["items"]] == [3, 2, 1]


async def test_a_contradiction_names_the_decision_that_stands_in_the_way(hub: Hub) -> None:
    await post(hub, LINK)
    refused = await post(hub, {"kind": "unlink", "a": "MEMO-4", "b": "MEMO-1", "by": "Ben"}, 409)
    assert (refused["detail"], refused["decision"]) == (f"{SAID}.", 1)
    assert refused["mend"] == "Undo that decision first, if it no longer holds."
    same = await post(hub, LINK | {"by": "Ben"}, 409)
    assert (same["type"], same["decision"]) == ("urn:throughline:problem:said-already", 1)
    await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    twice = await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"}, 409)
    assert (twice["decision"], twice["mend"]) == (2, "To have it hold again, undo decision 2.")


WRONG: list[tuple[Any, str, str]] = [
    (LINK | {"a": "MEMO-77"}, "body.a", "names nothing that is read so far"),
    (LINK | {"b": "MEMO-2"}, "body.b", "may mean 2 things"),
    ({"kind": "merge", "requests": ["MEMO-1", "MEMO-3"], "by": "x"}, "body.requests", "are one request already"),
    ({"kind": "merge", "requests": ["MEMO-1", "MEMO-6"], "by": "x"}, "body.requests.1", "is in no request"),
    ({"kind": "merge", "requests": ["MEMO-2", "MEMO-5"], "by": "x"}, "body.requests.0", "leads to 2 requests"),
    ({"kind": "merge", "requests": ["MEMO-2"], "by": "x"}, "body.requests", "is given too seldom"),
    ({"kind": "no request", "artifacts": ["MEMO-1", "?"], "by": "x"}, "body.artifacts.1",
     "names nothing that is read so far"),
    ({"kind": "no request", "by": "x"}, "body", "names both artifacts and a request, or neither"),
    ({"kind": "no request", "artifacts": ["?"] * 1001, "by": "x"}, "body.artifacts", "is given too often"),
    ({"kind": "same person", "identities": ["nobody", "memos/account/anna"], "by": "x"}, "body.identities.0",
     "is nobody that is read so far"),
    ({"kind": "other person", "identities": ["anna@example.com", "memos/account/bert"], "by": "x"},
     "body.identities.0", "is the address of 2 identities"),
    ({"kind": "same person", "identities": ["carla@example.com", "memos/account/carla"], "by": "x"},
     "body.identities", "are one identity"),
    ({"kind": "undo", "decision": 7, "by": "x"}, "body.decision", "is no decision"),
    ({"kind": "undo", "decision": "1", "by": "x"}, "body.decision", "is no whole number"),
    ({"kind": "undo", "decision": 2**63, "by": "x"}, "body.decision", "is too large"),
    (LINK | {"kind": "CANARY"}, "body.kind", "is none of the known kinds"),
    ({"a": "MEMO-1"}, "body.kind", "is missing"),
    (LINK | {"by": "  "}, "body.by", "is too short"),
    (LINK | {"by": "Anna\nBerg"}, "body.by", "does not have the right form"),
    (LINK | {"reason": "x" * 1001}, "body.reason", "is too long"),
    (LINK | {"a": "x" * 4001}, "body.a", "is too long"),
    (LINK | {"CANARY": 1}, "body", "has a parameter that is not known"),
    ([], "body", "is no JSON object"),
]  # fmt: skip


@SQLITE
async def test_what_cannot_be_decided_names_the_field(hub: Hub) -> None:
    await hub.told(memo(2, connection="other", text="another tool's"))
    for body, field, what in WRONG:
        refused = await post(hub, body, 422)
        assert [(one["field"], one["problem"]) for one in refused["errors"]] == [(field, what)]
        assert "CANARY" not in json.dumps(refused)
        if "2" in what:
            assert len(refused["candidates"]) == 2
            assert all(one in refused["mend"] for one in refused["candidates"])
    assert (await hub.get("/v1/decisions"))["items"] == []


ODD: list[tuple[str | bytes, dict[str, str], int]] = [
    (json.dumps(LINK), {"Content-Type": "text/plain"}, 415),
    (json.dumps(LINK), {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    (json.dumps(LINK), {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    (json.dumps(LINK), {"Content-Type": ""}, 415),
    (json.dumps(LINK), {"Origin": "https://evil.example"}, 403),
    (json.dumps(LINK), {"Origin": "null"}, 403),
    (json.dumps(LINK), {"Origin": "http://127.0.0.1:1"}, 403),
    (json.dumps(LINK), {"Sec-Fetch-Site": "cross-site"}, 403),
    (json.dumps(LINK), {"Origin": "http://[", "Sec-Fetch-Site": "same-site"}, 403),
    (json.dumps(LINK), {"If-Match": " "}, 428),
    (json.dumps(LINK), {"If-Match": "any"}, 422),
    (json.dumps(LINK), {"Idempotency-Key": "two words"}, 422),
    (json.dumps(LINK), {"Idempotency-Key": "k" * 256}, 422),
    ("{", {}, 422),
    ("", {}, 422),
    ("[" * 100_000, {}, 400),
    (b'{"by": "\xff"}', {}, 400),
    (json.dumps(LINK | {"reason": "\ud800"}), {}, 422),
    (b" " * 1_500_001, {}, 413),
]  # fmt: skip


@SQLITE
async def test_no_page_of_another_origin_and_nothing_odd_comes_in(hub: Hub) -> None:
    for content, headers, status in ODD:
        given = {"If-Match": "*", "Content-Type": "application/json"} | headers
        answer = await hub.http.post("/v1/decisions", content=content, headers=given)
        assert answer.status_code == status, (answer.text, content[:80], headers)
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert (await hub.get("/v1/decisions"))["items"] == []


@SQLITE
async def test_a_page_of_its_own_may(hub: Hub) -> None:
    await post(hub, LINK, Origin="http://127.0.0.1:8700", Sec_Fetch_Site="same-origin")
    for method in ("PUT", "PATCH", "DELETE"):
        answer = await hub.http.request(method, "/v1/decisions", json=LINK)
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


async def test_the_list_pages_and_filters(hub: Hub) -> None:
    await post(hub, LINK)
    await post(hub, {"kind": "unlink", "a": "MEMO-1", "b": "MEMO-5", "by": "Ben"})
    await post(hub, {"kind": "no request", "artifacts": ["MEMO-6"], "by": "Ben"})
    await post(hub, {"kind": "undo", "decision": 2, "by": "Anna Berg"})
    numbers: list[int] = []
    cursor = None
    while True:
        page = await hub.get("/v1/decisions", limit=3, **({"cursor": cursor} if cursor else {}))
        numbers += [one["number"] for one in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert numbers == [4, 3, 2, 1]
    for filters, expected in (
        ({"request": owned(1)}, [4, 2, 1]), ({"request": owned(4)}, [4, 2, 1]), ({"request": "MEMO-5"}, [4, 2]),
        ({"artifact": "MEMO-4"}, [1]), ({"artifact": FIVE}, [4, 2]), ({"artifact": "gone/memo/1"}, []),
        ({"identity": "memos/account/anna"}, []), ({"kind": "no request"}, [3]), ({"by": "Ben"}, [3, 2]),
        ({"holds": True}, [4, 3, 1]), ({"holds": False}, [2]), ({"by": "Ben", "holds": True}, [3]),
    ):  # fmt: skip
        assert [one["number"] for one in (await hub.get("/v1/decisions", **filters))["items"]] == expected, filters
    mine = (await hub.get("/v1/decisions", limit=1))["next"]
    await hub.get("/v1/decisions", 400, limit=1, cursor=mine, by="Ben")
    other = (await hub.get("/v1/requests", limit=1))["next"]
    assert (await hub.get("/v1/decisions", 400, cursor=other))["type"] == "urn:throughline:problem:cursor"
    assert (await hub.get("/v1/decisions", 422, kind="join"))["errors"][0]["field"] == "query.kind"


@SQLITE
async def test_what_a_decision_keeps_out_says_so(hub: Hub) -> None:
    await post(hub, {"kind": "no request", "artifacts": ["MEMO-4"], "by": "Anna Berg", "reason": "A test"})
    (found,) = (await hub.get("/v1/lookup", reference="MEMO-4"))["items"]
    said = "Anna Berg decided on 1 April 2026 that MEMO-4 is no request (decision 1)"
    kept = {"number": 1, "by": "Anna Berg", "at": "2026-04-01T12:00:00.000000Z", "reason": "A test", "said": said,
            "undo": "throughline undo 1", "itself": True}  # fmt: skip
    assert found["outcome"] == "in no request"
    assert found["artifacts"][0]["kept_out"] == kept
    refused = await hub.get(f"/v1/requests/{owned(4)}", 404)
    assert refused["type"] == "urn:throughline:problem:in-no-request"
    assert (refused["detail"], refused["artifact"]["kept_out"]) == (f"{said}.", kept)
    assert refused["mend"] == "Undo decision 1 if it no longer holds."
    (other,) = (await hub.get("/v1/lookup", reference="MEMO-6"))["items"]
    assert other["artifacts"][0]["kept_out"] is None
    await post(hub, {"kind": "undo", "decision": 1, "by": "Ben"})
    assert await request_of(hub, "MEMO-4") == owned(4)


@SQLITE
async def test_with_a_token_it_is_asked_for(hub: Hub) -> None:
    database = Database(hub.engine, 5)
    async with writing(hub.engine) as connection:
        _, token = await tokens.add(connection, By(None, NOW), "A script", Role.EDITOR, None, None)
    access = Accounts(hub.engine, database, lambda: NOW, Manner())
    app = create_app(
        hub.engine, lambda: NOW, access=access, noting=lambda caller, where: audit.noting(caller, lambda: NOW, where)
    )
    async with client_of(app, Host="hub.example") as http:
        assert (await sent(http, LINK)).status_code == 401
        assert (await http.get("/v1/decisions")).status_code == 401
        forged = await sent(http, LINK, Authorization=f"Bearer {token}")
        assert (forged.status_code, forged.json()["type"]) == (403, "urn:throughline:problem:somebody-else")
        mine = {name: value for name, value in LINK.items() if name != "by"}
        taken = await sent(http, mine, Authorization=f"Bearer {token}")
        assert (taken.status_code, taken.json()["decision"]["by"]) == (201, "A script")
        assert (
            await sent(http, mine, Authorization=f"Bearer {token}", Origin="https://hub.example")
        ).status_code == 409
    async with reading(hub.engine) as connection:
        noted = (await connection.execute(select(audit_table).order_by(audit_table.c.number.desc()))).first()
    assert noted is not None
    assert (noted.who, noted.how, noted.action, noted.object) == ("A script", "token", "decision.taken", "decision 1")
    assert json.loads(noted.after)["left"] == [ONE]
    async with client_of(hub.app, Host="evil.example") as http:
        assert (await sent(http, LINK)).status_code == 421


@SQLITE
async def test_whoever_publishes_is_told_at_once(hub: Hub) -> None:
    woken: list[int] = []
    app = create_app(hub.engine, lambda: NOW, changed=lambda: woken.append(1))
    async with client_of(app) as http:
        assert (await sent(http, LINK, preview=True)).status_code == 200
        assert woken == []
        assert (await sent(http, LINK, Idempotency_Key="k")).status_code == 201
        assert (await sent(http, LINK, Idempotency_Key="k")).status_code == 201
        assert (await sent(http, LINK)).status_code == 409
    assert woken == [1]


async def test_nothing_of_it_is_on_the_listener_for_webhooks() -> None:
    engine = open_engine("sqlite+aiosqlite://")
    app = Webhooks(engine, {}, KeyRing([new_key()]), "http://127.0.0.1:8701", lambda: NOW).app()
    with TestClient(app) as client:
        assert client.post("/v1/decisions", json=LINK, headers={"If-Match": "*"}).status_code == 404
        assert client.get("/v1/decisions").status_code == 404
    await engine.dispose()


@SQLITE
async def test_an_address_of_several_accounts_stands_for_their_person_unless_they_were_parted(hub: Hub) -> None:
    await hub.told(memo(2, connection="other", by="anna"))
    same = {"kind": "same person", "identities": ["anna@example.com", "memos/account/bert"], "by": "Dora"}
    told = await post(hub, same)
    assert told["decision"]["left"] + told["decision"]["right"] == ["memos/account/anna", "memos/account/bert"]
    await post(hub, {"kind": "undo", "decision": told["decision"]["number"], "by": "Dora"})
    ids = ["memos/account/anna", "other/account/anna"]
    await post(hub, {"kind": "other person", "identities": ids, "by": "Dora"})
    refused = await post(hub, same, 422)
    assert "is the address of 2 identities" in refused["detail"]
    assert refused["mend"] == (
        "body.identities.0: say which is meant: "
        "memos:anna@example.com, the account in memos (memo) with the id memos/account/anna; "
        "other:anna@example.com, the account in other with the id other/account/anna."
    )
    chosen = await post(hub, same | {"identities": ["Other:Anna@example.com", "memos:bert@example.com"]})
    assert chosen["decision"]["left"] + chosen["decision"]["right"] == ["other/account/anna", "memos/account/bert"]
    for name, numbers in (("other:anna@example.com", [4, 3]), ("memos:anna@example.com", [3, 2, 1])):
        found = await hub.get("/v1/decisions", identity=name)
        assert [one["number"] for one in found["items"]] == numbers
