"""Headers that announce the end of a part of a tool, by both ways out."""

import asyncio
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.addresses import Policy
from connectors.announced import announced, subject_of
from connectors.contract import Noticed
from connectors.limiter import Limiter
from connectors.transport import Network, Removed
from tests.connectors.small_server import Script, serving

SUNSET = "Sat, 31 Oct 2026 23:59:59 GMT"
LINK = '<https://tool.example/changes?ticket=1>; rel="sunset"; type="text/html"'


def test_dates_and_addresses_are_read() -> None:
    headers = {"deprecation": "@1772323200", "sunset": SUNSET, "link": LINK}
    deprecated, ends = announced("get", "/rest/api/3/issue/PAY-12/comment/10012?maxResults=2", 200, headers)
    assert (deprecated.kind, deprecated.subject) == ("deprecated", "GET /rest/api/3/issue/{id}/comment/{id}")
    assert deprecated.due == datetime(2026, 3, 1, tzinfo=UTC)
    assert (ends.kind, ends.due) == ("ends", datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC))
    assert "https://tool.example/changes" in ends.mend
    assert "ticket" not in ends.mend


def test_an_older_draft_names_no_date() -> None:
    (only,) = announced("GET", "/search", 200, {"deprecation": "true", "sunset": "soon"})
    assert (only.kind, only.due) == ("deprecated", None)


def test_a_part_that_is_switched_off_is_told() -> None:
    (only,) = announced("GET", "/rest/api/3/search", 410, {})
    assert (only.kind, only.subject) == ("gone", "GET /rest/api/3/search")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/crm/objects/2026-09/deals/batch/read", "/crm/objects/2026-09/deals/batch/read"),
        ("/ex/jira/11aa22bb-1111/rest/api/3/field", "/ex/jira/{id}/rest/api/3/field"),
        ("/rest/api/2/project/PAY", "/rest/api/2/project/{id}"),
        ("/people/anna@example.com", "/people/{id}"),
    ],
)
def test_a_part_has_no_ids(path: str, told: str) -> None:
    assert subject_of("GET", path) == f"GET {told}"


@given(
    path=st.text(max_size=300),
    headers=st.dictionaries(st.sampled_from(["deprecation", "sunset", "link"]), st.text(max_size=80)),
    status=st.integers(100, 599),
)
def test_whatever_a_tool_sends_is_no_error(path: str, headers: dict[str, str], status: int) -> None:
    for each in announced("GET", path, status, headers):
        assert len(each.subject) <= 200
        assert each.due is None or each.due.tzinfo


async def test_both_ways_out_hear_it() -> None:
    heard: list[Noticed] = []
    network = Network(Policy(allow_loopback=True), Limiter(requests=1e6), noticed=heard.append)
    with serving(Script(headers={"Sunset": SUNSET})) as script:
        async with network.client(f"http://127.0.0.1:{script.port}") as client:
            await client.request("GET", "/things/12")
            script.status = 410
            with pytest.raises(Removed):
                await client.request("GET", "/gone")
        script.status = 200
        with requests.Session() as session:
            network.guard(session)
            answer = await asyncio.to_thread(session.get, f"http://127.0.0.1:{script.port}/old/things")
    assert answer.status_code == 200
    assert [(one.kind, one.subject) for one in heard] == [
        ("ends", "GET /things/{id}"), ("ends", "GET /gone"), ("gone", "GET /gone"), ("ends", "GET /old/things"),
    ]  # fmt: skip
