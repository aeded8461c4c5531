"""What the caller wrote counts, or is refused; and HEAD."""

import asyncio
from typing import Any

import httpx2
import pytest

from services.query.server import Server
from tests.services.query.conftest import Hub, owned

R = owned(1)


async def asked(hub: Hub, path: str, status: int = 422) -> Any:
    answer = await hub.http.get(path)
    assert answer.status_code == status, path
    return answer.json()


@pytest.mark.parametrize(
    "path",
    ["lookup?reference=MEMO-3", f"requests/{R}", f"requests/{R}/links", f"requests/{R}/timeline", "changes",
     "changes/stream", "freshness", "connections", "connections/memos/unmapped", "requests",
     "why?from=MEMO-3&with=MEMO-1", "decisions"],
)  # fmt: skip
async def test_an_unknown_parameter_is_refused_and_not_repeated(hub: Hub, path: str) -> None:
    answer = await hub.http.get(f"/v1/{path}{'&' if '?' in path else '?'}CANARY=1")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "query"
    assert error["problem"].startswith("has a parameter that is not known")
    assert "CANARY" not in answer.text


async def test_what_may_be_meant_is_told(hub: Hub) -> None:
    answer = await asked(hub, f"/v1/requests/{R}?summary=true&asof=2026-03-20T00:00:00Z")
    assert answer["detail"] == "query has a parameter that is not known, the second."
    assert answer["mend"] == "query: as_of may be meant; as_of and summary are known here."
    nothing = await asked(hub, "/v1/freshness?x=1")
    assert nothing["mend"] == "query: this path takes no parameters."


async def test_what_counts_once_is_given_once(hub: Hub) -> None:
    at = "2026-03-20T00:00:00Z"
    answer = await asked(hub, f"/v1/requests/{R}?as_of={at}&as_of={at}")
    assert answer["errors"] == [{"field": "query.as_of", "problem": "is given more than once", "mend": "give it once"}]
    for path in ("changes?since=0&since=1", "requests?limit=1&limit=2", "lookup?reference=A-1&whole=true&whole=false"):
        await asked(hub, f"/v1/{path}")
    await asked(hub, "/v1/lookup?reference=MEMO-1&reference=MEMO-1", 200)
    await asked(hub, "/v1/requests?stage=development&stage=change", 200)


async def test_a_form_is_told_in_words(hub: Hub) -> None:
    length = await asked(hub, "/v1/requests?in_stage_longer_than=two+weeks")
    assert length["mend"] == ("query.in_stage_longer_than: give days such as 10, or a duration such as P14D or PT36H.")
    assert (await asked(hub, "/v1/lookup?reference="))["mend"] == "query.reference: give at least 1 character."


async def test_no_time_between_is_refused(hub: Hub) -> None:
    times = "since=2026-03-20T00:00:00Z&until=2026-03-20T00:00:00Z"
    answer = await asked(hub, f"/v1/requests/{R}/timeline?{times}")
    assert answer["detail"] == "query.until does not lie after since."


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_head_is_get_without_a_body(hub: Hub) -> None:
    server = Server(hub.app, "127.0.0.1", 0, hub.closing)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        await _ask_both_ways(f"http://127.0.0.1:{server.port}")
    finally:
        server.stop()
        await serving


async def _ask_both_ways(url: str) -> None:
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        for path in ("/livez", f"/v1/requests/{R}", "/v1/lookup?reference=MEMO-1", "/v1/requests", "/nowhere",
                     f"/v1/requests/{owned(3)}", "/v1/requests?limit=0", "/openapi.json"):  # fmt: skip
            head, get = await http.head(path), await http.get(path)
            assert head.status_code == get.status_code, path
            assert head.content == b""
            told = {"content-type", "content-length", "etag", "location", "cache-control"}
            assert {n: v for n, v in head.headers.items() if n in told} == {
                n: v for n, v in get.headers.items() if n in told
            }, path
        same = await http.head(f"/v1/requests/{R}", headers={"If-None-Match": "*"})
        assert same.status_code == 304
        stream = await http.head("/v1/changes/stream")
        assert (stream.status_code, stream.headers["content-type"].split(";")[0]) == (200, "text/event-stream")
        assert (await http.post("/v1/freshness")).headers["allow"] == "GET, HEAD"


async def test_the_first_questions_of_all_put_the_document_together_once(hub: Hub) -> None:
    hub.app.openapi_schema = None
    documents = await asyncio.gather(*(asyncio.to_thread(hub.app.openapi) for _ in range(8)))
    assert all(one is documents[0] for one in documents)
