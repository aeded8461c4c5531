"""What people read of requests: their own first, the list as CSV, and nothing of a tool's text as HTML."""

import csv
import html
import io
import re

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Receive, Scope, Send

from schemas.access import THIS_MACHINE, Caller, Role
from services.query.app import create_app
from services.query.steps import Bounds
from services.web.site import create_site
from tests.pipelines.memos import memo
from tests.services.query.conftest import BASE, NOW, fill, owned
from tests.services.web.test_site import As, client_of, company

__all__ = ["company"]

SHORT_SIGHTED = Bounds(words=0, few=0, requests=1, places=0)
"""A step looks at one request."""

EVIL = '=HYPERLINK("http://x")<script>alert(1)</script>'


def somebody(name: str) -> As:
    return As(Caller(name.title(), Role.VIEWER, "session", f"a-{name}", f"{name}@example.com", reads_all=True))


async def first_page(company: AsyncEngine, access: As) -> str:
    async with client_of(company, access) as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    return answer.text


async def test_who_is_signed_in_sees_their_own_first(company: AsyncEngine) -> None:
    bert = await first_page(company, somebody("bert"))
    asked, _, part = bert.partition("You take part in")
    assert "You asked for" in asked
    assert "Payslips by mail" in asked
    assert "Payroll portal for Zoë" not in asked
    assert "Payroll portal for Zoë" in part  # its second part is his
    assert "Stuck longest" not in bert
    assert "New printer" not in bert


async def test_whom_nothing_concerns_is_told_so_and_sees_what_everybody_sees(company: AsyncEngine) -> None:
    page = await first_page(company, somebody("nobody"))
    assert "No request is known in which <strong>nobody@example.com</strong> takes part" in page
    assert "Changed last" in page
    assert "New printer" in page


async def test_who_has_no_address_sees_what_everybody_sees(company: AsyncEngine) -> None:
    page = await first_page(company, As(THIS_MACHINE))
    assert "Changed last" in page
    assert "takes part" not in page


async def test_what_a_tool_says_is_no_formula_and_no_html(company: AsyncEngine) -> None:
    await fill(company, [memo(40, title=EVIL)])
    name = owned(40)
    async with client_of(company, As(THIS_MACHINE)) as http:
        for path in ("/", "/requests", "/requests/board", f"/requests/{name}", f"/requests/{name}/timeline",
                     f"/requests/{name}/parts", "/find?q=hyperlink", "/find/suggest?q=hyperlink&box=find",
                     "/find?q=%3Cscript%3Ealert(1)%3C/script%3E"):  # fmt: skip
            answer = await http.get(path)
            assert answer.status_code == 200, path
            assert "<script>alert" not in answer.text, path
            assert "HYPERLINK" in answer.text or "script" in path, path
        exported = await http.get("/requests.csv")
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert [one["title"] for one in rows if one["id"] == name] == [f"'{EVIL}"]


class Meanwhile:
    """ASGI: the API, in which one request changes as soon as its record was answered."""

    def __init__(self, engine: AsyncEngine, access: As) -> None:
        self._engine = engine
        self._api = create_app(engine, lambda: NOW, access=access)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, then change."""
        await self._api(scope, receive, send)
        if scope["path"].startswith("/v1/requests/"):
            await fill(self._engine, [memo(4, version=9, status="done")])


async def test_a_page_says_from_which_change_on_it_is_to_be_followed(company: AsyncEngine) -> None:
    access = As(THIS_MACHINE)
    site = create_site(Meanwhile(company, access), access, lambda: NOW)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(site), base_url=BASE) as http:
        page = await http.get(f"/requests/{owned(4)}")
        seen = re.search(r'<div data-request="R-\w+" data-etag="(\w+)" data-seen="(\d+)">', page.text)
        assert seen
        told = (await http.get("/v1/changes", params={"since": seen[2]})).json()["items"]
    assert [one["request"] for one in told] == [owned(4)]  # what came after the page, and nothing that it holds
    assert told[0]["etag"] != seen[1]


async def test_the_csv_has_every_page(company: AsyncEngine) -> None:
    await fill(company, [memo(number, title=f"More of it {number}") for number in range(100, 230)])
    async with client_of(company, As(THIS_MACHINE)) as http:
        exported = await http.get("/requests.csv", params={"sort": "opened", "order": "asc"})
        refused = await http.get("/requests.csv", params={"stage": "nowhere"})
        only_head = await http.head("/requests.csv")
    assert (only_head.status_code, only_head.content) == (200, b"")
    assert only_head.headers["Content-Type"] == exported.headers["Content-Type"]
    rows = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert len({one["id"] for one in rows}) == len(rows) == 133
    assert [one["opened"] for one in rows] == sorted(one["opened"] for one in rows)
    assert refused.status_code == 422


@pytest.mark.parametrize("asked", ["x" * 5000, "\x00", "-", "R-AAAAAAAAAAAA", "💥", "a@b", " "])
async def test_anything_may_be_typed(company: AsyncEngine, asked: str) -> None:
    async with client_of(company, As(THIS_MACHINE)) as http:
        for path in ("/find", "/find/suggest"):
            answer: httpx2.Response = await http.get(path, params={"q": asked, "box": "find"})
            assert answer.status_code in (200, 303), path


async def test_an_address_of_another_tool_opens_nothing_by_itself(company: AsyncEngine) -> None:
    await fill(company, [memo(50, url="https://ours.example/browse/MEMO-50")])
    async with client_of(company, As(THIS_MACHINE)) as http:
        ours = await http.get("/find", params={"q": "https://ours.example/browse/MEMO-50"})
        theirs = await http.get("/find", params={"q": "https://theirs.example/browse/MEMO-50"})
    assert (ours.status_code, ours.headers["location"]) == (303, f"/requests/{owned(50)}")
    assert theirs.status_code == 200
    assert "Nothing that is read lies at theirs.example. By its key alone it may be this:" in theirs.text
    assert f'href="/requests/{owned(50)}"' in theirs.text
    assert "several" not in theirs.text


async def test_what_is_not_looked_at_yet_is_said(company: AsyncEngine) -> None:
    """As where more begins so than can be looked at at once, and none of the latest has it: nothing is left out."""
    await fill(company, [memo(number, title="Something newer") for number in range(100, 125)])
    async with client_of(company, As(THIS_MACHINE), SHORT_SIGHTED) as http:
        found, typed, page = [(await http.get(path)).text for path in
                              ("/find?q=payr", "/find/suggest?q=payr&box=find", "/requests?text=payr")]  # fmt: skip
        told = (await http.get("/v1/requests", params={"text": "payr"})).json()
        later = (await http.get("/v1/requests", params={"text": "payr", "cursor": told["next"]})).json()
        on = html.unescape(re.findall(r'rel="next" href="([^"]*)"', page)[0])
        looked_on = (await http.get(on)).text
        exported = (await http.get("/requests.csv?text=payr")).text
    assert told["items"] == []
    assert ([one["title"] for one in later["items"]], later["next"]) == (["Payroll portal for Zoë"], None)
    assert "only the latest requests were looked at" in found
    assert "/requests?text=payr" in found
    assert "Nothing that is read is known by it" not in found
    assert "Nothing found in the latest requests" in typed
    assert "None of those looked at so far fits" in page
    assert "No request fits all of this" not in page
    assert "Payroll portal for Zoë" in looked_on
    assert "Payroll portal for Zoë" in exported
